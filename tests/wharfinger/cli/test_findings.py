"""What ``check`` finds beyond the reading: in the access list, by the policy tests, in the keys; and what strict makes of it."""

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.wharfinger.cli.files import HASH, HEAD, certificate, check, found, key, parsed, run, written
from wharfinger.cli import generate
from wharfinger.cli.loading import Place, read

SEED = Path(__file__).parents[2] / "samples/docker_auth/seed.yml"
USERS = f'users: {{hussein: {{password: "{HASH}"}}, ann: {{password: "{HASH}", labels: {{team: [web]}}}}}}\n'
SOUND = USERS + "acl:\n  - match: {account: /.+/}\n    actions: [pull]\n"
SOURCE = "notifier: {sources: [{name: main, secret_file: main.secret, registry: 'http://127.0.0.1:5000'}]}\n"
DEPLOY = "deploy:\n  rules: [{name: web, targets: [prod]}]\n  targets: {prod: {type: docker, container: web}}\n"


def private(file: Path, content: bytes) -> None:
    """Write a file that is its owner's alone."""
    file.write_bytes(content)
    file.chmod(0o600)


def test_nothing(tmp_path: Path) -> None:
    """A file with nothing to say of: exit code 0."""
    result = check(written(tmp_path, SOUND))
    assert (result.exit_code, result.stdout) == (0, f"{tmp_path}/wharfinger.yml: 0 faults, 0 warnings.\n")


def test_the_file_from_use(tmp_path: Path) -> None:
    """It loads, and is told why hussein can only pull, and what was probably meant."""
    written(tmp_path, "")
    for name in ("key", "crt"):
        shutil.copy(tmp_path / f"token.{name}", tmp_path / f"server.{name}")
    file = tmp_path / "seed.yml"
    shutil.copy(SEED, file)
    result = check(file)
    assert result.exit_code == 1
    hussien, test, total = result.stdout.splitlines()
    assert hussien == (
        f"{file}:23:13: warning: acl[1].match.account (rule 2) 'hussien' is no user of this file, so the rule gives nobody anything, "
        "and hussein on repository:ubuntu is left to rule 4 (line 29), which allows pull. Did you mean hussein?"
    )
    assert test == (
        f"{file}:26:13: warning: acl[2].match.account (rule 3) 'test' is no user of this file, so the rule gives nobody anything. "
        "Correct it, or add the user."
    )
    assert total == f"{file}: 0 faults, 2 warnings."


SEED_ANSWERS = [
    ("admin", "ubuntu", "delete,pull,push", ["delete", "pull", "push"], 1),
    ("hussein", "ubuntu", "pull,push", ["pull"], 4),
    ("hussein", "ubuntu", "push", [], 4),
    ("hussein", "fedora", "pull,push", ["pull"], 4),
    ("", "hello-world", "pull,push", ["pull"], 5),
    ("", "ubuntu", "pull", [], None),
    # What was meant for hussein is given to a name that nobody has.
    ("hussien", "ubuntu", "pull,push", ["pull", "push"], 2),
    ("test", "ubuntu", "pull,push", ["pull"], 3),
]


@pytest.mark.parametrize(("account", "name", "actions", "granted", "rule"), SEED_ANSWERS)
def test_what_the_file_from_use_gives(account: str, name: str, actions: str, granted: list[str], rule: int | None) -> None:
    """Unchanged, and without its keys: admin everything, hussein pull only, the anonymous client hello-world."""
    result = run("explain", "-c", SEED, "--account", account, "--name", name, "--actions", actions, "--json")
    found = parsed(result)
    assert (found["granted"], found["rule"] and found["rule"]["index"]) == (granted, rule)
    assert result.exit_code == (0 if granted else 1)


def test_what_the_file_from_use_would_give(tmp_path: Path) -> None:
    """With the name put right, hussein gains what was meant, and only that one."""
    file = tmp_path / "right.yml"
    file.write_text(SEED.read_text().replace("hussien", "hussein"))
    result = check(file, "--against", SEED)
    assert result.exit_code == 1
    gained, lost = result.stdout.splitlines()[:2]
    assert gained == "'hussein' gains *, delete, push by rule 4 (line 29) before, rule 2 (line 23) now: repository:ubuntu"
    assert lost.startswith("'hussien' (no user of either file) loses *, delete, push ")


