"""Files as docker_auth's users have them: YAML as its decoder reads it, every key it knows, and one file from use."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from wharfinger.cli import generate
from wharfinger.runtime.configuration import Loaded, load
from wharfinger.runtime.settings import AclRule, KeyIdForm, X5c

SAMPLES = Path(__file__).parents[2] / "samples/docker_auth"
NOT_BUILT = [
    "server.letsencrypt", "google_auth", "github_auth", "gitlab_auth", "oidc_auth", "ldap_auth", "mongo_auth", "xorm_auth",
    "plugin_authn", "acl_mongo", "acl_xorm", "plugin_authz", "casbin_authz",
]  # fmt: skip


@pytest.fixture(scope="module")
def keys() -> dict[str, bytes]:
    """The files that configurations name."""
    key = generate.new_key()
    certificate = generate.new_certificate(key, ["localhost"], now=datetime.now(UTC))
    return {
        "server.crt": certificate,
        "server.key": key,
        "token.crt": certificate,
        "token.key": key,
        "jti.key": generate.new_jti_key(),
    }


def loaded(folder: Path, keys: dict[str, bytes], text: str) -> Loaded:
    """A configuration beside its keys."""
    for name, content in keys.items():
        (folder / name).write_bytes(content)
        (folder / name).chmod(0o600)
    (folder / "auth_config.yml").write_text(text)
    return load(folder / "auth_config.yml", data=folder, environ={})


def test_every_key_is_read_or_said_not_to_be_there(tmp_path: Path, keys: dict[str, bytes]) -> None:
    """Of all that docker_auth knows, exactly what is not built yet is a fault, each at its line."""
    text = (SAMPLES / "reference.yml").read_text()
    found = loaded(tmp_path, keys, text)
    assert {fault.problem for fault in found.found} == {"is known, but not built yet"}
    assert [fault.key for fault in found.found] == NOT_BUILT
    lines = text.splitlines()
    for fault in found.found:
        assert lines[fault.line - 1].strip() == f"{fault.key.rpartition('.')[2]}:"
        assert lines[fault.line - 1][fault.column - 1 :].startswith(fault.key.rpartition(".")[2])


def test_without_what_is_not_built_it_loads(tmp_path: Path, keys: dict[str, bytes]) -> None:
    """The rest is read whole, and means what it means there."""
    document = yaml.safe_load((SAMPLES / "reference.yml").read_text())
    for key in NOT_BUILT:
        section, _, name = key.rpartition(".")
        del (document[section] if section else document)[name]
    found = loaded(tmp_path, keys, yaml.safe_dump(document, sort_keys=False))
    assert found.found == ()
    assert found.settings is not None
    auth = found.settings.auth
    assert (str(auth.server.listen), auth.server.path_prefix, auth.server.hsts) == (":5001", "/token-server", True)
    assert auth.server.tls is not None
    assert auth.server.tls.ciphers == ("ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-AES256-GCM-SHA384")
    assert (auth.server.tls.min_version, auth.server.tls.curve) == ("TLSv1_2", "prime256v1")
    assert auth.server.real_ip is not None
    assert (auth.server.real_ip.header, auth.server.real_ip.position) == ("X-Forwarded-For", -1)
    assert (auth.token.issuer, auth.token.expiration_s) == ("Shop", 900)
    assert (auth.token.default.key_id, auth.token.default.x5c) == (KeyIdForm.RFC7638, X5c.AUTO)
    assert auth.token.keys[0].certificate == tmp_path / "token.crt"
    assert auth.users is not None
    assert [(user.name, user.password_hash is None, dict(user.labels)) for user in auth.users] == [
        ("admin", False, {}),
        ("ann", False, {"group": ("web", "tools"), "full-access": ("attic/*",)}),
        ("", True, {}),
    ]
    assert (auth.ext_auth, auth.ext_authz) != (None, None)
    assert auth.acl is not None
    assert [(rule.account, rule.name, rule.ip, rule.labels, rule.actions) for rule in auth.acl] == [
        ("admin", None, None, None, ("*",)),
        ("/^(ann|zoe)$/", "${account}/*", None, None, ("push", "pull")),
        ("/^([a-z]+)@ci$/", "${account:1}/*", "10.0.0.0/8", None, ("push", "pull")),
        (None, "${labels:group}/*", None, {"group": "*"}, ("pull",)),
        ("", None, None, None, ()),
    ]


BASE = """\
server: {addr: ":5001"}
token: {issuer: i, expiration: 900, certificate: token.crt, key: token.key}
"""


def rules(folder: Path, keys: dict[str, bytes], acl: str, more: str = "") -> tuple[AclRule, ...]:
    """The access list of a file that loads."""
    found = loaded(folder, keys, f"{BASE}users: {{}}\n{more}acl:\n{acl}")
    assert found.settings is not None, found.faults()
    assert found.settings.auth.acl is not None
    return found.settings.auth.acl


@pytest.mark.parametrize(
    "text",
    [
        "yes",
        "on",
        "off",
        "no",
        "y",
        "1.10",
        "007",
        "0x1F",
        "0o17",
        "2020-01-01",
        "1_000",
        "123",
        "true",
        "False",
        "1e3",
        ".inf",
        "12:30:45",
        "!!str 7",
        "=",
        "<<",
    ],
)
def test_scalars_keep_their_text(tmp_path: Path, keys: dict[str, bytes], text: str) -> None:
    """In a field that is a text, whatever YAML 1.1 would make of it."""
    written = text.removeprefix("!!str ")
    (rule,) = rules(
        tmp_path, keys, f"  - match: {{account: {text}, labels: {{g: {text}}}}}\n    actions: [{text}]\n    comment: {text}\n"
    )
    assert (rule.account, rule.labels, rule.actions, rule.comment) == (written, {"g": written}, (written,), written)


@pytest.mark.parametrize(
    ("text", "account"), [("~", None), ("null", None), ("", None), ('""', ""), ("'null'", "null"), ("Null", None)]
)
def test_nothing_is_no_condition(tmp_path: Path, keys: dict[str, bytes], text: str, account: str | None) -> None:
    """An empty value makes none; an empty text is one."""
    (rule,) = rules(tmp_path, keys, f"  - match:\n      account: {text}\n      name: a\n    actions: [~]\n")
    assert (rule.account, rule.name, rule.actions) == (account, "a", ("",))


def test_users_with_odd_names(tmp_path: Path, keys: dict[str, bytes]) -> None:
    """Names are what was written; a user whose value is null is none."""
    users = "users:\n  007: {}\n  yes: {labels: {no: [on, 1.10]}}\n  gone:\n"
    found = loaded(tmp_path, keys, f"{BASE}{users}acl: []\n")
    assert found.settings is not None
    named = [(user.name, dict(user.labels)) for user in found.settings.auth.users or ()]
    assert named == [("007", {}), ("yes", {"no": ("on", "1.10")})]


def test_anchors_and_merge_keys(tmp_path: Path, keys: dict[str, bytes]) -> None:
    """An alias is the value itself; what is merged in gives way to what stands there, and to what was merged before it."""
    anchors = "x-all: &all {account: zoe, name: all/*}\nx-more: &more {name: more/*, type: repository}\n"
    one, two, three = rules(
        tmp_path,
        keys,
        "  - match: *all\n    actions: &both [pull, push]\n"
        "  - match: {<<: *all, name: own/*}\n    actions: *both\n"
        "  - match: {<<: [*all, *more], service: s}\n    actions: [pull]\n",
        anchors,
    )
    assert (one.account, one.name, one.actions) == ("zoe", "all/*", ("pull", "push"))
    assert (two.account, two.name, two.actions) == ("zoe", "own/*", ("pull", "push"))
    assert (three.account, three.name, three.type, three.service) == ("zoe", "all/*", "repository", "s")


def test_the_last_of_two_keys_counts(tmp_path: Path, keys: dict[str, bytes]) -> None:
    """As there; and it is told, at the second one's place."""
    text = f"{BASE}users: {{}}\nacl:\n  - match: {{account: zoe, account: yan}}\n    actions: [pull]\n    actions: [push]\n"
    found = loaded(tmp_path, keys, text)
    assert found.settings is not None
    (rule,) = found.settings.auth.acl or ()
    assert (rule.account, rule.actions) == ("yan", ("push",))
    assert [(fault.line, fault.column, fault.key, fault.warning) for fault in found.found] == [
        (5, 27, "acl[0].match.account", True),
        (7, 5, "acl[0].actions", True),
    ]


