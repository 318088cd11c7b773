"""The configuration file: what a whole one becomes, and every fault of every key with its line, its problem and its remedy."""

import base64
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wharfinger.runtime import settings as typed
from wharfinger.runtime.configuration import Loaded, load, parse_address, parse_base_url
from wharfinger.runtime.configuration.server import CIPHERS
from wharfinger.runtime.configuration.targets.docker import parse_engine
from wharfinger.runtime.settings import Address, Secret, TlsPair
from wharfinger.runtime.yaml_nodes import MAX_FILE, Fault

HASH = "$2y$10$" + "a" * 53
SECRET = "s3cret-of-the-registry-0123456789"
WHSEC = "whsec_" + base64.b64encode(b"k" * 32).decode()
JTI_KEY = b"j" * 32
GOOD = {
    "server": 'server: {addr: ":5001"}',
    "token": "token: {issuer: wharfinger, expiration: 900, certificate: pair.crt, key: pair.key}",
    "users": f'users: {{zoe: {{password: "{HASH}"}}}}',
    "acl": "acl: []",
}
"""Each section on a line of its own."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files that configurations name."""
    made = tmp_path_factory.mktemp("configuration")
    contents = {
        "pair.crt": b"c", "pair.key": b"k", "main.secret": SECRET.encode() + b"\n", "two.secret": SECRET.encode() + b"\n" + b"o" * 20 + b"\n",
        "short.secret": b"s3cret", "empty.secret": b" \n", "open.secret": SECRET.encode(), "hook.secret": WHSEC.encode() + b"\n",
        "plain.secret": b"s3cret" * 5, "small.secret": b"whsec_" + base64.b64encode(b"s3cret"), "odd.secret": b"whsec_s3cret!", "jti.key": base64.b64encode(JTI_KEY) + b"\n",
        "two.jti": base64.b64encode(JTI_KEY) + b"\n" + base64.b64encode(b"o" * 40) + b"\n", "short.jti": base64.b64encode(b"s3cret"),
        "junk.jti": b"s3cret!", "empty.jti": b"\n", "binary.jti": b"\xff\xfe",
    }  # fmt: skip
    for name, content in contents.items():
        (made / name).write_bytes(content)
        (made / name).chmod(0o644 if name == "open.secret" else 0o600)
    return made


def read(folder: Path, text: str, environ: dict[str, str] | None = None) -> Loaded:
    """Load a configuration that stands among the files."""
    file = folder / "wharfinger.yml"
    file.write_bytes(text.encode("utf-8", "surrogateescape"))
    return load(file, data=folder, environ=environ or {})


def whole(section: str, text: str) -> str:
    """A configuration that is good but for one section, which stands at its beginning."""
    return "\n".join([text, *(good for name, good in GOOD.items() if name != section)]) + "\n"


def taken(loaded: Loaded) -> typed.Settings:
    """The settings of a file that may be started with."""
    assert loaded.settings is not None, loaded.found
    return loaded.settings


def test_the_smallest_file(folder: Path) -> None:
    """docker_auth's own sections are enough; everything else has its default below the data folder."""
    found = read(folder, whole("", ""))
    assert found.found == ()
    pair = TlsPair(folder / "pair.crt", folder / "pair.key")
    keys = (Secret(JTI_KEY),)
    assert taken(found) == typed.Settings(
        file=folder / "wharfinger.yml",
        data=folder,
        embedded=True,
        auth=typed.AuthSettings(
            typed.ServerSettings(Address("", 5001), processes=0),
            typed.TokenSettings(
                "wharfinger", 900, (typed.SigningKey("first", pair.certificate, pair.key, line=3, column=46),), keys
            ),
            (typed.User("zoe", Secret(HASH.encode()), 4, column=9),),
            (),
            "",
            folder / "journal",
        ),
        notifier=typed.NotifierSettings(Address("", 5002), (), folder / "spill", ""),
        workers=typed.WorkerSettings(
            f"sqlite:///{folder}/ledger.db",
            "",
            folder / "spill",
            keys,
            (),
            typed.DeploySettings(),
            typed.LogSettings(key=None, key_file=folder / "log.key"),
        ),
    )


WHOLE = f"""
server:
  addr: "127.0.0.1:5551"
  certificate: pair.crt
  key: pair.key
token:
  issuer: yes
  expiration: 1_000.9
  jti_key_file: two.jti
users:
  "": {{}}
  zoe: {{password: "{HASH} "}}
  gone: ~
  007: {{password: "{HASH.replace("2y", "2b")}"}}
acl:
  - match: {{account: zoe, type: repository, name: "shop/*", service: s, ip: 10.0.0.0/8}}
    actions: ["*"]
    comment: all of it
  - match: {{name: 1.10, account: ~}}
    actions: [~, 007]
  - match: {{}}
    actions: []
redis: {{url: "redis://:${{REDIS_PASSWORD}}@store:6379/0"}}
ledger: {{url: "sqlite:////var/lib/wharfinger/ledger.db"}}
notifier:
  addr: "[::1]:5552"
  sources:
    - name: main
      secret_file: two.secret
      registry: https://registry.example/hub/
      pull_host: registry.example:5000
      account: wharfinger
      password: ${{PULL_PASSWORD}}
      allow: [10.0.0.0/8, "::1", 192.0.2.7/24]
    - {{name: edge, secret: "${{EDGE_SECRET}}", registry: "http://edge:5000", silence: 12h}}
deploy:
  rules:
    - {{name: web, match: {{registry: main, repository: "shop/*", tag: "v*"}}, require: exact, targets: [prod, hook]}}
    - name: all
      match: {{registry: [main, edge], tag: "semver:^1.2", prerelease: yes, account: "ci-*", credential: [c1, static/c2], media_type: [a/b]}}
      require: inferred
      pushers: [zoe, /ci-.*/]
      forward_only: true
      cooldown: 1d
      windows: [{{}}, {{days: [fri-mon, wed], hours: "22:00-24:00", zone: Europe/Berlin}}]
      debounce: 1.5s
      approvals: 2
      approvers: [zoe, 007]
      approve_within: 12h
      four_eyes: true
      targets: [hook]
  targets:
    prod: {{type: docker, host: "tcp://127.0.0.1:2375", container: web, health_timeout: 1m30s}}
    local: {{type: docker, container: web}}
    hook: {{type: webhook, url: "https://ci.example/${{HOOK}}", secret_file: hook.secret, allow: ["127.0.0.0/8"]}}
workers: {{addr: "127.0.0.1:5554"}}
"""


def test_a_whole_file(folder: Path) -> None:
    """Every key that is built, with texts as they were written, whatever YAML would make of them."""
    environ = {"REDIS_PASSWORD": "pw", "PULL_PASSWORD": "pull-me", "EDGE_SECRET": "e" * 16, "HOOK": "abc"}
    found = read(folder, WHOLE, environ)
    assert found.found == ()
    built = taken(found)
    pair, keys = TlsPair(folder / "pair.crt", folder / "pair.key"), (Secret(JTI_KEY), Secret(b"o" * 40))
    url = "redis://:pw@store:6379/0"
    assert (built.embedded, built.auth.redis_url, built.notifier.redis_url, built.workers.redis_url) == (False, url, url, url)
    assert built.auth.server == typed.ServerSettings(
        Address("127.0.0.1", 5551), typed.TlsSettings(replace(pair, line=4, column=3)), processes=0
    )
    # docker_auth signs with the server's pair when token has none.
    assert built.auth.token == typed.TokenSettings(
        "yes", 1_000, (typed.SigningKey("first", pair.certificate, pair.key, line=4, column=3),), keys
    )
    assert [(user.name, user.password_hash) for user in built.auth.users or ()] == [
        ("", None), ("zoe", Secret(HASH.encode())), ("007", Secret(HASH.replace("2y", "2b").encode())),
    ]  # fmt: skip
    assert built.auth.acl == (
        typed.AclRule(16, "zoe", "repository", "shop/*", "s", "10.0.0.0/8", actions=("*",), comment="all of it"),
        typed.AclRule(19, name="1.10", actions=("", "007")),
        typed.AclRule(21),
    )
    assert built.workers.ledger_url == "sqlite:////var/lib/wharfinger/ledger.db"
    assert built.notifier.listen == Address("::1", 5552)
    assert built.notifier.sources == (
        typed.Source(
            "main", (Secret(SECRET.encode()), Secret(b"o" * 20)), "https://registry.example/hub", "registry.example:5000", "wharfinger",
            Secret(b"pull-me"), (ip_network("10.0.0.0/8"), ip_network("::1/128"), ip_network("192.0.2.0/24")),
        ),
        typed.Source("edge", (Secret(b"e" * 16),), "http://edge:5000", "edge:5000", "", None, silence_s=12 * 3_600),
    )  # fmt: skip
    assert built.workers.sources == built.notifier.sources
    assert built.workers.listen == Address("127.0.0.1", 5554)
    assert built.workers.jti_keys == keys
    assert built.workers.deploy == typed.DeploySettings(
        (
            typed.Rule("web", typed.Match("shop/*", "v*", ("main",)), typed.Require.EXACT, ("prod", "hook"), 38),
            typed.Rule(
                "all",
                typed.Match(
                    tag="semver:^1.2",
                    registry=("main", "edge"),
                    account=("ci-*",),
                    credential=("c1", "static/c2"),
                    media_type=("a/b",),
                    prerelease=True,
                ),
                typed.Require.INFERRED,
                ("hook",),
                39,
                pushers=("zoe", "/ci-.*/"),
                forward_only=True,
                cooldown_s=86_400.0,
                windows=(
                    typed.Window(frozenset(range(7)), 0, 1_440, ZoneInfo("UTC")),
                    typed.Window(frozenset({4, 5, 6, 0, 2}), 1_320, 1_440, ZoneInfo("Europe/Berlin")),
                ),
                debounce_s=1.5,
                approvals=typed.Approvals(2, ("zoe", "007"), 43_200.0, four_eyes=True),
            ),
        ),
        (
            typed.DockerTarget("prod", "tcp://127.0.0.1:2375", "web", 90.0, 53),
            typed.DockerTarget("local", "unix:///var/run/docker.sock", "web", 60.0, 54),
            typed.WebhookTarget(
                "hook",
                typed.Reach(url="https://ci.example/abc", allow=(ip_network("127.0.0.0/8"),)),
                (Secret(WHSEC.encode()),),
                55,
            ),
        ),
    )


