"""``wharfinger explain``: the answer with its reasons, for programs and for people, and an exit code for each of three outcomes."""

from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from tests.wharfinger.cli.files import HASH, parsed, run, written

FILE = f"""\
users:
  admin: {{password: "{HASH}"}}
  hussein: {{password: "{HASH}", labels: {{team: [web, tools]}}}}
  "": {{labels: {{team: [guests]}}}}
acl:
  - match: {{account: admin}}
    actions: ["*"]
    comment: may do everything
  - match: {{account: hussien, name: ubuntu}}
    actions: ["*"]
  - match: {{name: "${{labels:team}}/*", service: "reg*"}}
    actions: [pull, push]
    comment: "[bold]teams[/bold]"
  - match: {{ip: 10.0.0.0/8}}
    actions: [push]
  - match: {{account: /.+/}}
    actions: [pull]
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A configuration without keys: explaining needs none."""
    (tmp_path / "wharfinger.yml").write_text(FILE)
    return tmp_path / "wharfinger.yml"


def explain(file: Path, account: str, name: str, *more: object, actions: str = "pull,push") -> Result:
    """The command."""
    return run("explain", "-c", file, "--account", account, "--name", name, "--actions", actions, *more)


def answer(file: Path, account: str, name: str, *more: object, actions: str = "pull,push") -> Any:
    """What it prints as JSON."""
    return parsed(explain(file, account, name, "--json", *more, actions=actions))


def test_json(file: Path) -> None:
    """The fixed names first, and everything that led there."""
    result = explain(file, "hussein", "web/app", "--service", "registry", "--json")
    assert result.exit_code == 0
    found = parsed(result)
    assert list(found)[:4] == ["granted", "matched", "rule", "why"]
    assert (found["granted"], found["matched"]) == (["pull", "push"], True)
    assert found["rule"] == {"index": 3, "line": 11, "comment": "[bold]teams[/bold]"}
    assert found["why"] == "rule 3 (line 11) matches by name, service and allows pull, push; asked was pull, push"
    assert found["request"]["labels"] == {"team": ["web", "tools"]}
    assert found["rules"][0]["substitutions"] == [
        {"field": "name", "pattern": "${labels:team}/*", "became": "web/*", "value": "web/app"}
    ]
    assert [(one["index"], one["line"], one["failed"]) for one in found["passed_over"]] == [
        (1, 6, [{"field": "account", "pattern": "admin", "became": "admin", "value": "hussein"}]),
        (2, 9, [{"field": "account", "pattern": "hussien", "became": "hussien", "value": "hussein"}]),
    ]
    assert (found["union"], found["notes"], len(found["policy"])) == (False, [], 32)


def test_no_rule_matches(file: Path) -> None:
    """Exit code 1, and no rule."""
    result = explain(file, "", "ubuntu", "--service", "registry", "--ip", "192.0.2.1", "--json")
    assert result.exit_code == 1
    found = parsed(result)
    assert (found["granted"], found["matched"], found["rule"]) == ([], False, None)
    assert found["why"] == "none of the 5 rules matches anonymous on repository:ubuntu"
    assert [one["failed"][0]["field"] for one in found["passed_over"]] == ["account", "account", "name", "ip", "account"]


def test_a_rule_that_grants_nothing_of_it(file: Path) -> None:
    """It matched, and exit code 1 all the same."""
    result = explain(file, "hussein", "ubuntu", "--json", actions="push")
    found = parsed(result)
    assert (result.exit_code, found["granted"], found["matched"], found["rule"]["index"]) == (1, [], True, 5)


@pytest.mark.parametrize(
    ("account", "labels", "index"),
    [
        ("hussein", [], 3),
        ("hussein", ["team=ops"], 5),
        ("ann", [], 5),
        ("ann", ["team=web"], 3),
        ("ann", ["team=ops", "team=web", "other=a=b"], 3),
    ],
)
def test_labels(file: Path, account: str, labels: list[str], index: int) -> None:
    """Those of the file's user, unless some are given."""
    options = [option for label in labels for option in ("--label", label)]
    assert answer(file, account, "web/app", "--service", "registry", *options)["rule"]["index"] == index


def test_the_rest_of_a_request(file: Path) -> None:
    """The anonymous client's own labels, an address, another type; actions as a token service takes them."""
    assert answer(file, "", "guests/a", "--service", "registry")["rule"]["index"] == 3
    assert answer(file, "ann", "ubuntu", "--ip", "::ffff:10.1.2.3")["granted"] == ["push"]
    found = answer(file, "admin", "catalog", "--type", "registry", actions="*")
    assert (found["granted"], found["request"]["type"]) == (["*"], "registry")
    assert answer(file, "admin", "a", actions="push,pull,push")["request"]["actions"] == ["pull", "push"]


