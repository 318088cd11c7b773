"""Who may do what, as a file says it: the list, how it is read, the policy tests; and where each of it stands."""

from pathlib import Path

import pytest

from wharfinger.runtime.configuration import Access, Fault, load_access
from wharfinger.runtime.settings import PolicySettings, PolicyTest


def read(folder: Path, text: str) -> tuple[Access | None, tuple[Fault, ...]]:
    """A file that need not have anything else."""
    (folder / "some.yml").write_text(text)
    return load_access(folder / "some.yml", environ={})


def access(folder: Path, text: str) -> Access:
    """One without faults."""
    found, faults = read(folder, text)
    assert faults == ()
    assert found is not None
    return found


def test_places(tmp_path: Path) -> None:
    """Line and column of users, of each condition's key, and of the tests."""
    found = access(
        tmp_path,
        "users:\n  zoe: {}\nacl:\n  - match:\n      account: zoe\n      labels: {g: x}\n    actions: [pull]\n"
        "tests:\n  - {account: zoe, name: a, actions: [pull], expect: []}\n",
    )
    assert found.users is not None
    assert found.acl is not None
    assert [(user.line, user.column) for user in found.users] == [(2, 3)]
    (rule,) = found.acl
    assert {name: rule.places[name] for name in ("match", "account", "labels", "actions")} == {
        "match": (4, 5),
        "account": (5, 7),
        "labels": (6, 7),
        "actions": (7, 5),
    }
    assert [(test.line, test.column) for test in found.tests] == [(9, 5)]


def test_lists_of_accounts(tmp_path: Path) -> None:
    """Only when they are asked for."""
    acl = "acl:\n  - match: {account: [zoe, ~, 007]}\n    actions: [pull]\n"
    (rule,) = access(tmp_path, f"policy: {{account_lists: true}}\n{acl}").acl or ()
    assert (rule.account, rule.accounts) == (None, ("zoe", "", "007"))
    _, (fault,) = read(tmp_path, acl)
    assert (fault.line, fault.column, fault.key) == (2, 13, "acl[0].match.account")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", PolicySettings()),
        ("policy:\n", PolicySettings()),
        ("policy: {union: true}\n", PolicySettings(union=True)),
        ("policy: {double_star: yes, account_lists: on}\n", PolicySettings(double_star=True, account_lists=True)),
    ],
)
def test_how_the_list_is_read(tmp_path: Path, text: str, expected: PolicySettings) -> None:
    """Nothing beyond docker_auth's way unless it is asked for."""
    assert access(tmp_path, f"{text}acl: []\n").policy == expected


def test_policy_tests(tmp_path: Path) -> None:
    """A request for a repository unless it says otherwise, by the anonymous client unless it names one."""
    whole = "{account: zoe, type: registry, name: catalog, service: s, ip: 10.0.0.1, labels: {g: [a]}, actions: ['*'], expect: [pull]}"
    one, two = access(tmp_path, f"acl: []\ntests:\n  - {whole}\n  - {{name: a, actions: [pull], expect: []}}\n").tests
    assert one == PolicyTest(3, "zoe", "registry", "catalog", "s", "10.0.0.1", {"g": ("a",)}, ("*",), ("pull",), column=5)
    assert (two.account, two.type, two.labels, two.expect) == ("", "repository", {}, ())


@pytest.mark.parametrize(
    ("test", "key"),
    [
        ("{name: a, expect: []}", "tests[0].actions"),
        ("{name: a, actions: [], expect: []}", "tests[0].actions"),
        ("{name: a, actions: [pull]}", "tests[0].expect"),
        ("{name: a, actions: [pull], expect: pull}", "tests[0].expect"),
        ("{name: a, actions: [pull], expect: [], acount: zoe}", "tests[0].acount"),
    ],
)
def test_tests_that_test_nothing(tmp_path: Path, test: str, key: str) -> None:
    """What is asked and what is expected must be said."""
    _, (fault,) = read(tmp_path, f"acl: []\ntests: [{test}]\n")
    assert fault.key == key


@pytest.mark.parametrize(
    ("text", "accounts", "rules"),
    [
        ("users: {}\n", False, False),
        ("ext_auth: {command: x}\n", True, False),
        ("ext_authz: {command: x}\n", False, True),
        ("ldap_auth: {}\nacl_mongo: {}\n", True, True),
        ("plugin_authn: {}\ncasbin_authz: {}\n", True, True),
        ("ext_auth:\next_authz: ~\n", False, False),
        ("console: {}\nfederation: {}\n", False, False),
    ],
)
def test_who_else_has_a_say(tmp_path: Path, text: str, *, accounts: bool, rules: bool) -> None:
    """Other ways to authenticate and to authorise, built or not."""
    found = access(tmp_path, text)
    assert (found.more_accounts, found.more_rules) == (accounts, rules)


def test_what_else_is_wrong_does_not_matter(tmp_path: Path) -> None:
    """Keys may be elsewhere, other sections missing; warnings are none of it."""
    text = "users: {zoe: {password: plain}}\nacl: []\ntoken: {certificate: nowhere.crt}\nnonsense: 1\n"
    assert access(tmp_path, text).acl == ()


@pytest.mark.parametrize("text", ["acl: {}\n", "users: []\n", "acl:\n  - {}\n", "- a\n", "{", ""])
def test_what_is_wrong_in_it_does(tmp_path: Path, text: str) -> None:
    """Then there is nothing but the faults."""
    found, faults = read(tmp_path, text)
    assert found is None
    assert faults


def test_no_file(tmp_path: Path) -> None:
    """A fault like others."""
    found, (fault,) = load_access(tmp_path / "no.yml", environ={})
    assert (found, fault.problem) == (None, "cannot be read: No such file or directory")