def fault(line: int, key: str, problem: str, remedy: str) -> Fault:
    """A fault, as the table has it; {folder} stands for the files' folder."""
    return Fault(line, key, problem, remedy)


def warning(line: int, key: str, problem: str, remedy: str) -> Fault:
    """A warning."""
    return Fault(line, key, problem, remedy, warning=True)


OPEN = ("is missing: anybody is let in under this name", "give it a password, unless that is meant")
TWICE = ("stands twice; the last one counts, as in docker_auth", "remove the other")
NOT_BUILT = ("is known, but not built yet", "remove it; it would be ignored, and is refused instead")
TOKEN = "token:\n  issuer: w\n  expiration: {}\n  certificate: pair.crt\n  key: pair.key\n"
USER = "users:\n  zoe: {{password: {}}}\n"
NO_HASH = (
    "is no bcrypt hash ($2y$, $2a$ or $2b$), so nobody can log in as zoe",
    "make it with `htpasswd -nBC 10 NAME`, and keep what follows the colon",
)
SOURCE = "notifier:\n  sources:\n    - {{name: main, secret_file: main.secret, registry: http://r, {}}}\n"
NAMED = "notifier:\n  sources:\n    - {{name: {}, secret_file: main.secret, registry: http://r}}\n"
SECRETED = "notifier:\n  sources:\n    - {{name: main, registry: http://r, {}}}\n"
REGISTRY = 'notifier:\n  sources:\n    - {{name: main, secret_file: main.secret, registry: "{}"}}\n'
TYPES = "webhook, docker, github, gitlab, jenkins, woodpecker, drone, argocd, flux, kubernetes, swarm, command or message"
PLAIN_NAME = "choose a plain name; it stands in URLs"
TWO_SOURCES = (
    "\nnotifier:\n  sources:\n    - {name: main, secret_file: main.secret, registry: http://r}\n"
    "    - {name: edge, secret_file: two.secret, registry: http://e}\n"
)
TARGET = "deploy:\n  targets:\n    hook: {{{}}}\n"
HOOK = "deploy:\n  targets:\n    hook: {{type: webhook, secret_file: hook.secret, {}}}\n"
DOCKER = "deploy:\n  targets:\n    web: {{type: docker, container: web, {}}}\n"
ENGINE = ("is no unix:///PATH or tcp://HOST:PORT", "write unix:///var/run/docker.sock or tcp://HOST:PORT")
DEPLOY = (
    "deploy:\n  targets:\n    hook: {{type: webhook, url: https://h, secret_file: hook.secret}}\n"
    "  rules:\n    - {{name: web, targets: [hook], {}}}\n"
)
RULE = "acl:\n  - {}\n"
NO_HOST_PORT = "write HOST:PORT or :5001"
NO_URL = "is no http:// or https:// URL with a host"
ODD_URL = "holds a space or another letter that a URL must write as %20 and the like"
CREDENTIALS = "has credentials in it, which do not belong there"
AT_REGISTRY, AT_HOOK = "write http://registry:5000", "write https://HOST/PATH"
SHORT = ("holds a secret shorter than 16 characters", "use 32 random ones")
JTI = ("{}", "`wharfinger init` makes one")
NO_MAPPING = ("is not a mapping of keys to values", "indent its keys below it")
NO_FLAG = "write true or false"
UNIX = (
    "is unix, where no client has an address: rules with ip match nobody",
    "let the proxy write it, and name its header in real_ip_header",
)
SOCKET = "server:\n  net: unix\n  real_ip_header: X-Real-IP\n  real_ip_pos: -1\n  addr: {}\n"
SERVER = 'server:\n  addr: ":5001"\n  {}\n'
TLS = 'server:\n  addr: ":5001"\n  certificate: pair.crt\n  key: pair.key\n  {}\n'
LEFT = "write a negative number: the proxy next to us appends, -1 is what it saw"
CURVES = "known: P256, P384, P521, X25519"
SIGNED = TOKEN.format(900) + "  {}\n"
KEYED = "token:\n  issuer: w\n  expiration: 900\n  keys:\n    - {{id: a, certificate: pair.crt, key: pair.key}}\n    - {}\n"
NO_MOMENT = "write 2026-12-01T00:00:00Z"
TESTED = "tests:\n  - name: a\n    actions: [pull]\n    expect: []\n    {}\n"
UPSTREAM = "shadow:\n  upstream: {}\n"
WITNESSED = "ledger:\n  witnesses:\n    - name: w\n      url: https://w\n      vkey: v\n      {}\n"


def single(key: str) -> tuple[str, str]:
    """What is said of a list or mapping where one value should be."""
    return "is not a single value", f"write one text after {key}:"


def listed(key: str) -> tuple[str, str]:
    """What is said of a value where a list should be."""
    return "is not a list", f"write it as a list:  {key}: [...]"


def unknown(*known: str) -> tuple[str, str]:
    """What is said of a key that is like no other."""
    return "is not a key known here", "remove it; known here: " + ", ".join(known)


def meant(key: str) -> tuple[str, str]:
    """What is said of a key that is like another."""
    return "is not a key known here", f"did you mean {key}?"