def test_notes(file: Path) -> None:
    """What a reader should know of an answer."""
    assert answer(file, "ann", "ubuntu")["notes"] == [
        "'ann' is no user of the file, so no token is issued to it at all",
        "a rule asks for the address, and no --ip was given",
    ]
    assert "a rule asks for the service, and no --service was given" in answer(file, "hussein", "web/app")["notes"]
    file.write_text("ext_auth: {command: x}\next_authz: {command: y}\n")
    assert answer(file, "ann", "ubuntu")["notes"] == [
        "the file has no acl",
        "another authorizer of the file is asked where no rule matches; it was not asked here",
    ]
    file.write_text("users: {zoe: {}}\nacl: []\n")
    assert answer(file, "", "ubuntu")["notes"] == [
        "the anonymous client is no user of the file, so no token is issued to it at all"
    ]


def test_for_people(file: Path) -> None:
    """The answer, why, and a row for each rule that was looked at; nothing of the file is taken for markup."""
    result = explain(file, "hussein", "web/app", "--service", "registry")
    lines = [line.rstrip() for line in result.stdout.splitlines()]
    assert lines[:2] == [
        "hussein on repository:web/app: granted pull, push of pull, push",
        "Rule 3 (line 11) matches by name, service and allows pull, push; asked was pull, push.",
    ]
    rows = "\n".join(lines[2:])
    assert "account 'hussien' is not met by 'hussein'" in rows
    assert "allows pull, push; name '${labels:team}/*' became 'web/*'" in rows
    assert "[bold]teams[/bold]" in rows


def test_a_denial_for_people(file: Path) -> None:
    """Each pattern that was tried, with what it became."""
    result = explain(file, "", "ubuntu", "--label", "team=web")
    assert result.exit_code == 1
    assert result.stdout.startswith("anonymous on repository:ubuntu: granted nothing of pull, push\n")
    assert (
        "name '${labels:team}/*' is not met by 'ubuntu'; name '${labels:team}/*', which became 'web/*', is not met by 'ubuntu'"
        in result.stdout
    )
    assert "ip '10.0.0.0/8' is not met by nothing" in result.stdout
    assert "Note: a rule asks for the address, and no --ip was given." in result.stdout
    file.write_text("users: {}\nacl: []\n")
    assert "rule  line" not in explain(file, "zoe", "ubuntu").stdout


def test_union(file: Path) -> None:
    """Every rule that matched, with what it adds."""
    file.write_text(f"policy: {{union: true}}\n{FILE}")
    found = answer(file, "hussein", "web/app", "--service", "registry", "--ip", "10.0.0.1", actions="delete,pull,push")
    assert (found["granted"], found["rule"]["index"], found["union"]) == (["pull", "push"], 3, True)
    assert [(one["index"], one["adds"]) for one in found["rules"]] == [(3, ["pull", "push"]), (4, ["push"]), (5, ["pull"])]


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--account", "a", "--name", "n"], "Missing option '--actions'"),
        (["--account", "a", "--name", "n", "--actions", "Pull"], "no request can ask for repository:n:Pull"),
        (["--account", "a", "--name", "", "--actions", "pull"], "no request can ask for repository::pull"),
        (["--account", "a", "--name", "a b", "--actions", "pull"], "no request can ask for repository:a b:pull"),
        (["--account", "a", "--name", "n", "--actions", "pull", "--ip", "10.0.0.0/8"], "'10.0.0.0/8' is no address"),
        (["--account", "a", "--name", "n", "--actions", "pull", "--label", "team"], "'team' is not of the form KEY=VALUE"),
        (["--account", "a", "--name", "n", "--actions", "pull", "--label", "=x"], "'=x' is not of the form KEY=VALUE"),
    ],
)
def test_usage(file: Path, arguments: list[str], problem: str) -> None:
    """Exit code 2: what no client can ask is not explained."""
    result = run("explain", "-c", file, *arguments)
    assert result.exit_code == 2
    assert problem in result.stderr


@pytest.mark.parametrize("text", ["acl: [{match: {name: /(/}, actions: [pull]}]\n", "acl: [{match: {}}]\n", "acl: {}\n", "{"])
def test_a_faulty_list(file: Path, text: str) -> None:
    """Exit code 2, with every fault of it."""
    file.write_text(text)
    result = explain(file, "zoe", "ubuntu")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.splitlines()[-1] == "1 fault; nothing can be told of it."


def test_doubts_and_other_faults_do_not_matter(tmp_path: Path) -> None:
    """Whoever looks for the reason of a failing test must be able to."""
    text = FILE + "strict: true\ntests: [{account: hussein, name: ubuntu, actions: [push], expect: [push]}]\n"
    file = written(tmp_path, text, head="token: {}\n")
    assert explain(file, "hussein", "ubuntu").exit_code == 0