BOTH = f'users: {{hussein: {{password: "{HASH}"}}, ann: {{password: "{HASH}", labels: {{team: ["*"]}}}}}}\n'
EVERYBODY = "  - match: {account: '/^.+$/'}\n    actions: [pull]\n"


def ruled(match: str, after: str = EVERYBODY) -> str:
    """A rule before the one for everybody."""
    return f"{BOTH}acl:\n  - match: {match}\n    actions: [pull]\n{after}"


TRAPS: dict[str, tuple[str, int, str, str]] = {
    "an unknown key": (f"servr: x\n{ruled('{account: ann}')}", 3, "servr", "did you mean server?"),
    "a glob that can never match": (ruled("{account: ann, name: '[bat'}"), 5, "acl[0].match.name", "correct the pattern"),
    "a rule that is shadowed": (ruled("{account: '/^.+$/'}"), 7, "acl[1].match", "move it above that one"),
    "an account that no user has": (ruled("{account: hussien}"), 5, "acl[0].match.account", "did you mean hussein?"),
    "a user whom no rule lets in": (ruled("{account: ann}", ""), 3, "users.hussein", "add a rule, or remove the user"),
    "a star that stops at slashes": (ruled("{account: ann, name: '*'}"), 5, "acl[0].match.name", "leave name out"),
    "an account that is searched for anywhere": (ruled("{account: /ann/}"), 5, "acl[0].match.account", "write /^"),
    "a label that acts as a pattern": (ruled("{account: ann, name: '${labels:team}/*'}"), 5, "acl[0].match.name", "leave it if that is meant"),
    "a capture group that can": (
        ruled("{account: '/^([a-z*]+)@ci$/', name: '${account:1}/*'}").replace("users:", "ext_auth: {command: /bin/true}\nusers:"),
        6, "acl[0].match.name", "capture only what is none",
    ),
    "a password that is no bcrypt": (ruled("{account: ann}").replace(HASH, "plain", 1), 3, "users.hussein.password", "make it with"),
    "a cheap one": (ruled("{account: ann}").replace("$10$", "$09$", 1), 3, "users.hussein.password", "make it with"),
    "an empty one": (ruled("{account: ann}").replace(HASH, "", 1), 3, "users.hussein.password", "make it with"),
    "none": (ruled("{account: ann}").replace(f'password: "{HASH}"', "", 1), 3, "users.hussein.password", "give it a password"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "line", "key", "remedy"), TRAPS.values(), ids=TRAPS)
def test_each_trap(tmp_path: Path, text: str, line: int, key: str, remedy: str) -> None:
    """One warning, with line, column and what to do: exit code 1. With strict it is a fault: exit code 2."""
    file = written(tmp_path, text)
    (fault,) = found(file)
    assert (fault["line"], fault["column"] > 0, fault["key"], fault["warning"]) == (line, True, key, True)
    assert remedy in fault["remedy"]
    assert check(file).exit_code == 1
    strict = written(tmp_path, f"{text}strict: true\n")
    assert [(one["key"], one["warning"]) for one in found(strict)] == [(key, False)]
    assert check(strict).exit_code == 2


def test_a_condition_that_nobody_knows(tmp_path: Path) -> None:
    """It would match everybody: a fault without being asked for."""
    (fault,) = found(written(tmp_path, ruled("{acount: ann}")))
    assert (fault["line"], fault["key"], fault["remedy"], fault["warning"]) == (
        5,
        "acl[0].match.acount",
        "did you mean account?",
        False,
    )


def test_places(tmp_path: Path) -> None:
    """Line and column of the condition, the actions, or the user."""
    text = USERS + "acl:\n  - match:\n      account: hussein\n      name: '[bat'\n    actions: [Pull]\n"
    assert [(one["line"], one["column"], one["key"], one["warning"]) for one in found(written(tmp_path, text))] == [
        (3, 34 + len(HASH), "users.ann", True),
        (7, 7, "acl[0].match.name", True),
        (8, 5, "acl[0].actions", True),
    ]