TABLE: list[tuple[str, str, list[Fault]]] = [
    # Sections that are not there, or hold nothing.
    ("server", "", [fault(2, "server", "is missing", "add a section server:; `wharfinger init` makes a whole file")]),
    ("server", "server:", [fault(1, "server", "is missing", "add a section server:; `wharfinger init` makes a whole file")]),
    ("token", "", [fault(2, "token", "is missing", "add a section token:; `wharfinger init` makes a whole file")]),
    ("users", "", [fault(2, "users", "is missing: no way to authenticate is configured", "add users:, with '': {} for anonymous clients")]),
    ("users", "users: ~", [fault(1, "users", "is missing: no way to authenticate is configured", "add users:, with '': {} for anonymous clients")]),
    ("acl", "", [fault(2, "acl", "is missing: no access list is configured", "add acl:, an empty list [] denies everything")]),
    ("acl", "acl: null", [fault(1, "acl", "is missing: no access list is configured", "add acl:, an empty list [] denies everything")]),
    ("users", "users: {}", []),
    ("users", "users: []", [fault(1, "users", "is not a mapping of keys to values", "indent its keys below it")]),
    ("acl", "acl: {}", [fault(1, "acl", "is not a list", "write it as a list:  acl: [...]")]),
    # Keys nobody knows, keys that are not built, keys that stand twice.
    ("", "surver: {}", [warning(1, "surver", "is not a key known here", "did you mean server?")]),
    (
        "",
        "x: {}",
        [
            warning(
                1, "x", "is not a key known here",
                "remove it; known here: acl, alarms, audit, deploy, ext_auth, ext_authz, forward, issuance, ledger, log, notifier, policy, redis, server, shadow, "
                "strict, tests, token, users, workers",
            )
        ],
    ),
    *[
        ("", f"{name}: {{}}", [fault(1, name, *NOT_BUILT)])
        for name in (
            "google_auth", "github_auth", "gitlab_auth", "oidc_auth", "ldap_auth", "mongo_auth", "xorm_auth", "plugin_authn",
            "acl_mongo", "acl_xorm", "plugin_authz", "casbin_authz", "console", "federation",
        )
    ],
    ("server", 'server:\n  addr: ":5001"\n  letsencrypt: x', [fault(3, "server.letsencrypt", *NOT_BUILT)]),
    ("", "server: {}", [warning(2, "server", *TWICE)]),
    ("users", "users:\n  zoe: {}\n  zoe: {}", [
        warning(3, "users.zoe.password", *OPEN),
        warning(3, "users.zoe", *TWICE),
    ]),
    ("", "? [a]\n: b", [fault(1, "", "has a key that is not plain text", "write plain keys")]),
    # server
    ("server", "server: {}", [fault(1, "server.addr", "is missing", "add addr to server")]),
    ("server", "server: {addr: }", [fault(1, "server.addr", "is missing", "add addr to server")]),
    ("server", "server: {addr: [x]}", [fault(1, "server.addr", "is not a single value", "write one text after addr:")]),
    ("server", "server:\n  addr: 5001", [fault(2, "server.addr", "'5001' is no HOST:PORT", NO_HOST_PORT)]),
    ("server", "server:\n  addr: ':99999'", [fault(2, "server.addr", "':99999' is no HOST:PORT", NO_HOST_PORT)]),
    ("server", "server:\n  addr: ':0'", [fault(2, "server.addr", "':0' is no HOST:PORT", NO_HOST_PORT)]),
    ("server", "server:\n  addr: '::1:5001'", [fault(2, "server.addr", "'::1:5001': an IPv6 address stands in brackets", NO_HOST_PORT)]),
    ("server", "server:\n  addr: ':5001'\n  key: pair.key", [
        fault(2, "server.certificate", "is missing beside the other of the pair", "give both certificate and key, or neither"),
    ]),
    ("server", "server:\n  addr: ':5001'\n  certificate: pair.crt", [
        fault(2, "server.key", "is missing beside the other of the pair", "give both certificate and key, or neither"),
    ]),
    ("server", "server:\n  addr: ':5001'\n  certificate: no.crt\n  key: no.key", [
        fault(3, "server.certificate", "there is no file {folder}/no.crt", "correct the path, or make the pair with `wharfinger init`"),
        fault(4, "server.key", "there is no file {folder}/no.key", "correct the path, or make the pair with `wharfinger init`"),
    ]),
    # token
    ("token", "token: {certificate: pair.crt, key: pair.key}", [
        fault(1, "token.expiration", "is missing", "add expiration to token"), fault(1, "token.issuer", "is missing", "add issuer to token"),
    ]),
    ("token", "token:\n  issuer: w\n  expiration: 900", [
        fault(2, "token.certificate", "is missing: there is no pair to sign tokens with", "add certificate and key to token, or to server"),
    ]),
    ("token", TOKEN.format(900).replace("issuer: w", 'issuer: "w\\nx"'), [
        fault(2, "token.issuer", "holds what no header can carry", "write a plain name, the registry's auth.token.issuer"),
    ]),
    *[
        ("token", TOKEN.format(value), [fault(3, "token.expiration", f"'{value}' is not a whole number", "write it in digits, without a unit")])
        for value in ("15m", "0x10", "1e3", "9" * 5_000, "1." + "9" * 400, "x")
    ],
    *[
        ("token", TOKEN.format(value), [fault(3, "token.expiration", "is not above zero and below a hundred years", "write seconds, 900 is usual")])
        for value in (0, -5, 3_153_600_001, 9_999_999_999_999_999_999)
    ],
    ("token", TOKEN.format(59), [warning(3, "token.expiration", "is below the protocol's 60 s", "write 60 or more")]),
    ("token", TOKEN.format(60), []),
    ("token", TOKEN.format(86_400), []),
    ("token", TOKEN.format(86_401), [warning(3, "token.expiration", "is more than a day", "900 s is usual: clients fetch new tokens by themselves")]),
    *[
        ("token", TOKEN.format(900) + f"  jti_key_file: {file}", [fault(6, "token.jti_key_file", f"{{folder}}/{file} {problem}", "`wharfinger init` makes one")])
        for file, problem in (
            ("none.jti", "cannot be read: No such file or directory"), ("junk.jti", "cannot be read: not base64, a key a line"),
            ("binary.jti", "cannot be read: not base64, a key a line"), ("short.jti", "holds no key, or one below 32 bytes"),
            ("empty.jti", "holds no key, or one below 32 bytes"),
        )
    ],
    ("", 'redis: {url: "redis://store"}', [
        fault(3, "token.jti_key_file", "is missing, and redis.url is set", "name a file that all token services share; `wharfinger init` makes one"),
    ]),
    ("token", TOKEN.format(900) + '  jti_key_file: "a\\0b"', [fault(6, "token.jti_key_file", "holds what stands in no path", "write a plain path")]),
    ("token", TOKEN.format(900) + '  jti_key_file: "\\ud800"', [fault(6, "token.jti_key_file", "holds what stands in no path", "write a plain path")]),
    # server: how it is spoken with
    ("server", "server:\n  net: unix\n", [fault(2, "server.addr", "is missing", "add addr to server")]),
    ("server", "server:\n  addr: ':5001'\n  net: udp", [fault(3, "server.net", "'udp' is neither tcp nor unix", "write tcp, or leave it out")]),
    ("server", "server:\n  addr: /run/w.sock", [fault(2, "server.addr", "'/run/w.sock' is no HOST:PORT", NO_HOST_PORT)]),
    ("server", SOCKET.format("w.sock"), []),
    ("server", SOCKET.format('"a\\0b"'), [fault(5, "server.addr", "holds what stands in no path", "write a plain path")]),
    ("server", SOCKET.format("x" * 200), [fault(5, "server.addr", "is a path of more than 107 bytes, which no socket has", "write a shorter one")]),
    ("server", SOCKET.format("nowhere/w.sock"), [fault(5, "server.addr", "there is no folder {folder}/nowhere", "make it, or correct the path")]),
    ("server", SOCKET.format("pair.crt"), [fault(5, "server.addr", "{folder}/pair.crt is there, and is no socket", "remove it, or write another path")]),
    ("server", SOCKET.format("w.sock") + "  processes: 2", [
        warning(6, "server.processes", "is not heeded with net: unix, whose socket one process serves", "leave it out"),
    ]),
    ("server", "server:\n  net: unix\n  addr: w.sock", [warning(2, "server.net", *UNIX)]),
    *[
        ("server", SERVER.format(f"processes: {value}"), [fault(3, "server.processes", problem, remedy)])
        for value, problem, remedy in (
            (65, "65 is not 1 to 64", "leave it out for one on each core"), (-1, "-1 is not 1 to 64", "leave it out for one on each core"),
            ("many", "'many' is not a whole number", "write it in digits, without a unit"),
        )
    ],
    ("server", SERVER.format("path_prefix: tokens"), [
        fault(3, "server.path_prefix", "'tokens' does not start with /", "write /prefix, without a slash at its end"),
    ]),
    *[
        ("server", SERVER.format(f"path_prefix: '{prefix}'"), [
            fault(3, "server.path_prefix", f"'{prefix}' holds what stands in no path", "write a plain one, like /prefix"),
        ])
        for prefix in ("/a b", "/a?b", "/{name}", "/a%2fb", "/ä")
    ],
    ("server", SERVER.format("path_prefix: /tokens/"), [
        warning(3, "server.path_prefix", "ends with /, so the path is //auth", "leave the last slash out"),
    ]),
    ("server", SERVER.format("path_prefix: [x]"), [fault(3, "server.path_prefix", *single("path_prefix"))]),
    ("server", SERVER.format("path_prefix: /v1/tokens"), []),
    ("server", SERVER.format("real_ip_header: X-Real-IP\n  real_ip_pos: -1"), []),
    ("server", SERVER.format("real_ip_header: X-Real-IP"), [
        warning(3, "server.real_ip_header", "takes entry 0 from the left, which the client may have written", LEFT),
    ]),
    ("server", SERVER.format("real_ip_header: X-Real-IP\n  real_ip_pos: 1"), [
        warning(4, "server.real_ip_pos", "takes entry 1 from the left, which the client may have written", LEFT),
    ]),
    ("server", SERVER.format("real_ip_header: X-Real-IP\n  real_ip_pos: last"), [
        fault(4, "server.real_ip_pos", "'last' is not a whole number", "write it in digits, without a unit"),
    ]),
    ("server", SERVER.format("real_ip_pos: -1"), [
        warning(3, "server.real_ip_pos", "stands without real_ip_header, and means nothing", "add real_ip_header, or leave it out"),
    ]),
    *[
        ("server", SERVER.format(f"real_ip_header: '{name}'"), [
            fault(3, "server.real_ip_header", f"'{name}' is no name of a header", "write X-Forwarded-For or X-Real-IP"),
        ])
        for name in ("X Real", "X-Real-IP:", "Ä")
    ],
    ("server", SERVER.format("real_ip_header: [x]"), [fault(3, "server.real_ip_header", *single("real_ip_header"))]),
    ("server", SERVER.format("hsts: soon"), [fault(3, "server.hsts", "'soon' is neither true nor false", NO_FLAG)]),
    ("server", SERVER.format("hsts: {}"), [fault(3, "server.hsts", *single("hsts"))]),
    ("server", SERVER.format("real_ip_position: 1"), [warning(3, "server.real_ip_position", *meant("real_ip_pos"))]),
    ("server", TLS.format("tls_cipher_suite: []"), [warning(5, "server.tls_cipher_suite", *meant("tls_cipher_suites"))]),
    *[
        ("server", SERVER.format(f"{name}: {value}"), [
            warning(3, f"server.{name}", "means nothing without certificate and key: this is plain HTTP", "add them, or leave it out"),
        ])
        for name, value in (("tls_min_version", "TLS13"), ("tls_curve_preferences", "[P256]"), ("tls_cipher_suites", "[0x009c]"))
    ],
    *[("server", TLS.format(f"tls_min_version: {text}"), []) for text in ("TLS12", "TLS13", "0x0303", "0x304", "771")],
    *[
        ("server", TLS.format(f"tls_min_version: {text}"), [fault(5, "server.tls_min_version", f"'{text}' is no version", "write TLS12 or TLS13")])
        for text in ("TLS14", "tls12", "TLS1.2", "0x0305", "-1")
    ],
    *[
        ("server", TLS.format(f"tls_min_version: {text}"), [fault(5, "server.tls_min_version", "SSL 3.0 is not to be had any more", "write TLS12")])
        for text in ("SSL30", "0x0300", "768")
    ],
    *[
        ("server", TLS.format(f"tls_min_version: {text}"), [warning(5, "server.tls_min_version", "allows a TLS version that is broken", "write TLS12")])
        for text in ("TLS10", "0x0302")
    ],
    ("server", TLS.format("tls_min_version: [x]"), [fault(5, "server.tls_min_version", *single("tls_min_version"))]),
    *[("server", TLS.format(f"tls_curve_preferences: [{text}]"), []) for text in ("P256", "23", "0x17", "P256, P256")],
    *[
        ("server", TLS.format(f"tls_curve_preferences: [{text}]"), [fault(5, "server.tls_curve_preferences", f"'{text}' is not known here", CURVES)])
        for text in ("P255", "p256", "49199", "0x009c")
    ],
    ("server", TLS.format("tls_curve_preferences: P256"), [fault(5, "server.tls_curve_preferences", *listed("tls_curve_preferences"))]),
    ("server", TLS.format("tls_curve_preferences: [[x]]"), [fault(5, "server.tls_curve_preferences[0]", "is not a single value", "write plain texts")]),
    ("server", TLS.format("tls_curve_preferences: [P256, P384]"), [
        warning(
            5, "server.tls_curve_preferences", "has more than one curve; only one alone can be set here, so OpenSSL's own list is used",
            "name one curve, or leave it out",
        ),
    ]),
    *[("server", TLS.format(f"tls_cipher_suites: [{text}]"), []) for text in ("TLS_RSA_WITH_AES_128_GCM_SHA256", "156", "0x9c")],
    *[
        ("server", TLS.format(f"tls_cipher_suites: [{text}]"), [
            fault(5, "server.tls_cipher_suites", f"'{text}' is not known here", "known: " + ", ".join(CIPHERS)),
        ])
        for text in ("TLS_RSA_WITH_RC4_128_SHA", "TLS_AES_128_GCM_SHA256", "AES128-SHA", "23")
    ],
    ("server", TLS.format("tls_cipher_suites: x"), [fault(5, "server.tls_cipher_suites", *listed("tls_cipher_suites"))]),
    *[
        ("server", TLS.format(f"tls_cipher_suites: [0x9c]\n  tls_min_version: {text}"), [
            fault(5, "server.tls_cipher_suites", "TLS 1.3 ciphersuites are not configurable", "leave it out, or allow TLS12"),
        ])
        for text in ("TLS13", "0x0304", "772")
    ],
    ("server", TLS.format("").replace("pair.crt", "x" * 300), [
        fault(3, "server.certificate", "{folder}/" + "x" * 300 + " cannot be reached: File name too long", "correct the path, or make the pair with `wharfinger init`"),
    ]),
    # token: several keys, and what each registry needs
    *[
        ("token", SIGNED.format(f"algorithm: {word}"), [
            fault(
                6, "token.algorithm", f"'{word}' is none for RSA keys",
                "write one of RS256, RS384, RS512; EC and Ed25519 keys have an algorithm of their own",
            ),
        ])
        for word in ("ES256", "EdDSA", "HS256", "none", "rs256", "PS256")
    ],
    ("token", SIGNED.format("algorithm: [RS256]"), [fault(6, "token.algorithm", *single("algorithm"))]),
    ("token", SIGNED.format("algorithm: RS512"), []),
    ("token", SIGNED.format("key_id: kid"), [fault(6, "token.key_id", "'kid' is not known", "write one of libtrust, rfc7638, custom")]),
    ("token", SIGNED.format("key_id: [custom]"), [fault(6, "token.key_id", *single("key_id"))]),
    ("token", SIGNED.format("x5c: true"), [fault(6, "token.x5c", "'true' is not known", "write one of auto, never, always")]),
    ("token", SIGNED.format("x5c: {}"), [fault(6, "token.x5c", *single("x5c"))]),
    ("token", SIGNED.format("disable_legacy_key_id: maybe"), [fault(6, "token.disable_legacy_key_id", "'maybe' is neither true nor false", NO_FLAG)]),
    ("token", SIGNED.format("disable_legacy_key_id: true\n  key_id: libtrust"), [
        fault(7, "token.key_id", "is libtrust beside disable_legacy_key_id: true, which says the opposite", "keep one of the two"),
    ]),
    ("token", SIGNED.format("disable_legacy_key_id: true\n  key_id: custom"), []),
    ("token", SIGNED.format("subject: name"), [fault(6, "token.subject", "'name' is not known", "write one of account#jti, account")]),
    *[("token", SIGNED.format(f"jti_since: {text}"), [fault(6, "token.jti_since", f"'{text}' is no time", NO_MOMENT)]) for text in ("2026", "soon", "30d")],
    ("token", SIGNED.format("isuer: w"), [warning(6, "token.isuer", *meant("issuer"))]),
    ("token", SIGNED.format("services: []"), [fault(6, "token.services", *NO_MAPPING)]),
    ("token", SIGNED.format("services: {r: x}"), [fault(6, "token.services.r", *NO_MAPPING)]),
    ("token", SIGNED.format("services:\n    r: {alg: ES256}"), [fault(7, "token.services.r.alg", *unknown("key", "key_id", "x5c"))]),
    ("token", SIGNED.format("services:\n    r: {keyid: custom}"), [fault(7, "token.services.r.keyid", *meant("key_id"))]),
    ("token", SIGNED.format("services:\n    r: {key_id: sha}"), [
        fault(7, "token.services.r.key_id", "'sha' is not known", "write one of libtrust, rfc7638, custom"),
    ]),
    ("token", SIGNED.format("services:\n    r: {x5c: yes}"), [fault(7, "token.services.r.x5c", "'yes' is not known", "write one of auto, never, always")]),
    ("token", SIGNED.format("services:\n    r: {key: first, x5c: never, key_id: custom}"), []),
    *[
        ("token", KEYED.format("{id: old, certificate: pair.crt}") + f"  services:\n    r: {{key: {name}}}", [
            fault(8, "token.services.r.key", f"'{name}' is no id of a key that signs in token.keys", "name one of them, or leave it out"),
        ])
        for name in ("old", "nobody")
    ],
    ("token", SIGNED.format("keys: [{id: a, certificate: pair.crt, key: pair.key}]"), [
        fault(6, "token.keys", "stands beside certificate and key", "move that pair into keys: as one more"),
    ]),
    ("token", SIGNED.format("keys: {}"), [fault(6, "token.keys", *listed("keys"))]),
    ("token", "token:\n  issuer: w\n  expiration: 900\n  keys: []", [
        fault(2, "token.certificate", "is missing: there is no pair to sign tokens with", "add certificate and key to token, or to server"),
    ]),
    ("token", "token:\n  issuer: w\n  expiration: 900\n  keys: [{id: a, certificate: pair.crt}]", [
        fault(4, "token.keys", "none of them has a key, so nothing can be signed", "give one its key"),
    ]),
    ("token", KEYED.format("{id: b, certificate: pair.crt, key: pair.key, signs_from: 2027-01-01}"), []),
    ("token", KEYED.format("{id: old, certificate: pair.crt}"), []),
    ("token", KEYED.format("x"), [
        fault(6, "token.keys[1]", *NO_MAPPING), fault(6, "token.keys[1].certificate", "is missing", "add certificate to token.keys[1]"),
        fault(6, "token.keys[1].id", "is missing", "add id to token.keys[1]"),
    ]),
    ("token", KEYED.format("{id: b, key: pair.key}"), [fault(6, "token.keys[1].certificate", "is missing", "add certificate to token.keys[1]")]),
    ("token", KEYED.format("{id: a, certificate: pair.crt, key: pair.key}"), [fault(4, "token.keys", "a is the id of two keys", "give each its own id")]),
    ("token", KEYED.format("{id: a b, certificate: pair.crt, key: pair.key}"), [
        fault(6, "token.keys[1].id", "'a b' is not 1 to 64 letters, digits, - or _", "choose a plain name"),
    ]),
    ("token", KEYED.format("{id: b, certificate: no.crt, key: no.key}"), [
        fault(6, "token.keys[1].certificate", "there is no file {folder}/no.crt", "correct the path"),
        fault(6, "token.keys[1].key", "there is no file {folder}/no.key", "correct the path"),
    ]),
    ("token", KEYED.format("{id: b, certificate: pair.crt, key: pair.key, signs_from: 2027}"), [
        fault(6, "token.keys[1].signs_from", "'2027' is no time", NO_MOMENT),
    ]),
    ("token", KEYED.format("{id: b, certificate: pair.crt, signs_from: 2027-01-01}"), [
        fault(6, "token.keys[1].signs_from", "stands at a certificate without its key, which never signs", "add key, or leave it out"),
    ]),
    ("token", KEYED.format("{id: b, certificate: pair.crt, key: pair.key, signs_form: x}"), [fault(6, "token.keys[1].signs_form", *meant("signs_from"))]),
    # users
    *[("users", USER.format(value), [warning(2, "users.zoe.password", *NO_HASH)]) for value in (
        "s3cret", HASH[:-1], HASH + "x", "$2y$03$" + "a" * 53, "$2y$32$" + "a" * 53, "$1$abc$def", f"'{HASH}\n x'",
    )],
    ("users", USER.format("[x]"), [
        warning(2, "users.zoe.password", *OPEN),
        fault(2, "users.zoe.password", "is not a single value", "write one text after password:"),
    ]),
    ("users", "users:\n  zoe: {}", [warning(2, "users.zoe.password", *OPEN)]),
    ("users", "users:\n  '': {}", []),
    ("users", "users:\n  zoe: x", [
        fault(2, "users.zoe", "is not a mapping of keys to values", "indent its keys below it"),
        warning(2, "users.zoe.password", *OPEN),
    ]),
    # acl
    ("acl", RULE.format("{actions: [pull]}"), [fault(2, "acl[0].match", "is missing; docker_auth would crash", "add match:, with {} if it is meant for everybody")]),
    ("acl", RULE.format("{match: , actions: [pull]}"), [fault(2, "acl[0].match", "is missing; docker_auth would crash", "add match:, with {} if it is meant for everybody")]),
    ("acl", RULE.format("{match: x, actions: [pull]}"), [fault(2, "acl[0].match", "is not a mapping of keys to values", "indent its keys below it")]),
    ("acl", RULE.format("{match: {}}"), [fault(2, "acl[0].actions", "is missing; docker_auth would crash", "add actions:, [] denies")]),
    ("acl", RULE.format("{match: {}, actions: }"), [fault(2, "acl[0].actions", "is missing; docker_auth would crash", "add actions:, [] denies")]),
    ("acl", RULE.format("{match: {}, actions: pull}"), [fault(2, "acl[0].actions", "is not a list", "write it as a list:  actions: [...]")]),
    ("acl", RULE.format("{match: {}, actions: [pull, [push]]}"), [fault(2, "acl[0].actions[1]", "is not a single value", "write plain texts")]),
    ("acl", RULE.format("{match: {Account: zoe}, actions: []}"), [fault(2, "acl[0].match.Account", "is not a key known here", "did you mean account?")]),
    ("acl", RULE.format("{match: {team: x}, actions: []}"), [
        fault(2, "acl[0].match.team", "is not a key known here", "remove it; known here: account, ip, labels, name, service, type"),
    ]),
    ("acl", RULE.format("{match: {name: [x]}, actions: []}"), [fault(2, "acl[0].match.name", "is not a single value", "write one text after name:")]),
    ("acl", RULE.format("{match: {}, actions: [], also: x}"), [
        warning(2, "acl[0].also", "is not a key known here", "remove it; known here: actions, comment, match"),
    ]),
    # policy, tests, strict
    *[("", f"{name}: x", [fault(1, name, *NO_MAPPING)]) for name in ("policy", "alarms", "issuance", "log", "audit", "ledger")],
    *[
        ("", f"policy:\n  {name}: {value}", [fault(2, f"policy.{name}", *said)])
        for name in ("union", "double_star", "account_lists")
        for value, said in (("maybe", ("'maybe' is neither true nor false", NO_FLAG)), ("[true]", single(name)))
    ],
    ("", "policy:\n  unoin: true", [fault(2, "policy.unoin", *meant("union"))]),
    ("", "policy:\n  mode: union", [fault(2, "policy.mode", *unknown("account_lists", "double_star", "union"))]),
    ("", "policy: {union: yes, double_star: , account_lists: off}", []),
    ("acl", RULE.format("{match: {account: [zoe]}, actions: []}"), [
        fault(2, "acl[0].match.account", "is a list, which docker_auth does not know", "ask for it: policy: {account_lists: true}"),
    ]),
    ("", "strict: maybe", [fault(1, "strict", "'maybe' is neither true nor false", NO_FLAG)]),
    ("", "strict: true\nsurver: {}", [fault(2, "surver", *meant("server"))]),
    ("", "tests: {}", [fault(1, "tests", *listed("tests"))]),
    ("", "tests:\n  - x", [
        fault(2, "tests[0]", *NO_MAPPING),
        fault(2, "tests[0].actions", "is missing or empty: a test asks for something", "write actions: [pull]"),
        fault(2, "tests[0].expect", "is missing", "write what must be granted: expect: [pull], or [] for nothing"),
        fault(2, "tests[0].name", "is missing", "add name to tests[0]"),
    ]),
    ("", TESTED.format(""), []),
    ("", TESTED.format("acount: zoe"), [fault(5, "tests[0].acount", *meant("account"))]),
    ("", TESTED.format("labels: x"), [fault(5, "tests[0].labels", *NO_MAPPING)]),
    ("", TESTED.format("labels: {team: x}"), [fault(5, "tests[0].labels.team", *listed("team"))]),
    *[("", TESTED.format(f"{name}: [x]"), [fault(5, f"tests[0].{name}", *single(name))]) for name in ("account", "service", "type", "ip")],
    ("", TESTED.format("").replace("name: a", "name:"), [fault(2, "tests[0].name", "is missing", "add name to tests[0]")]),
    ("", TESTED.format("").replace("[pull]", "pull"), [fault(3, "tests[0].actions", *listed("actions"))]),
    ("", TESTED.format("").replace("expect: []", "expect:"), [
        fault(4, "tests[0].expect", "is missing", "write what must be granted: expect: [pull], or [] for nothing"),
    ]),
    *[
        ("", TESTED.format("").replace(old, new), [
            fault(2, "tests[0].name", f"no request can ask for it: {problem}", "write a type, name and actions that clients send"),
        ])
        for old, new, problem in (
            ("name: a", "name: a b", "its name is empty, or holds what a name cannot"),
            ("name: a", "name: " + "a" * 1_020, "a scope longer than 1024 characters"),
            ("[pull]", "[Pull]", "its actions are not words of small letters, or *"),
            ("name: a", "name: a\n    type: x-y", "not of the form type:name:actions"),
        )
    ],
    *[
        ("", TESTED.format("").replace(old, new), [
            fault(at, "tests[0].actions", "are not a list of single words", "write actions: [pull, push], and a type without brackets"),
        ])
        for at, old, new in ((3, "[pull]", '["pull,push"]'), (4, "name: a", "name: a\n    type: repository(plugin)"))
    ],
    # issuance, alarms, shadow, log, audit
    *[
        ("", f"issuance:\n  on_store_failure: {word}", [fault(2, "issuance.on_store_failure", f"'{word}' is not known", "write one of refuse, spool")])
        for word in ("spol", "Spool", "no", "503")
    ],
    ("", "issuance:\n  on_store_failure: [spool]", [fault(2, "issuance.on_store_failure", *single("on_store_failure"))]),
    ("", "issuance:\n  on_store_fail: spool", [fault(2, "issuance.on_store_fail", *meant("on_store_failure"))]),
    ("", "issuance:\n  spool: {folder: x}", [fault(2, "issuance.spool", *unknown("on_store_failure"))]),
    ("", "issuance: {on_store_failure: spool}", []),
    ("", "alarms:\n  targets: hook", [fault(2, "alarms.targets", *listed("targets"))]),
    ("", "alarms:\n  targets: [{}]", [fault(2, "alarms.targets[0]", "is not a single value", "write plain texts")]),
    ("", "alarms:\n  target: [hook]", [fault(2, "alarms.target", *meant("targets"))]),
    ("", HOOK.format("url: https://h") + "alarms: {targets: [hook]}", []),
    *[
        ("", DOCKER.format("") + f"alarms:\n  targets: [{name}]", [
            fault(5, "alarms.targets", f"there is no webhook or message '{name}' in deploy.targets", "add it there, or correct the name"),
        ])
        for name in ("web", "nobody")
    ],
    ("", "shadow: x", [fault(1, "shadow", *NO_MAPPING), fault(1, "shadow.upstream", "is missing", "add upstream to shadow")]),
    ("", "shadow: {}", [fault(1, "shadow.upstream", "is missing", "add upstream to shadow")]),
    *[
        ("", UPSTREAM.format(f"'{url}'"), [fault(2, "shadow.upstream", problem, "write http://docker_auth:5001")])
        for url, problem in (
            ("docker_auth:5001", NO_URL), ("ftp://d", NO_URL), ("http://zoe:s3cret@d", CREDENTIALS), ("http://d/auth", "has a path; paths go through as they are"),
            ("http://d?x", "has a ? or #, behind which no path can stand"), ("http://d#x", "has a ? or #, behind which no path can stand"),
        )
    ],
    ("", UPSTREAM.format("[x]"), [fault(2, "shadow.upstream", *single("upstream"))]),
    ("", UPSTREAM.format("http://d:5011"), []),
    *[
        ("", UPSTREAM.format(url) + f"  addr: {addr}", [
            fault(2, "shadow.upstream", f"is where this proxy itself listens ({addr})", "write where docker_auth listens, and another port in shadow.addr"),
        ])
        for url, addr in (("http://localhost:5011", ":5011"), ("https://127.0.0.1", ":443"), ("http://10.0.0.1:5001", "10.0.0.1:5001"), ("http://[::1]:1", ":1"))
    ],
    ("", UPSTREAM.format("http://d") + "  addr: x", [fault(3, "shadow.addr", "'x' is no HOST:PORT", "write HOST:PORT or :5011")]),
    ("", UPSTREAM.format("http://d") + "  adr: ':5011'", [fault(3, "shadow.adr", *meant("addr"))]),
    ("", "log:\n  tokens: maybe", [fault(2, "log.tokens", "'maybe' is neither true nor false", NO_FLAG)]),
    ("", "log:\n  tokens: [x]", [fault(2, "log.tokens", *single("tokens"))]),
    ("", "log:\n  token: no", [fault(2, "log.token", *meant("tokens"))]),
    *[("", f"log:\n  {name}: x", [fault(2, f"log.{name}", *unknown("tokens"))]) for name in ("key", "checkpoint_every", "witnesses")],
    ("", "audit:\n  retain: {}", [fault(2, "audit.retain", *unknown("retention"))]),
    *[
        ("", f"audit:\n  retention:\n    pushes: {text}", [fault(3, "audit.retention.pushes", problem, "write 30d or 12h")])
        for text, problem in (
            ("30", "'30' is no duration like 30s, 1h30m or 500ms"), ("0d", "is no time at all; what is not named is kept for ever"),
            ("0s", "is no time at all; what is not named is kept for ever"), ("9" * 30 + "d", "is longer than 292 years"), ("200000d", "is longer than 292 years"),
        )
    ],
    ("", "audit:\n  retention:\n    pushs: 30d", [fault(3, "audit.retention.pushs", *meant("pushes"))]),
    # redis and ledger
    ("", "redis: {}", [
        fault(1, "redis.url", "is missing", "add url to redis"),
    ]),
    *[
        ("token", f"redis:\n  url: '{url}'\n" + TOKEN.format(900) + "  jti_key_file: jti.key", [
            fault(2, "redis.url", "is not a redis://, rediss:// or unix:// URL", "write redis://HOST:6379/0"),
        ])
        for url in ("http://x", "store:6379", "redis://[::1", "redis://store:x", "")
        if url
    ],
    ("token", "redis:\n  url: 'redis://${NOBODY}'\n" + TOKEN.format(900) + "  jti_key_file: jti.key", [
        fault(2, "redis.url", "the environment has no NOBODY", "set NOBODY, or use url_file"),
    ]),
    ("", "ledger: {url: 'postgresql://x'}", []),
    *[
        ("", f"ledger: {{url: '{url}'}}", [
            fault(
                1, "ledger.url", "is no sqlite:///PATH and no postgresql:// URL",
                "write sqlite:////absolute/path or postgresql://USER@HOST/NAME, or leave it out",
            )
        ])
        for url in ("mysql://x", "sqlite://", "sqlite:///", "sqlite:///:memory:", "/var/lib/x.db")
    ],
    ("", "ledger: {path: x}", [fault(1, "ledger.path", "is not a key known here", "remove it; known here: checkpoint_every, former_vkeys, log_key_file, origin, url, witnesses")]),
    ("", "ledger: {}", []),
    ("", "ledger:\n  log_key_file: [x]", [fault(2, "ledger.log_key_file", *single("log_key_file"))]),
    ("", 'ledger:\n  log_key_file: "a\\0b"', [fault(2, "ledger.log_key_file", "holds what stands in no path", "write a plain path")]),
    ("", "ledger:\n  origin: [x]", [fault(2, "ledger.origin", *single("origin"))]),
    ("", "ledger:\n  former_vkeys: x", [fault(2, "ledger.former_vkeys", *listed("former_vkeys"))]),
    *[
        ("", f"ledger:\n  checkpoint_every: {text}", [fault(2, "ledger.checkpoint_every", problem, "write 60s")])
        for text, problem in (
            ("60", "'60' is no duration like 30s, 1h30m or 500ms"), ("1d", "'1d' is no duration like 30s, 1h30m or 500ms"), ("500ms", "is below 1 s"),
            ("0s", "is below 1 s"), ("9999999h", "is longer than 292 years"),
        )
    ],
    ("", "ledger:\n  checkpoint_every: [60s]", [fault(2, "ledger.checkpoint_every", *single("checkpoint_every"))]),
    ("", "ledger:\n  witnesses: {}", [fault(2, "ledger.witnesses", *listed("witnesses"))]),
    ("", "ledger:\n  witnesses:\n    - {}", [
        fault(3, f"ledger.witnesses[0].{name}", "is missing", f"add {name} to ledger.witnesses[0]") for name in ("name", "url", "vkey")
    ]),
    ("", WITNESSED.format(""), []),
    ("", WITNESSED.format("allow: [x]"), [fault(6, "ledger.witnesses[0].allow", "'x' is no address or CIDR block", "write 10.0.0.0/8")]),
    ("", WITNESSED.format("key: x"), [fault(6, "ledger.witnesses[0].key", *meant("vkey"))]),
    ("", WITNESSED.format("").replace("https://w", "https://w?x"), [
        fault(4, "ledger.witnesses[0].url", "has a ? or #, behind which no path can stand", "write https://witness.example/prefix"),
    ]),
    # forward
    ("", "forward: [{name: a, file: trail.jsonl}, {name: b, syslog: siem.example, format: ocsf}, {name: c, syslog: 'siem:514'}]", []),
    ("", "forward: [{name: a, syslog: '[::1]'}, {name: b, syslog: '[::1]:514'}]", []),
    ("", "forward:\n- {}", [
        fault(2, "forward[0].name", "is missing", "add name to forward[0]"),
        fault(2, "forward[0].syslog", "a forward goes to one of file and syslog", "write syslog: HOST:6514, or file: PATH"),
    ]),
    ("", "forward:\n- {name: a, file: x, syslog: y}", [
        fault(2, "forward[0].syslog", "a forward goes to one of file and syslog", "write syslog: HOST:6514, or file: PATH"),
    ]),
    ("", "forward:\n- {name: a, file: x}\n- {name: a, file: y}", [
        fault(3, "forward[1].name", "'a' is there already", "how far a forward has come is kept by its name: give it another"),
    ]),
    ("", "forward:\n- {name: 'a b', file: x}", [fault(2, "forward[0].name", "'a b' is no name", "write up to 64 letters, digits, - and _")]),
    ("", "forward:\n- {name: a, file: x, format: csv}", [fault(2, "forward[0].format", "'csv' is not known", "write one of jsonl, cloudevents, ocsf")]),
    ("", "forward:\n- {name: a, file: x, ca_file: pair.crt}", [fault(2, "forward[0].ca_file", "is for syslog; a file needs none", "leave it out")]),
    *[
        ("", f"forward:\n- {{name: a, syslog: '{text}'}}", [fault(2, "forward[0].syslog", problem, "write HOST or HOST:PORT (6514 else)")])
        for text, problem in (("siem:x", "'siem:x' is no HOST:PORT"), (":514", "':514' names no host"), ("::1", "'::1': an IPv6 address stands in brackets"))
    ],
    ("", "forward:\n- {name: a, syslog: siem, ca_file: no.crt}", [
        fault(2, "forward[0].ca_file", "there is no file {folder}/no.crt", "correct the path, or make it readable for Wharfinger"),
    ]),
    ("", "forward:\n- {name: a, syslog: siem, key: pair.key}", [
        fault(2, "forward[0].certificate", "is missing beside the other", "name both, or neither"),
    ]),
    ("", "forward:\n- {name: a, syslog: siem, certificate: pair.crt, key: no.key}", [
        fault(2, "forward[0].key", "there is no file {folder}/no.key", "correct the path, or make it readable for Wharfinger"),
    ]),
    ("", "forward:\n- {name: a, file: x, to: y}", [fault(2, "forward[0].to", "is not a key known here", "remove it; known here: ca_file, certificate, file, format, key, name, syslog")]),
    # notifier
    ("", "notifier: {addr: x}", [fault(1, "notifier.addr", "'x' is no HOST:PORT", "write HOST:PORT or :5002")]),
    ("", "notifier: {sources: {}}", [fault(1, "notifier.sources", "is not a list", "write it as a list:  sources: [...]")]),
    ("", "notifier: {source: []}", [fault(1, "notifier.source", "is not a key known here", "did you mean sources?")]),
    ("", "notifier:\n  sources:\n    - {}", [
        fault(3, "notifier.sources[0].name", "is missing", "add name to notifier.sources[0]"),
        fault(3, "notifier.sources[0].registry", "is missing", "add registry to notifier.sources[0]"),
        fault(3, "notifier.sources[0].secret_file", "is missing", "name a file that holds the secret"),
    ]),
    ("", "notifier:\n  sources:\n    - ~", [
        fault(3, "notifier.sources[0].name", "is missing", "add name to notifier.sources[0]"),
        fault(3, "notifier.sources[0].registry", "is missing", "add registry to notifier.sources[0]"),
        fault(3, "notifier.sources[0].secret_file", "is missing", "name a file that holds the secret"),
    ]),
    *[
        ("", NAMED.format(f"'{name}'"), [fault(3, "notifier.sources[0].name", f"'{name}' is not 1 to 64 letters, digits, - or _", PLAIN_NAME)])
        for name in ("", "a/b", "ä", "x" * 65, "a b")
    ],
    ("", NAMED.format("main") + "    - {name: main, secret_file: main.secret, registry: http://r}", [
        fault(at, f"notifier.sources[{at - 3}].name", "main is the name of two sources", "give each its own name") for at in (3, 4)
    ]),
    *[
        ("", REGISTRY.format(url), [fault(3, "notifier.sources[0].registry", problem, AT_REGISTRY)])
        for url, problem in (
            ("registry:5000", NO_URL), ("ftp://r", NO_URL), ("http://", NO_URL), ("http://[::1", NO_URL), ("http://r:99999", NO_URL),
            ("http://r:x", NO_URL), ("http://zoe:s3cret@r", CREDENTIALS), ("http://zoe@r", CREDENTIALS), ("http://r/a b", ODD_URL),
            ("http://r/☃", ODD_URL), ("http://r/\\u0007", ODD_URL),
        )
    ],
    ("", SOURCE.format("allow: [10.0.0.0/8, x, 1.2.3.4/33]"), [
        fault(3, "notifier.sources[0].allow", "'1.2.3.4/33' is no address or CIDR block", "write 10.0.0.0/8"),
        fault(3, "notifier.sources[0].allow", "'x' is no address or CIDR block", "write 10.0.0.0/8"),
    ]),
    ("", SOURCE.format("allow: 10.0.0.0/8"), [fault(3, "notifier.sources[0].allow", "is not a list", "write it as a list:  allow: [...]")]),
    ("", "workers: {addr: x}", [fault(1, "workers.addr", "'x' is no HOST:PORT", "write HOST:PORT or :5004")]),
    ("", SOURCE.format("silence: 30s"), [fault(3, "notifier.sources[0].silence", "is shorter than a minute, in which events may well be on their way", "write 12h or 7d, or 0s for never")]),
    ("", SOURCE.format("silence: 12"), [fault(3, "notifier.sources[0].silence", "'12' is no duration like 30s, 1h30m or 500ms", "write 12h or 7d, or 0s for never")]),
    ("", SOURCE.format("silence: 0s"), []),
    ("", SOURCE.format("passwort: x"), [fault(3, "notifier.sources[0].passwort", "is not a key known here", "did you mean password?")]),
    # Secrets
    ("", SECRETED.format("secret: s3cret-written-out"), [
        fault(
            3, "notifier.sources[0].secret", "is written out in the configuration, where too many can read it",
            'put it into a file and name that in secret_file, or write "${VARIABLE}"',
        ),
    ]),
    ("", SECRETED.format("secret: '${SECRET} and more'"), [
        fault(
            3, "notifier.sources[0].secret", "is written out in the configuration, where too many can read it",
            'put it into a file and name that in secret_file, or write "${VARIABLE}"',
        ),
    ]),
    ("", SECRETED.format("secret: '${NOBODY}'"), [fault(3, "notifier.sources[0].secret", "the environment has no NOBODY", "set NOBODY, or use secret_file")]),
    ("", SECRETED.format("secret: '${BLANK}'"), [fault(3, "notifier.sources[0].secret", "the environment has no BLANK", "set BLANK, or use secret_file")]),
    ("", SECRETED.format("secret: '${SHORT}'"), [fault(3, "notifier.sources[0].secret", *SHORT)]),
    ("", SECRETED.format("secret_file: short.secret"), [fault(3, "notifier.sources[0].secret_file", *SHORT)]),
    ("", SECRETED.format("secret: '${SECRET}', secret_file: main.secret"), [
        fault(3, "notifier.sources[0].secret", "stands beside secret_file", "keep one of the two"),
    ]),
    ("", SECRETED.format("secret_file: no.secret"), [
        fault(3, "notifier.sources[0].secret_file", "{folder}/no.secret cannot be read: No such file or directory", "make the file, or correct the path"),
    ]),
    ("", SECRETED.format("secret_file: ."), [
        fault(3, "notifier.sources[0].secret_file", "{folder} cannot be read: Is a directory", "make the file, or correct the path"),
    ]),
    ("", SECRETED.format("secret_file: empty.secret"), [fault(3, "notifier.sources[0].secret_file", "{folder}/empty.secret is empty", "put the secret into it")]),
    ("", SECRETED.format('secret_file: "a\\0b"'), [fault(3, "notifier.sources[0].secret_file", "holds what stands in no path", "write a plain path")]),
    ("", SECRETED.format("secret_file: open.secret"), [
        warning(3, "notifier.sources[0].secret_file", "{folder}/open.secret can be read by everybody on this machine", "chmod 600 {folder}/open.secret"),
    ]),
    ("", SOURCE.format("password: s3cret"), [
        fault(
            3, "notifier.sources[0].password", "is written out in the configuration, where too many can read it",
            'put it into a file and name that in password_file, or write "${VARIABLE}"',
        ),
    ]),
    # deploy, rules and targets
    ("", "deploy: {rule: []}", [fault(1, "deploy.rule", "is not a key known here", "did you mean rules?")]),
    ("", "deploy:\n  targets:\n    hook:", [fault(3, "deploy.targets.hook", "is empty", f"give it a type: {TYPES}")]),
    ("", TARGET.format(""), [fault(3, "deploy.targets.hook.type", "is missing", "add type to deploy.targets.hook")]),
    ("", TARGET.format("type: Docker"), [fault(3, "deploy.targets.hook.type", "'Docker' is no type of target", f"use {TYPES}, or install the package that adds it")]),
    ("", "deploy:\n  targets:\n    a b: {type: docker, container: web}", [fault(3, "deploy.targets.a b", "is not 1 to 64 letters, digits, - or _", "choose a plain name")]),
    ("", TARGET.format("type: webhook"), [
        fault(3, "deploy.targets.hook.secret_file", "is missing", "name a file that holds the secret"),
        fault(3, "deploy.targets.hook.url", "is missing", "add url to deploy.targets.hook"),
    ]),
    *[
        ("", HOOK.format(f"url: '{url}'"), [fault(3, "deploy.targets.hook.url", problem, AT_HOOK)])
        for url, problem in (("ci.example", NO_URL), ("https://zoe:s3cret@ci", CREDENTIALS), ("https://ci/a b", ODD_URL), ("https://ci:0x/", NO_URL))
    ],
    ("", HOOK.format("url: 'https://${NOBODY}/'"), [
        fault(3, "deploy.targets.hook.url", NO_URL, AT_HOOK),
        fault(3, "deploy.targets.hook.url", "the environment has no NOBODY", "set NOBODY, or use url_file"),
    ]),
    *[
        ("", HOOK.format("url: https://h").replace("hook.secret", file), [
            fault(3, "deploy.targets.hook.secret_file", "holds no whsec_ secret of 24 to 64 bytes in base64", "make one as docs/configuration.md shows"),
        ])
        for file in ("plain.secret", "small.secret", "odd.secret")
    ],
    ("", HOOK.format("url: 'http://h'"), [
        fault(
            3, "deploy.targets.hook.url", "is http:, which goes nowhere without a network in allow: whoever is on the way reads it",
            'write https://, or name the private network it is in: allow: ["10.0.0.0/8"]',
        ),
    ]),
    ("", HOOK.format("url: 'http://h', allow: [10.0.0.7]"), []),
    ("", HOOK.format("url: https://h, method: GET"), [fault(3, "deploy.targets.hook.method", "'GET' is not known", "write one of POST, PUT, PATCH")]),
    ("", HOOK.format("url: https://h, signature: none"), [fault(3, "deploy.targets.hook.signature", "'none' is not known", "write one of standard, github")]),
    ("", HOOK.format("url: https://h, format: xml"), [
        fault(3, "deploy.targets.hook.format", "'xml' is not known", "write one of standard, cloudevents-binary, cloudevents-structured"),
    ]),
    ("", HOOK.format("url: https://h, signature: github"), []),
    ("", HOOK.format("url: https://h, signature: github").replace("hook.secret", "short.secret"), [
        fault(3, "deploy.targets.hook.secret_file", "holds a secret of less than 16 characters", "make one with `openssl rand -hex 32`"),
    ]),
    ("", HOOK.format("url: https://h, body: '{{digest}}'"), []),
    ("", HOOK.format("url: https://h, body: '{{disgest}}'"), [
        fault(3, "deploy.targets.hook.body", "has {{disgest}}, which no push has", "write {{digest}} or another field of docs/targets.md"),
    ]),
    ("", HOOK.format("url: https://h, body: ' '"), [fault(3, "deploy.targets.hook.body", "is empty", "write what is to be sent")]),
    ("", HOOK.format("url: https://h, body: x, content_type: text"), [
        fault(3, "deploy.targets.hook.content_type", "'text' is no media type", "write application/json or text/plain"),
    ]),
    ("", HOOK.format("url: https://h, content_type: text/plain"), [
        fault(3, "deploy.targets.hook.content_type", "is without a body of its own", "give a body:, or leave it out"),
    ]),
    ("", HOOK.format("url: https://h, body: x, format: standard"), [fault(3, "deploy.targets.hook.body", "stands beside format", "keep one of the two")]),
    ("", HOOK.format("url: https://h, headers: {X-Team: shop, Authorization: 'Bearer ${SECRET}'}"), []),
    ("", HOOK.format("url: https://h, headers: {Authorization: 'Bearer s3cret'}"), [
        fault(
            3, "deploy.targets.hook.headers.Authorization", "is written out in the configuration, where too many can read it",
            'write "${VARIABLE}", and set that in the environment',
        ),
    ]),
    *[
        ("", HOOK.format(f"url: https://h, headers: {{{name}: x}}"), [
            fault(3, f"deploy.targets.hook.headers.{name}", "is a header that is written by Wharfinger itself", "remove it"),
        ])
        for name in ("Host", "webhook-id", "Ce-Id", "X-Hub-Signature-256", "Content-Type")
    ],
    ("", HOOK.format("url: https://h, headers: {'A b': x}"), [
        fault(3, "deploy.targets.hook.headers.A b", "is no name of a header", "write it as in HTTP, like X-Environment"),
    ]),
    ("", HOOK.format("url: https://h, headers: {X-A: é}"), [
        fault(3, "deploy.targets.hook.headers.X-A", "holds what stands in no header", "write plain ASCII"),
    ]),
    ("", HOOK.format("url: https://h, ca_file: no.crt"), [
        fault(3, "deploy.targets.hook.ca_file", "there is no file {folder}/no.crt", "correct the path, or make it readable for Wharfinger"),
    ]),
    ("", HOOK.format("url: https://h, certificate: pair.crt, key: pair.key"), []),
    ("", HOOK.format("url: https://h, certificate: pair.crt"), [fault(3, "deploy.targets.hook.key", "is missing beside the other", "name both, or neither")]),
    ("", HOOK.format("url: https://h, key: pair.key"), [fault(3, "deploy.targets.hook.certificate", "is missing beside the other", "name both, or neither")]),
    ("", DOCKER.format("tls: true"), [fault(3, "deploy.targets.web.tls", *NOT_BUILT)]),
    ("", DOCKER.format("host: 'unix:///run/d.sock'"), []),
    ("", DOCKER.format("host: 'tcp://[::1]:2375'"), []),
    ("", "deploy:\n  targets:\n    web: {type: docker}", [fault(3, "deploy.targets.web.container", "is missing", "add container to deploy.targets.web")]),
    *[
        ("", DOCKER.format(f"host: '{host}'"), [fault(3, "deploy.targets.web.host", *ENGINE)])
        for host in ("/var/run/docker.sock", "unix://x", "tcp://", "tcp://h", "tcp://h:99999", "tcp://u:s3cret@h:1", "http://h:1", "tcp://h:1/p", "ssh://h")
    ],
    *[
        ("", DOCKER.format(f"health_timeout: {text}"), [fault(3, "deploy.targets.web.health_timeout", problem, "write 60s")])
        for text, problem in (("60", "'60' is no duration like 30s, 1h30m or 500ms"), ("9999999h", "is longer than 292 years"))
    ],
    ("", DEPLOY.format("require: signed"), [
        fault(5, "deploy.rules[0].require", "'signed' is not known", "write one of exact, inferred, ambiguous, unattributed"),
    ]),
    *[
        ("", DEPLOY.format(f"{name}: soon"), [fault(5, f"deploy.rules[0].{name}", "'soon' is no duration like 30s, 1h30m or 500ms", remedy)])
        for name, remedy in (("cooldown", "write 10m, 2h or 1d"), ("debounce", "write 2s"))
    ],
    ("", DEPLOY.format("debounce: 61m"), [fault(5, "deploy.rules[0].debounce", "is above an hour", "write a cooldown instead")]),
    ("", DEPLOY.format("forward_only: never"), [fault(5, "deploy.rules[0].forward_only", "'never' is neither true nor false", NO_FLAG)]),
    *[
        ("", DEPLOY.format(f"{key}: []" if not below else f"{below}: {{{key}: []}}"), [
            fault(5, f"deploy.rules[0].{below}{'.' if below else ''}{key}", "is an empty list, which nothing is in", "leave it out for any"),
        ])
        for below, key in (("", "pushers"), ("match", "account"), ("match", "credential"), ("match", "media_type"), ("match", "registry"))
    ],
    ("", DEPLOY.format("match: {registry: edge}"), [
        fault(5, "deploy.rules[0].match.registry", "there is no source 'edge' in notifier.sources", "write the name of one"),
    ]),
    # A push to the least of several registries must not start what was meant for another.
    *[
        ("", DEPLOY.format(match) + TWO_SOURCES, [
            fault(5, "deploy.rules[0].match", "names no registry, and there are 2: a push to any of them would start it", "add registry: [main, edge], or only those that are meant"),
        ])
        for match in ("", "match: {repository: a}")
    ],
    ("", DEPLOY.format("match: {registry: [edge, main]}") + TWO_SOURCES, []),
    *[
        ("", DEPLOY.format(f"match: {{{match}}}"), [
            fault(5, "deploy.rules[0].match.prerelease", "is for a range of versions", "write tag: 'semver:…', or leave it out"),
        ])
        for match in ("prerelease: true", "prerelease: false, tag: 1.*")
    ],
    ("", DEPLOY.format("match: {tag: 'semver:^1', prerelease: true}"), []),
    ("", DEPLOY.format("windows: [{days: [mon, Tue, fri-son]}]"), [
        fault(5, "deploy.rules[0].windows[0].days", f"'{text}' is no day", "write mon, or mon-fri") for text in ("Tue", "fri-son")
    ]),
    *[
        ("", DEPLOY.format(f"windows: [{{hours: '{text}'}}]"), [
            fault(5, "deploy.rules[0].windows[0].hours", f"'{text}' {problem}", 'write "09:00-17:00", in quotes'),
        ])
        for text, problem in (
            ("9-17", "is no time of the day from which to which"), ("09:00-25:00", "is no time of the day from which to which"),
            ("09:00-09:00", "ends when it begins"), ("24:00-01:00", "is no time of the day from which to which"),
        )
    ],
    *[
        ("", DEPLOY.format(f"windows: [{{zone: '{text}'}}]"), [
            fault(5, "deploy.rules[0].windows[0].zone", f"'{text}' is no time zone that this machine knows", "write UTC, or a place as in Europe/Berlin"),
        ])
        for text in ("Mars/Olympus", "../etc/passwd", "Europe", "")
    ],
    ("", DEPLOY.format("windows: [{dais: mon}]"), [fault(5, "deploy.rules[0].windows[0].dais", *meant("days"))]),
    ("", DEPLOY.format("window: {}"), [fault(5, "deploy.rules[0].window", *meant("windows"))]),
    ("", DEPLOY.format("approvals: some"), [fault(5, "deploy.rules[0].approvals", "'some' is not a whole number", "write it in digits, without a unit")]),
    ("", DEPLOY.format("approvals: -1"), [fault(5, "deploy.rules[0].approvals", "is below 0", "write how many must approve")]),
    ("", DEPLOY.format("approvals: 0"), []),
    ("", DEPLOY.format("approvals: 1, approvers: zoe"), []),
    *[
        ("", DEPLOY.format(f"{more}{key}: {value}"), [
            fault(5, f"deploy.rules[0].{key}", "is for approvals, and none are asked for", "write approvals: 1, or leave it out"),
        ])
        for more, key, value in (("", "approvers", "[zoe]"), ("approvals: 0, ", "approve_within", "1h"), ("", "four_eyes", "true"))
    ],
    ("", DEPLOY.format("approvals: 1"), [fault(5, "deploy.rules[0].approvers", "are 0, but 1 must approve", "name more of them, or ask for fewer")]),
    ("", DEPLOY.format("approvals: 2, approvers: [zoe, zoe]"), [fault(5, "deploy.rules[0].approvers", "are 1, but 2 must approve", "name more of them, or ask for fewer")]),
    *[
        ("users", DEPLOY.format(f"approvals: 1, approvers: ['{name}']") + f"users:\n  zoe: {{password: {HASH}}}\n  yan: {{}}\n  '': {{}}\n", [
            fault(5, "deploy.rules[0].approvers", f"there is no user '{name}' with a password in users", "who approves must prove who it is"),
            warning(8, "users.yan.password", *OPEN),
        ])
        for name in ("kim", "yan", "")
    ],
    ("", DEPLOY.format("approvals: 1, approvers: zoe, approve_within: 0s"), [fault(5, "deploy.rules[0].approve_within", "is no time at all", "write 10m, 2h or 1d")]),
    ("", DEPLOY.format("match: {tags: x}"), [fault(5, "deploy.rules[0].match.tags", "is not a key known here", "did you mean tag?")]),
    ("", "deploy:\n  rules:\n    - {}", [
        fault(3, "deploy.rules[0].name", "is missing", "add name to deploy.rules[0]"),
        fault(3, "deploy.rules[0].targets", "is missing or empty", "name the targets to deploy to"),
    ]),
    ("", "deploy:\n  rules:\n    - {name: web, targets: [nobody]}", [
        fault(3, "deploy.rules[0].targets", "there is no target 'nobody' in deploy.targets", "add it there, or correct the name"),
    ]),
    ("", DEPLOY.format("") + "    - {name: web, targets: [hook]}", [
        fault(at, f"deploy.rules[{at - 5}].name", "web is the name of two rules", "give each its own name") for at in (5, 6)
    ]),
]  # fmt: skip
ENVIRON = {"SECRET": SECRET, "SHORT": "s3cret", "BLANK": "  "}


