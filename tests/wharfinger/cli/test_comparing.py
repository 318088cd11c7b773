"""``wharfinger check --against``: who gains and who loses what, for programs and for people; exit code 1 when anybody does."""

from pathlib import Path

import pytest

from tests.wharfinger.cli.files import HASH, check, parsed
from wharfinger.cli.check import NO_PROOF

USERS = f'users: {{hussein: {{password: "{HASH}"}}, zoe: {{password: "{HASH}"}}}}\n'
OLD = (
    USERS
    + "acl:\n  - match: {account: hussien, name: ubuntu}\n    actions: ['*']\n  - match: {account: /.+/}\n    actions: [pull]\n"
)


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """The file that was in force, away from its keys."""
    (tmp_path / "old.yml").write_text(OLD)
    return tmp_path / "old.yml"


def new(old: Path, text: str) -> Path:
    """The file that shall be."""
    (old.parent / "new.yml").write_text(text)
    return old.parent / "new.yml"


def test_a_slip_that_is_corrected(old: Path) -> None:
    """A line for each account, its actions and the rules that say so; and that it is no proof."""
    result = check(new(old, OLD.replace("hussien", "hussein")), "--against", old)
    assert result.exit_code == 1
    gain, loss, asked, proof = result.stdout.splitlines()
    assert gain == ("'hussein' gains *, delete, push by rule 2 (line 5) before, rule 1 (line 3) now: repository:ubuntu")
    assert loss == (
        "'hussien' (no user of either file) loses *, delete, push by rule 1 (line 3) before, rule 2 (line 5) now: repository:ubuntu"
    )
    assert asked.startswith("Asked ")
    assert proof == NO_PROOF
    assert "no proof" in proof


def test_json(old: Path) -> None:
    """The same for programs."""
    result = check(new(old, OLD.replace("hussien", "hussein")), "--json", "--against", old)
    assert result.exit_code == 1
    found = parsed(result)
    assert found["gains"] == [
        {
            "account": "hussein", "type": "repository", "name": "ubuntu", "service": None, "ip": None,
            "actions": ["*", "delete", "push"], "can_log_in": True,
            "old_rule": {"index": 2, "line": 5, "comment": ""}, "new_rule": {"index": 1, "line": 3, "comment": ""},
        }
    ]  # fmt: skip
    assert [(one["account"], one["can_log_in"]) for one in found["losses"]] == [("hussien", False)]
    assert found["compared"]["requests"] > found["compared"]["accounts"] > 3
    assert (found["compared"]["left_out"], found["note"]) == (0, NO_PROOF)


def test_nothing(old: Path) -> None:
    """Exit code 0, whatever check would say of either."""
    result = check(old, "--against", old)
    assert result.exit_code == 0
    assert result.stdout.splitlines()[0] == "Nobody gains and nobody loses anything."
    assert result.stdout.splitlines()[-1] == NO_PROOF
    assert parsed(check(old, "--json", "--against", old))["gains"] == []


def test_where_it_depends_on_more(old: Path) -> None:
    """Services and addresses are told where they matter, several resources stand in one line, nobody by that name."""
    acl = "  - match: {account: zoe, name: 'x*', ip: 10.0.0.0/8, service: reg}\n    actions: [push]\n"
    result = check(new(old, OLD.replace("acl:\n", f"acl:\n{acl}")), "--against", old)
    gain, loss = result.stdout.splitlines()[:2]
    assert gain.startswith(
        "'zoe' gains push by rule 2 (line 5) before, rule 1 (line 3) now: repository:xa (service 'reg' and from 10.0.0.0), "
    )
    assert loss.startswith("'zoe' loses pull ")
    gone = check(new(old, OLD.replace(', zoe: {password: "' + HASH + '"}', "")), "--against", old)
    assert gone.stdout.splitlines()[0].startswith("'zoe' loses pull by rule 2 (line 5) before, no rule now: ")
    anonymous = check(new(old, OLD.replace("users: {", 'users: {"": {}, ').replace("/.+/", "'*'")), "--against", old)
    assert anonymous.stdout.splitlines()[0].startswith(
        "anonymous gains pull by no rule before, rule 2 (line 5) now: repository:"
    )


@pytest.mark.parametrize("which", ["new", "old"])
def test_a_file_that_cannot_be_read(old: Path, which: str) -> None:
    """Exit code 2, with its faults."""
    sound, faulty = old, new(old, "acl: {}\n")
    result = check(faulty, "--against", sound) if which == "new" else check(sound, "--against", faulty)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.splitlines()[0] == f"{faulty}:1:1: acl is not a list. Write it as a list:  acl: [...]."