def test_strict_makes_them_faults(tmp_path: Path) -> None:
    """Then nothing starts, and a file that is read anew is kept away."""
    text = USERS + "acl:\n  - match: {account: /^hus/}\n    actions: [pull]\n  - match: {}\n    actions: [pull]\n"
    file = written(tmp_path, text)
    assert check(file).exit_code == 1
    assert read(Place(file, tmp_path)).settings is not None
    strict = written(tmp_path, f"strict: true\n{text}", name="strict.yml")
    assert check(strict).exit_code == 2
    loaded = read(Place(strict, tmp_path))
    assert loaded.settings is None
    assert [fault.key for fault in loaded.faults()] == ["acl[0].match.account"]


def test_rules_are_looked_at_whatever_else_is_wrong(tmp_path: Path) -> None:
    """All faults at once: of the reading and of the list."""
    text = USERS + "acl:\n  - match: {name: /(/}\n    actions: [pull]\nnotifier: {sources: [{name: main}]}\n"
    keys = [one["key"] for one in found(written(tmp_path, text))]
    assert "acl[0].match.name" in keys
    assert "notifier.sources[0].registry" in keys


def test_other_back_ends_are_heeded(tmp_path: Path) -> None:
    """With another way to authenticate, no account is unknown; with another authorizer, no user is shut out."""
    acl = "acl:\n  - match: {account: yan}\n    actions: [pull]\n"
    plain = [one["key"] for one in found(written(tmp_path, USERS + acl))]
    assert plain == ["users.ann", "users.hussein", "acl[0].match.account"]
    others = "ext_auth: {command: /bin/true}\next_authz: {command: /bin/true}\n"
    assert found(written(tmp_path, USERS + acl + others)) == []
    assert found(written(tmp_path, "ext_auth: {command: /bin/true}\next_authz: {command: /bin/true}\n")) == []


TESTS = """\
tests:
  - {account: hussein, name: ubuntu, actions: [pull, push], expect: [pull]}
  - {account: hussein, name: ubuntu, actions: [pull, push], expect: [pull, push]}
  - {account: ann, name: web/app, actions: [push], expect: [push]}
  - {account: ann, name: web/app, actions: [push], labels: {team: [ops]}, expect: [push]}
  - {name: ubuntu, actions: [pull], expect: []}
"""


def test_policy_tests(tmp_path: Path) -> None:
    """Each that fails is a fault with its place, what was granted, what was expected, and why; a user's labels are its own."""
    acl = (
        "acl:\n  - match: {account: /.+/, name: '${labels:team}/*'}\n    actions: [push, pull]\n"
        "  - match: {account: /.+/}\n    actions: [pull]\n"
    )
    file = written(tmp_path, USERS + acl + TESTS)
    faults = found(file)
    assert [(one["line"], one["column"], one["key"], one["warning"]) for one in faults] == [
        (11, 5, "tests[1]", False),
        (13, 5, "tests[3]", False),
    ]
    assert faults[0]["problem"] == (
        "fails: hussein on repository:ubuntu is granted pull, expected is pull, push, "
        "since rule 2 (line 7) matches by account and allows pull; asked was pull, push"
    )
    assert check(file).exit_code == 2
    assert read(Place(file, tmp_path)).settings is None


def test_policy_tests_without_a_list(tmp_path: Path) -> None:
    """Where only a program decides, the list grants nothing."""
    text = USERS + "ext_authz: {command: /bin/true}\ntests: [{account: ann, name: a, actions: [pull], expect: [pull]}]\n"
    assert [one["key"] for one in found(written(tmp_path, text))] == ["tests[0]"]


def test_options_reach_the_list(tmp_path: Path) -> None:
    """What is asked for in policy holds for lint and tests alike."""
    text = (
        "policy: {union: true, double_star: true, account_lists: true}\n" + USERS + "acl:\n"
        "  - match: {account: [hussein, ann], name: 'team/**'}\n    actions: [pull]\n"
        "  - match: {account: ann}\n    actions: [push]\n"
        "tests:\n  - {account: ann, name: team/a/b, actions: [pull, push], expect: [pull, push]}\n"
    )
    assert found(written(tmp_path, text)) == []