@pytest.mark.parametrize(("section", "text", "expected"), TABLE, ids=lambda value: value if isinstance(value, str) else "")
def test_faults(folder: Path, section: str, text: str, expected: list[Fault]) -> None:
    """Each by itself: where it stands, what is wrong, what to do, and nothing else; no secret is ever in one."""
    found = read(folder, whole(section, text), ENVIRON)
    named = [replace(one, problem=_in(folder, one.problem), remedy=_in(folder, one.remedy)) for one in expected]
    assert [replace(one, column=0) for one in found.found] == sorted(named)
    assert (found.settings is None) is any(not one.warning for one in expected)
    assert "s3cret" not in repr(found.found)


def _in(folder: Path, text: str) -> str:
    return text.replace("{folder}", str(folder))


GONE = fault(
    3, "token.jti_key_file", "there is no {folder}/jti.key",
    "restore it: by a new one, which `wharfinger init {folder}` makes, older ids count as forged",
)  # fmt: skip


@pytest.mark.parametrize(
    ("there", "started", "expected"),
    [("", True, [GONE]), ("", False, []), ("store", False, [GONE]), ("ledger.db", False, [GONE])],
)
def test_the_key_of_token_ids(tmp_path: Path, there: str, *, started: bool, expected: list[Fault]) -> None:
    """It may be missing before the first start, but not where something was started: then it was lost."""
    for name in ("pair.crt", "pair.key", there):
        if name:
            (tmp_path / name).touch()
    (tmp_path / "wharfinger.yml").write_text(whole("", ""))
    found = load(tmp_path / "wharfinger.yml", data=tmp_path, environ={}, started=started)
    named = [replace(one, problem=_in(tmp_path, one.problem), remedy=_in(tmp_path, one.remedy)) for one in expected]
    assert [replace(one, column=0) for one in found.found] == named
    assert expected or taken(found).auth.token.jti_keys == ()


