"""Targets in the configuration: what each kind reads, and every fault of theirs with its remedy."""

from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from wharfinger.cli import init
from wharfinger.cli.templates import Ports
from wharfinger.runtime import settings as typed
from wharfinger.runtime.configuration import load
from wharfinger.runtime.configuration.targets import KINDS

ENVIRON = {"TOKEN": "t0ken-of-the-environment", "URLS": "slack://a/b/c\njsons://h/x", "PLAIN": "s3cret"}
POD = {"KUBERNETES_SERVICE_HOST": "10.96.0.1", "KUBERNETES_SERVICE_PORT": "443"}
KUBECONFIG = """
current-context: prod
contexts: [{name: prod, context: {cluster: c, user: u}}, {name: eks, context: {cluster: c, user: plugin}}]
clusters: [{name: c, cluster: {server: "https://k:6443"}}]
users: [{name: u, user: {token: s3cret}}, {name: plugin, user: {exec: {command: aws}}}]
"""
FILES = {
    "ci.token": b"t0ken-of-a-file\n", "two.token": b"s3cret and more\n", "long.secret": b"a secret of many letters", "short.secret": b"s3cret",
    "kubeconfig": KUBECONFIG.encode(), "ca.crt": b"c", "own.crt": b"c", "own.key": b"k",
}  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Files that targets name."""
    init.make(tmp_path, (), Ports(1, 2, 3))
    for name, content in FILES.items():
        (tmp_path / name).write_bytes(content)
        (tmp_path / name).chmod(0o600)
    return tmp_path


def loaded(
    folder: Path, target: str, environ: dict[str, str] | None = None
) -> tuple[typed.Target | None, list[tuple[str, str, str]]]:
    """One target as it is read, and what is wrong with it: key, problem and remedy."""
    file = folder / "wharfinger.yml"
    whole = file.read_text() + f"\ndeploy:\n  targets:\n    t: {{{target}}}\n"
    line = whole.count("\n")
    (folder / "target.yml").write_text(whole)
    found = load(folder / "target.yml", data=folder, environ=environ or ENVIRON)
    told = [one for one in found.found if one.key.startswith("deploy")]
    assert all(one.line == line for one in told)
    targets = found.settings.workers.deploy.targets if found.settings else ()
    return (targets[0] if targets else None), [
        (one.key.removeprefix("deploy.targets.t."), one.problem.replace(f"{folder}/", ""), one.remedy) for one in told
    ]


NEEDED = {
    "github": "token_file: ci.token, repository: shop/infra",
    "gitlab": "token_file: ci.token, project: shop/infra",
    "jenkins": "url: https://h, token_file: ci.token, user: ci, job: shop/deploy",
    "woodpecker": "url: https://h, token_file: ci.token, repository: 17",
    "drone": "url: https://h, token_file: ci.token, repository: shop/infra",
    "argocd": "url: https://h, token_file: ci.token, application: shop",
    "flux": "url: https://h/hook/abc, secret_file: long.secret",
    "kubernetes": "workload: cart, kubeconfig: kubeconfig",
    "swarm": "service: shop_cart",
    "command": "program: [/bin/true]",
    "message": "urls: '${URLS}'",
}
"""What each kind cannot do without."""
MISSING = {
    "github": ["repository", "token_file"],
    "gitlab": ["project", "token_file"],
    "jenkins": ["job", "token_file", "url", "user"],
    "woodpecker": ["repository", "token_file", "url"],
    "drone": ["repository", "token_file", "url"],
    "argocd": ["application", "token_file", "url"],
    "flux": ["secret_file", "url"],
    "kubernetes": ["workload"],
    "swarm": ["service"],
    "command": [],
    "message": ["urls_file"],
}


def of(kind: str, more: str = "") -> str:
    """A target with what it needs, and more."""
    return f"type: {kind}, {NEEDED[kind]}" + (f", {more}" if more else "")


def test_every_kind_is_tested() -> None:
    """A kind that is added stands in the tables here, or in those of the whole configuration."""
    assert set(KINDS) == {*NEEDED, "webhook", "docker"}
    assert set(MISSING) == set(NEEDED)


@pytest.mark.parametrize("kind", NEEDED)
def test_the_least(folder: Path, kind: str) -> None:
    """What a kind needs is enough; everything else has its default."""
    target, faults = loaded(folder, of(kind))
    assert faults == []
    assert target is not None
    assert type(target).__name__.lower() == f"{kind}target"


@pytest.mark.parametrize("kind", MISSING)
def test_what_is_missing(folder: Path, kind: str) -> None:
    """All of it is told at once."""
    _, faults = loaded(folder, f"type: {kind}")
    assert sorted(key for key, problem, _ in faults if problem == "is missing") == MISSING[kind]
    assert len(faults) == len(MISSING[kind]) + (kind in {"jenkins", "kubernetes", "command"})


UPPER = {"IMAGE": "{{image}}", "TAG": "{{tag}}", "DIGEST": "{{digest}}", "WHARFINGER_DELIVERY": "{{delivery_id}}"}
LOWER = {name: f"{{{{{name}}}}}" for name in ("image", "repository", "tag", "digest", "account", "delivery_id")}
TOKEN = typed.Secret(b"t0ken-of-a-file")
H = typed.Reach(url="https://h")
HOUR: Any = {"name": "t", "timeout_s": 3_600.0}


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (of("github"), typed.GitHubTarget(
            **HOUR, reach=typed.Reach(url="https://api.github.com"), token=TOKEN, repository="shop/infra", workflow="", ref="main",
            event_type="registry.push", inputs=LOWER, follow=True, line=0,
        )),
        (of("github", "workflow: d.yml, ref: v1, inputs: {id: '{{delivery_id}}', env: prod}, follow: false, timeout: 90s, url: 'https://g/api/v3/'"), typed.GitHubTarget(
            name="t", timeout_s=90.0, reach=typed.Reach(url="https://g/api/v3"), token=TOKEN, repository="shop/infra", workflow="d.yml", ref="v1",
            event_type="registry.push", inputs={"id": "{{delivery_id}}", "env": "prod"}, follow=False, line=0,
        )),
        (of("gitlab"), typed.GitLabTarget(
            **HOUR, reach=typed.Reach(url="https://gitlab.com"), token=TOKEN, read_token=None, project="shop/infra", ref="main", variables=UPPER, inputs={}, line=0,
        )),
        (of("gitlab", "read_token: '${TOKEN}', inputs: {d: '{{digest}}'}, variables: {A: x}"), typed.GitLabTarget(
            **HOUR, reach=typed.Reach(url="https://gitlab.com"), token=TOKEN, read_token=typed.Secret(b"t0ken-of-the-environment"), project="shop/infra",
            ref="main", variables={"A": "x"}, inputs={"d": "{{digest}}"}, line=0,
        )),
        (of("jenkins"), typed.JenkinsTarget(**HOUR, reach=H, user="ci", token=TOKEN, job="shop/deploy", parameters=UPPER, line=0)),
        (of("woodpecker"), typed.WoodpeckerTarget(**HOUR, reach=H, token=TOKEN, repository="17", branch="main", variables=UPPER, line=0)),
        (of("drone"), typed.DroneTarget(**HOUR, reach=H, token=TOKEN, repository="shop/infra", branch="", parameters=UPPER, line=0)),
        (of("argocd", "prune: true"), typed.ArgoCDTarget(**HOUR, reach=H, token=TOKEN, application="shop", namespace="", revision="", prune=True, line=0)),
        (of("flux"), typed.FluxTarget(name="t", reach=typed.Reach(url="https://h/hook/abc"), secret=typed.Secret(b"a secret of many letters"), line=0)),
        (of("kubernetes", "kind: statefulset, namespace: shop, container: web, context: prod, timeout: 5m, allow: [10.0.0.0/8]"), typed.KubernetesTarget(
            name="t", kind=typed.Workload.STATEFULSET, namespace="shop", workload="cart", container="web", kubeconfig=None, context="prod", server="",
            allow=(ip_network("10.0.0.0/8"),), timeout_s=300.0, line=0,
        )),
        (of("swarm", "order: stop-first, host: 'unix:///run/d.sock'"), typed.SwarmTarget(
            name="t", host="unix:///run/d.sock", service="shop_cart", order=typed.UpdateOrder.STOP_FIRST, timeout_s=600.0, line=0,
        )),
        ("type: command, program: [/bin/sh, -c, exit 0], environment: {A: x, API_TOKEN: '${TOKEN}'}, repeatable: true, timeout: 1m", typed.CommandTarget(
            name="t", program=("/bin/sh", "-c", "exit 0"), environment={"A": typed.Secret(b"x"), "API_TOKEN": typed.Secret(b"t0ken-of-the-environment")},
            timeout_s=60.0, repeatable=True, line=0,
        )),
        (of("message", "title: t, body: '{{tag}}', allow: [10.0.0.7]"), typed.MessageTarget(
            name="t", urls=(typed.Secret(b"slack://a/b/c"), typed.Secret(b"jsons://h/x")), title="t", body="{{tag}}", allow=(ip_network("10.0.0.7"),), line=0,
        )),
        (of("drone", "ca_file: ca.crt, certificate: own.crt, key: own.key, allow: [10.0.0.7]").replace("https", "http"), None),
    ],
)  # fmt: skip
def test_what_is_read(folder: Path, target: str, expected: typed.Target | None) -> None:
    """Every key, and every default."""
    found, faults = loaded(folder, target)
    assert faults == []
    assert found is not None
    if expected is None:
        reach = getattr(found, "reach")  # noqa: B009 - the one kind that is read here has it
        assert reach.url == "http://h"
        assert [str(one) for one in reach.allow] == ["10.0.0.7/32"]
        assert (reach.ca_file, reach.pair) == (folder / "ca.crt", typed.TlsPair(folder / "own.crt", folder / "own.key"))
        return
    apart = {"line", "kubeconfig"}
    shown = {name: getattr(found, name) for name in type(found).__dataclass_fields__ if name not in apart}
    assert shown == {name: getattr(expected, name) for name in type(expected).__dataclass_fields__ if name not in apart}


FIELD = "write {{digest}} or another field of docs/targets.md"
IS_HTTP = (
    "url", "is http:, which goes nowhere without a network in allow: whoever is on the way reads it",
    'write https://, or name the private network it is in: allow: ["10.0.0.0/8"]',
)  # fmt: skip
NO_ID = "has no {{delivery_id}}, by which a run is found again after a lost answer"
ADD_ID = "add one, like WHARFINGER_DELIVERY: '{{delivery_id}}'"


@pytest.mark.parametrize(
    ("target", "faults"),
    [
        *[(of(kind).replace("https://", "http://"), [IS_HTTP]) for kind in ("jenkins", "woodpecker", "drone", "argocd", "flux")],
        (of("github", "url: http://g"), [IS_HTTP]),
        (of("gitlab", "url: http://g"), [IS_HTTP]),
        (of("gitlab", "url: 'https://g/?a=b'"), [("url", "has a ? or #, behind which no path can stand", "write https://HOST")]),
        (of("gitlab", "url: 'https://u:s3cret@g'"), [("url", "has credentials in it, which do not belong there", "write https://HOST")]),
        (of("gitlab", "allow: [nowhere]"), [("allow", "'nowhere' is no address or CIDR block", "write 10.0.0.0/8")]),
        (of("gitlab", "ca_file: no.crt"), [("ca_file", "there is no file no.crt", "correct the path, or make it readable for Wharfinger")]),
        (of("gitlab", "certificate: own.crt"), [("key", "is missing beside the other", "name both, or neither")]),
        (of("gitlab").replace("ci.token", "two.token"), [("token_file", "holds more than one word of ASCII", "put the bare token into it")]),
        (of("gitlab").replace("token_file: ci.token", "token: s3cret"), [
            ("token", "is written out in the configuration, where too many can read it", 'put it into a file and name that in token_file, or write "${VARIABLE}"'),
        ]),
        (of("gitlab", "read_token_file: two.token"), [("read_token_file", "holds more than one word of ASCII", "put the bare token into it")]),
        (of("gitlab", "timeout: 0s"), [("timeout", "is no time up to a week", "write 30m")]),
        (of("gitlab", "timeout: 169h"), [("timeout", "is no time up to a week", "write 30m")]),
        (of("gitlab", "timeout: 5"), [("timeout", "'5' is no duration like 30s, 1h30m or 500ms", "write 30m")]),
        (of("gitlab", "variables: {A: '{{nobody}}', B: '{{delivery_id}}'}"), [("variables.A", "has {{nobody}}, which no push has", FIELD)]),
        (of("gitlab", "variables: {A: x}"), [("variables", NO_ID, ADD_ID)]),
        (of("jenkins", "parameters: {A: x}"), [("parameters", NO_ID, ADD_ID)]),
        (of("gitlab", "colour: blue"), [
            ("colour", "is not a key known here", "remove it; known here: allow, ca_file, certificate, inputs, key, project, read_token, read_token_file, ref, timeout, token, token_file, type, url, variables"),
        ]),
        (of("github").replace("shop/infra", "infra"), [("repository", "'infra' is no OWNER/NAME", "write it as in the repository's URL")]),
        (of("github", "ref: main"), [("ref", "is for a workflow by its name", "name the workflow, or leave it out")]),
        (of("github", "workflow: d.yml, event_type: x"), [("event_type", "is for any workflow that listens, not for one by its name", "leave it out, or the workflow")]),
        (of("github", f"event_type: {'x' * 101}"), [("event_type", "has not 1 to 100 characters", "choose a shorter name")]),
        (of("github", "inputs: {id: '{{delivery_id}}', " + ", ".join(f"n{at}: x" for at in range(10)) + "}"), [
            ("inputs", "has more than 10 names, which GitHub does not take", "leave some out"),
        ]),
        (of("jenkins").replace("user: ci", "user: 'a:b'"), [("user", "has a colon, which no user of HTTP has", "write the user's id")]),
        *[
            (of("jenkins").replace("shop/deploy", job), [("job", f"'{job}' is no full name of a job", "write it as FOLDER/NAME, without the job/ of its URL")])
            for job in ("job/deploy", "shop//deploy", "/deploy")
        ],
        (of("woodpecker").replace("17", "shop/infra"), [("repository", "'shop/infra' is no repository's number", "write the number that Woodpecker's own URLs have: /repos/17")]),
        (of("drone").replace("shop/infra", "infra"), [("repository", "'infra' is no NAMESPACE/NAME", "write it as in Drone's URL")]),
        (of("argocd").replace("application: shop", "application: Shop"), [("application", "'Shop' is no name of an application", "write it as `argocd app list` does")]),
        (of("flux").replace("long.secret", "short.secret"), [("secret_file", "holds a secret of less than 16 characters", "make one with `openssl rand -hex 32`")]),
        (of("swarm").replace("shop_cart", "shop/cart"), [("service", "'shop/cart' is no service's name", "write it as `docker service ls` shows it")]),
        (of("swarm", "order: slowly"), [("order", "'slowly' is not known", "write one of start-first, stop-first")]),
        (of("swarm", "host: 'ssh://h'"), [("host", "is no unix:///PATH or tcp://HOST:PORT", "write unix:///var/run/docker.sock or tcp://HOST:PORT")]),
        (of("swarm", "tls: true"), [("tls", "is known, but not built yet", "remove it; it would be ignored, and is refused instead")]),
        ("type: command", [("program", "is missing or empty", "write it as a list: [/usr/local/bin/deploy, --env, prod]")]),
        ("type: command, program: [deploy]", [("program", "'deploy' is no absolute path", "write where it is, for no PATH is looked into")]),
        ("type: command, program: [/none]", [("program", "there is no file /none", "correct the path")]),
        ("type: command, program: [/etc/passwd]", [("program", "/etc/passwd may not be run", "chmod +x /etc/passwd")]),
        (of("command", "environment: {'A B': x}"), [("environment.A B", "is no name of a variable", "write letters, digits and _")]),
        (of("command", "environment: {API_TOKEN: s3cret}"), [
            ("environment.API_TOKEN", "is written out in the configuration, where too many can read it", 'write "${VARIABLE}", and set that in the environment'),
        ]),
        (of("command", 'environment: {A: "a\\0b"}'), [("environment.A", "holds what stands in no environment", "write plain text")]),
        ("type: message, urls: '${PLAIN}'", [("urls", "holds a line that is no SERVICE://…", "write one address of Apprise a line")]),
        (of("message", "body: '{{nobody}}'"), [("body", "has {{nobody}}, which no push has", FIELD)]),
        (of("kubernetes", "kind: pod"), [("kind", "'pod' is not known", "write one of deployment, statefulset, daemonset")]),
        *[
            (of("kubernetes", f"{key}: Cart_1"), [(key, "'Cart_1' is no name of Kubernetes", "write it as `kubectl get` shows it")])
            for key in ("namespace", "container")
        ],
        (of("kubernetes", "context: none"), [("kubeconfig", "cannot be used: it has no context 'none'", "correct it, or name another context")]),
        (of("kubernetes", "context: eks"), [(
            "kubeconfig", "cannot be used: its user gets credentials from a plugin (exec), a program that is not run here: make a service account with a token of its own",
            "correct it, or name another context",
        )]),
        ("type: kubernetes, workload: cart, context: prod", [
            ("context", "is of a kubeconfig, and none is named", "name it, or leave the context out"),
            ("kubeconfig", "is missing, and this is no pod of a cluster", "name a kubeconfig"),
        ]),
        ("type: syslog", [("type", "'syslog' is no type of target", f"use {', '.join(list(KINDS)[:-1])} or {list(KINDS)[-1]}, or install the package that adds it")]),
    ],
)  # fmt: skip
def test_faults(folder: Path, target: str, faults: list[tuple[str, str, str]]) -> None:
    """Each by itself, and nothing beside; no secret is ever in one."""
    _, found = loaded(folder, target)
    assert found == faults
    assert "s3cret" not in repr(found)


def test_in_a_pod(folder: Path) -> None:
    """Without a kubeconfig it is the cluster that this runs in, which tells where it is."""
    for host, server in (("10.96.0.1", "https://10.96.0.1:443"), ("fd00::1", "https://[fd00::1]:443")):
        target, faults = loaded(folder, "type: kubernetes, workload: cart", POD | {"KUBERNETES_SERVICE_HOST": host})
        assert faults == []
        assert isinstance(target, typed.KubernetesTarget)
        assert (target.server, target.kubeconfig, target.namespace, target.timeout_s) == (server, None, "default", 600.0)


def test_two_targets_of_one_workload(folder: Path) -> None:
    """They would change it at once, also where each has a container of its own."""
    _, faults = loaded(folder, f"{of('kubernetes')}}}\n    u: {{{of('kubernetes', 'container: log')}")
    assert faults == [("deploy.targets.u.workload", "is what target t replaces already", "name one target in both rules")]


def test_a_program_that_everybody_may_change(folder: Path) -> None:
    """Whoever is on this machine would decide what a push runs."""
    program = folder / "deploy"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o777)
    _, faults = loaded(folder, f"type: command, program: [{program}]")
    assert faults == [("program", "deploy can be changed by everybody on this machine", f"chmod o-w {program}")]