UNREADABLE: list[tuple[str, str, str]] = [
    ("acl:\n  - match: {}\n    actions: pull\n", "acl[0].actions", "is not a list"),
    ("acl:\n  - match: {Account: zoe}\n    actions: [pull]\n", "acl[0].match.Account", "is not a key known here"),
    ("acl:\n  - match: {team: infrastructure}\n    actions: [pull, push]\n", "acl[0].match.team", "is not a key known here"),
    ("acl:\n  - actions: [pull]\n", "acl[0].match", "is missing; docker_auth would crash"),
    ("acl:\n  - match:\n    actions: [pull]\n", "acl[0].match", "is missing; docker_auth would crash"),
    ("acl:\n  - match: {}\n", "acl[0].actions", "is missing; docker_auth would crash"),
    ("acl:\n  - match: {}\n    actions:\n", "acl[0].actions", "is missing; docker_auth would crash"),
    (
        "acl:\n  - match: {account: [zoe]}\n    actions: [pull]\n",
        "acl[0].match.account",
        "is a list, which docker_auth does not know",
    ),
    ("acl:\n  - match: {name: {a: b}}\n    actions: [pull]\n", "acl[0].match.name", "is not a single value"),
    ("acl:\n  account: zoe\n", "acl", "is not a list"),
    ("acl: []\ntoken2: {}\n", "token2", "is not a key known here"),
    ("acl:\n", "acl", "is missing: no access list is configured"),
]