def test_all_at_once(folder: Path) -> None:
    """Everything that is wrong is told in one go, in the file's order."""
    text = """
server: {addr: x}
token: {issuer: w, expiration: 0}
users: {zoe: {password: x}}
acl: [{}]
what: ever
deploy:
  targets:
    hook:
"""
    found = read(folder, text.lstrip())
    assert [(one.line, one.key) for one in found.faults()] == [
        (1, "server.addr"), (2, "token.certificate"), (2, "token.expiration"), (4, "acl[0].actions"),
        (4, "acl[0].match"), (8, "deploy.targets.hook"),
    ]  # fmt: skip
    assert found.settings is None


@pytest.mark.parametrize(
    ("text", "line", "problem", "remedy"),
    [
        ("", 0, "is empty", "start from what `wharfinger init` makes"),
        ("# nothing\n", 0, "is empty", "start from what `wharfinger init` makes"),
        ("a: [1", 1, "is not YAML: expected ',' or ']', but got '<stream end>'", "correct the syntax"),
        ("a: 1\nb: 'x", 2, "is not YAML: found unexpected end of stream", "correct the syntax"),
        ("a: 1\n---\nb: 1", 2, "is not YAML: but found another document", "correct the syntax"),
        ("a: s3cret: x", 1, "is not YAML: mapping values are not allowed here", "correct the syntax"),
        ("a: *s3cret", 1, "is not YAML: found undefined alias", "correct the syntax"),
        ("a: !s3cret!x y", 1, "is not YAML: found undefined tag handle", "correct the syntax"),
        ("a: &s3cret 1\nb: &s3cret 2", 2, "is not YAML: second occurrence", "correct the syntax"),
        ("a: \x07", 0, "is not YAML: ReaderError", "correct the syntax"),
        ("[" * 600, 0, "is not YAML: RecursionError", "correct the syntax"),
        ("a: \udcff", 0, "is not UTF-8", "save it as UTF-8"),
        ("#" * (MAX_FILE + 1), 0, f"is larger than {MAX_FILE} bytes", "this is not a configuration file"),
    ],
    ids=lambda value: value[:12] if isinstance(value, str) else "",
)
def test_what_is_no_configuration(folder: Path, text: str, line: int, problem: str, remedy: str) -> None:
    """One fault, without anything that stands in the file; with a place where there is one."""
    found = read(folder, text)
    assert (found.settings, len(found.found)) == (None, 1)
    assert replace(found.found[0], column=0) == Fault(line, "", problem, remedy)
    assert (found.found[0].column > 0) is (line > 0)