def test_a_slip_that_would_leave_a_section_out(tmp_path: Path) -> None:
    """`notifer` is nobody's key: without it no push would be heard of, so it is a fault and no warning."""
    named(tmp_path)
    (slip,) = found(written(tmp_path, SOUND + SOURCE.replace("notifier", "notifer")))
    assert (slip["key"], slip["remedy"], slip["warning"]) == ("notifer", "did you mean notifier?", False)


@pytest.mark.parametrize(("sources", "keys"), [("", ["deploy.rules"]), ("notifier: {}\n", ["deploy.rules"]), (SOURCE, [])])
def test_rules_without_a_source(tmp_path: Path, sources: str, keys: list[str]) -> None:
    """Rules of deployment that no push can come to: no registry is heard."""
    named(tmp_path)
    file = written(tmp_path, SOUND + sources + DEPLOY)
    assert [(one["key"], one["line"], one["warning"]) for one in found(file)] == [
        (key, 3 + (SOUND + sources).count("\n") + 1, False) for key in keys
    ]


@pytest.mark.parametrize(
    ("remedy", "url", "allow"),
    [
        ('allow: ["127.0.0.1/32"]', "https://127.0.0.1:5004/hook", "[]"),
        ('allow: ["127.0.0.1/32"]', "http://localhost:5004/hook", "[10.0.0.0/8]"),
        ('allow: ["fc00::1/128"]', "https://[fc00::1]/hook", "[]"),
        ("", "http://127.0.0.1:5004/hook", "[127.0.0.0/8]"),
        ("", "https://8.8.8.8/hook", "[]"),
        ("", "https://ci.example/hook", "[]"),
    ],
)
def test_webhooks_that_are_never_sent(tmp_path: Path, remedy: str, url: str, allow: str) -> None:
    """The first push would be lost on them; the same of a witness."""
    named(tmp_path)
    (tmp_path / "hook.secret").write_bytes(generate.new_webhook_secret())
    (tmp_path / "hook.secret").chmod(0o600)
    target = f"{{type: webhook, url: '{url}', secret_file: hook.secret, allow: {allow}}}"
    text = f"{SOUND}{SOURCE}deploy:\n  targets:\n    hook: {target}\n"
    told = found(written(tmp_path, text))
    assert [(one["key"], one["warning"], one["line"]) for one in told] == [("deploy.targets.hook.url", True, 10)][
        : bool(remedy)
    ]
    assert all(remedy in one["remedy"] for one in told)


@pytest.mark.parametrize(("key", "given"), [("secret", 'secret: "${WRONG}"'), ("secret_file", "secret_file: wrong.secret")])
def test_a_secret_is_told_of_where_it_was_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str, given: str) -> None:
    """By the key that stands in the file."""
    monkeypatch.setenv("WRONG", "short")
    (tmp_path / "wrong.secret").write_text("short")
    (tmp_path / "wrong.secret").chmod(0o600)
    source = SOURCE.replace("secret_file: main.secret", given)
    target = f"deploy:\n  targets: {{hook: {{type: webhook, url: 'https://ci.example', {given}}}}}\n"
    told = [one["key"] for one in found(written(tmp_path, SOUND + source + target))]
    assert told == [f"notifier.sources[0].{key}", f"deploy.targets.hook.{key}"]


def test_one_target_that_is_no_list(tmp_path: Path) -> None:
    """It is there, so only that is said."""
    named(tmp_path)
    text = SOUND + SOURCE + DEPLOY.replace("[prod]", "prod")
    told = [(one["key"], one["problem"]) for one in found(written(tmp_path, text))]
    assert told == [("deploy.rules[0].targets", "is not a list")]


def named(folder: Path) -> None:
    """The secret that a source names."""
    (folder / "main.secret").write_text("s" * 32)
    (folder / "main.secret").chmod(0o600)