@pytest.mark.parametrize(("text", "key", "problem"), UNREADABLE)
def test_what_it_refuses_or_should(tmp_path: Path, keys: dict[str, bytes], text: str, key: str, problem: str) -> None:
    """What it cannot decode, what crashes it, and conditions that it would silently leave out, so that everybody matched."""
    (fault,) = loaded(tmp_path, keys, f"{BASE}users: {{}}\n{text}").found
    assert (fault.key, fault.problem, fault.line > 3) == (key, problem, True)


LABELS: list[tuple[str, str]] = [("g: dev", "users.zoe.labels.g"), ("g: {a: b}", "users.zoe.labels.g")]


@pytest.mark.parametrize(("labels", "key"), LABELS)
def test_labels_are_lists(tmp_path: Path, keys: dict[str, bytes], labels: str, key: str) -> None:
    """One text does not do, as there."""
    found = loaded(tmp_path, keys, f"{BASE}users: {{zoe: {{labels: {{{labels}}}}}}}\nacl: []\n")
    assert [(fault.key, fault.problem) for fault in found.faults()] == [(key, "is not a list")]


@pytest.mark.parametrize(("text", "seconds"), [("900", 900), ("900.5", 900), ("'900'", 900), ("1_000", 1_000)])
def test_expirations(tmp_path: Path, keys: dict[str, bytes], text: str, seconds: int) -> None:
    """Whole seconds; a fraction is cut."""
    found = loaded(tmp_path, keys, BASE.replace("900", text) + "users: {}\nacl: []\n")
    assert found.settings is not None
    assert found.settings.auth.token.expiration_s == seconds


@pytest.mark.parametrize("text", ["15m", "soon", "0", "-1", ""])
def test_expirations_that_are_none(tmp_path: Path, keys: dict[str, bytes], text: str) -> None:
    """A unit is not taken there either."""
    found = loaded(tmp_path, keys, BASE.replace("900", text) + "users: {}\nacl: []\n")
    assert [fault.key for fault in found.faults()] == ["token.expiration"]


def test_the_file_from_use_loads_unchanged(tmp_path: Path, keys: dict[str, bytes]) -> None:
    """With nothing wrong that the reader could see: what was meant is another matter."""
    found = loaded(tmp_path, keys, (SAMPLES / "seed.yml").read_text())
    assert found.found == ()
    assert found.settings is not None
    auth: Any = found.settings.auth
    assert [user.name for user in auth.users] == ["admin", "hussein", ""]
    assert [rule.account for rule in auth.acl] == ["admin", "hussien", "test", "/.+/", ""]