@pytest.mark.parametrize("text", ["[]", "x", "1", "- a\n- b"])
def test_a_file_of_another_shape(folder: Path, text: str) -> None:
    """It is said once that it is no mapping, beside what is missing."""
    found = read(folder, text)
    assert fault(1, "", "is not a mapping of keys to values", "indent its keys below it") in found.found
    assert {one.key for one in found.found} == {"", "server", "token", "users", "acl"}


@pytest.mark.parametrize(("name", "why"), [("none.yml", "No such file or directory"), (".", "Is a directory")])
def test_a_file_that_cannot_be_read(folder: Path, name: str, why: str) -> None:
    """It is said how to get one."""
    found = load(folder / name, data=folder, environ={})
    assert found.found == (
        fault(0, "", f"cannot be read: {why}", "give the right file with -c, or make one with `wharfinger init`"),
    )


def test_tags_make_no_objects(folder: Path) -> None:
    """YAML could ask for any; here its tags are nothing."""
    found = read(folder, whole("users", 'users: {zoe: !!python/object/apply:os.system ["touch s3cret"]}'))
    assert [one.key for one in found.faults()] == ["users.zoe"]


def test_an_alias_to_itself(folder: Path) -> None:
    """No end is looked for in it."""
    found = read(folder, whole("acl", "acl: &all [*all]"))
    assert found.settings is None


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150, deadline=None)
@given(st.text(alphabet=st.sampled_from("abz:{}[]-,\"'\n #&*!|>%@`~?\\0.x"), max_size=60))
def test_no_text_raises(folder: Path, text: str) -> None:
    """Whatever is written into a file, it is settings or faults."""
    found = read(folder, whole("users", "users: {}") + text)
    assert (found.settings is None) is bool(found.faults())