@pytest.mark.parametrize("name", ["repository", "tag"])
def test_globs_of_deployments(tmp_path: Path, name: str) -> None:
    """One that is none is a fault."""
    deploy = f"{SOURCE}deploy:\n  rules: [{{name: web, match: {{{name}: '[a'}}, targets: [prod]}}]\n  targets: {{prod: {{type: docker, container: web}}}}\n"
    named(tmp_path)
    (fault,) = found(written(tmp_path, SOUND + deploy))
    assert (fault["key"], fault["warning"]) == (f"deploy.rules web: match.{name}", False)


@pytest.mark.parametrize(
    ("rule", "key", "problem"),
    [
        ("match: {tag: 'semver:^1.x.y'}", "match.tag", "'^1.x.y' is no version, nor ^, ~, >=, >, <=, < or = before one"),
        ("match: {repository: '/team/(/'}", "match.repository", "'/team/(/' is no regular expression: missing ): team/("),
        ("match: {account: [ok, '[a']}", "match.account", "'[a' is no glob: a class, opened by [, is not closed"),
        ("pushers: ['[a']", "pushers", "'[a' is no glob: a class, opened by [, is not closed"),
    ],
)
def test_patterns_of_deployments(tmp_path: Path, rule: str, key: str, problem: str) -> None:
    """One that is none is a fault, with what is wrong in it."""
    deploy = f"{SOURCE}deploy:\n  rules: [{{name: web, {rule}, targets: [prod]}}]\n  targets: {{prod: {{type: docker, container: web}}}}\n"
    named(tmp_path)
    (fault,) = found(written(tmp_path, SOUND + deploy))
    assert (fault["key"], fault["problem"], fault["warning"]) == (f"deploy.rules web: {key}", problem, False)


KEY_ENDS: list[tuple[float, str]] = [
    (-1, "may fail registries: the certificate of key first has expired: tokens no longer carry it (x5c)"),
    (10.5, "may fail registries: the certificate of key first ends in 10 days: give registries a new one in time"),
]


@pytest.mark.parametrize(("days", "problem"), KEY_ENDS)
def test_certificates_that_end(tmp_path: Path, days: float, problem: str) -> None:
    """A warning with the place of the pair; it keeps nothing from starting, not even where warnings are faults."""
    (tmp_path / "token.crt").write_bytes(certificate(ends_in_days=days))
    file = written(tmp_path, f"strict: true\n{SOUND}")
    (fault,) = found(file)
    assert (fault["line"], fault["column"], fault["problem"], fault["warning"]) == (2, 37, problem, False)
    assert read(Place(file, tmp_path)).settings is not None
    assert [one["warning"] for one in found(written(tmp_path, SOUND))] == [True]


def test_keys_that_do_not_fit(tmp_path: Path) -> None:
    """A certificate of another key, and what is none at all: a fault, without a word of the file's content."""
    (tmp_path / "token.crt").write_bytes(certificate(1))
    (fault,) = found(written(tmp_path, SOUND))
    assert (fault["line"], fault["key"], fault["warning"]) == (2, "token.certificate", False)
    assert fault["problem"].startswith(f"{tmp_path}/token.crt is not of token.key {tmp_path}/token.key")
    (tmp_path / "token.crt").write_bytes(certificate())
    private(tmp_path / "token.key", b"secret words")
    (fault,) = found(written(tmp_path, SOUND))
    assert (fault["key"], fault["problem"]) == ("token.key", f"{tmp_path}/token.key cannot be read: ValueError")


KEYS = """\
server: {addr: ":5001"}
token:
  issuer: i
  expiration: 900
  keys:
    - {id: old, certificate: old.crt, key: token.key, signs_from: 2030-01-01T00:00:00Z}
    - {id: new, certificate: new.crt, key: new.key, signs_from: 2031-01-01T00:00:00Z}
"""