_KEYS = [
    "server", "token", "users", "acl", "redis", "ledger", "notifier", "deploy", "addr", "issuer", "expiration", "certificate", "key", "url",
    "sources", "rules", "targets", "name", "match", "actions", "secret", "secret_file", "password", "allow", "registry", "type", "container",
    "host", "health_timeout", "jti_key_file", "tag", "require", "windows", "days", "hours", "zone", "approvals", "approvers", "pushers", "account",
]  # fmt: skip
_VALUES = st.recursive(
    st.sampled_from(
        ["x", "5", "", "~", ":1", "http://h", "[::1", "redis://[", "\ud800", "a\x00b", "9" * 30, "${X}", "1h", "pair.crt"]
    ),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(_KEYS), inner, max_size=4),
    max_leaves=8,
)


def _yaml(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_yaml(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_yaml, value)) + "]"
    escaped = "".join(letter if letter.isprintable() and letter != '"' else f"\\u{ord(letter):04x}" for letter in str(value))
    return f'"{escaped}"'


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=150, deadline=None)
@given(st.dictionaries(st.sampled_from(_KEYS[:8]), _VALUES, max_size=8))
def test_no_values_raise(folder: Path, sections: dict[str, object]) -> None:
    """Any value may stand where another should."""
    found = read(folder, "\n".join(f"{name}: {_yaml(value)}" for name, value in sections.items()))
    assert (found.settings is None) is bool(found.faults())


@pytest.mark.parametrize(
    ("text", "address"),
    [
        (":5001", Address("", 5001)),
        ("127.0.0.1:1", Address("127.0.0.1", 1)),
        ("localhost:65535", Address("localhost", 65_535)),
        ("[::1]:5001", Address("::1", 5001)),
        ("[::]:5001", Address("::", 5001)),
    ],
)
def test_addresses(text: str, address: Address) -> None:
    """Each form of host and port."""
    assert parse_address(text) == address


@pytest.mark.parametrize("text", ["", ":", "x", "x:", "x:-1", "x:65536", "x:²", "x: 1", "::1", "a:b:1"])
def test_what_is_no_address(text: str) -> None:
    """It is told."""
    with pytest.raises(ValueError, match=r"HOST:PORT|brackets"):
        parse_address(text)


@given(st.text())
def test_parsers_raise_nothing_else(text: str) -> None:
    """Whatever they are given."""
    for parse in (parse_address, parse_base_url, parse_engine):
        try:
            parse(text)
        except ValueError:
            continue


def test_urls_lose_their_last_slash() -> None:
    """Paths are put behind them."""
    assert parse_base_url("http://r:5000/hub//") == "http://r:5000/hub"