def test_several_keys(tmp_path: Path) -> None:
    """Each at its own place; and that none of them signs yet."""
    (tmp_path / "old.crt").write_bytes(certificate(ends_in_days=3.5))
    (tmp_path / "new.crt").write_bytes(certificate(1))
    private(tmp_path / "new.key", key(1))
    faults = found(written(tmp_path, SOUND, head=KEYS))
    assert [(one["line"], one["column"], one["key"]) for one in faults] == [(6, 7, "token"), (6, 7, "token.keys")]
    assert faults[1]["problem"] == "no key signs yet: every signs_from lies in the future"
    (tmp_path / "new.crt").write_bytes(certificate(0))
    faults = found(written(tmp_path, SOUND, head=KEYS))
    assert [(one["line"], one["column"], one["key"]) for one in faults] == [(6, 7, "token"), (7, 7, "token.certificate")]


def test_services_whose_registry_finds_no_key(tmp_path: Path) -> None:
    """A form of key id that no registry looks up for this kind of key, by the service's name."""
    made_key, ends = Ed25519PrivateKey.generate(), datetime.now(UTC) + timedelta(days=1_000)
    private(tmp_path / "token.key", made_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    name = x509.Name([])
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(made_key.public_key()).serial_number(1)
    signed = made.not_valid_before(datetime.now(UTC)).not_valid_after(ends).sign(made_key, None)
    (tmp_path / "token.crt").write_bytes(signed.public_bytes(Encoding.PEM))
    assert found(written(tmp_path, SOUND)) == []
    head = HEAD.replace("}\n", ", services: {reg: {x5c: never}}}\n").replace(", services: {reg: {x5c: never}}", "", 1)
    (fault,) = found(written(tmp_path, SOUND, head=head))
    assert (fault["line"], fault["warning"]) == (2, True)
    assert fault["problem"] == "may fail registries: service reg: no registry finds an Ed25519 key by its libtrust id"


@pytest.mark.parametrize(
    ("name", "line", "setting"),
    [
        ("token.key", 2, "token.key"),
        ("tls.key", 1, "server.key"),
        ("jti.key", 2, "token.jti_key_file"),
        ("log.key", 0, "ledger.log_key_file"),
    ],
)
def test_keys_that_everybody_can_read(tmp_path: Path, name: str, line: int, setting: str) -> None:
    """Each kind of key, with what to do; what a group may read is an operator's own way."""
    private(tmp_path / "tls.key", key(1))
    (tmp_path / "tls.crt").write_bytes(certificate(1))
    file = written(tmp_path, SOUND, head=TLS)
    for mode, expected in ((0o600, []), (0o640, []), (0o644, [(line, setting, True)]), (0o604, [(line, setting, True)])):
        (tmp_path / name).chmod(mode)
        faults = found(file)
        assert [(one["line"], one["key"], one["warning"]) for one in faults] == expected
        assert all(one["problem"] == f"{tmp_path}/{name} can be read by everybody on this machine" for one in faults)
        assert all(one["remedy"] == f"chmod 600 {tmp_path}/{name}" for one in faults)


TLS = 'server: {addr: ":5001", certificate: tls.crt, key: tls.key}\n' + HEAD.splitlines()[1] + "\n"


def test_the_pair_that_serves(tmp_path: Path) -> None:
    """That it fits, and when it ends."""
    file = written(tmp_path, SOUND, head=TLS)
    private(tmp_path / "tls.key", key(1))
    (tmp_path / "tls.crt").write_bytes(certificate(1))
    assert found(file) == []
    for days, problem in ((-1, "has expired: clients refuse it"), (2.5, "ends in 2 days")):
        (tmp_path / "tls.crt").write_bytes(certificate(1, ends_in_days=days))
        (fault,) = found(file)
        assert (fault["line"], fault["column"], fault["key"], fault["warning"]) == (1, 25, "server.certificate", True)
        assert fault["problem"] == f"{tmp_path}/tls.crt {problem}"
    (tmp_path / "tls.crt").write_bytes(certificate(0))
    (fault,) = found(file)
    assert (fault["key"], fault["warning"]) == ("server.certificate", False)
    assert fault["problem"].startswith(f"{tmp_path}/tls.crt and server.key {tmp_path}/tls.key are no pair: ")
