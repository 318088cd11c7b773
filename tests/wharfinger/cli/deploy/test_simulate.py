"""`deploy simulate`: what the rules of a file would have done with the pushes of a ledger, a line for each."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.wharfinger.cli.houses import house, run
from tests.wharfinger.ledger.test_settlement import push
from wharfinger.ledger import steering
from wharfinger.ledger.database import Database
from wharfinger.ledger.erasure import erase_account
from wharfinger.ledger.settlement import commit
from wharfinger.ledger.steering import Statement
from wharfinger.ledger.values import Entry

DAY = 86_400_000
NOW = 1_795_477_900_000
DEPLOY = """
deploy:
  rules:
    - {name: web, match: {repository: "shop/*", tag: "semver:^1"}, targets: [prod], approvals: 1, approvers: [hussein]}
  targets:
    prod: {type: docker, container: web}
"""
A, B = ("sha256:" + letter * 64 for letter in "ab")


def pushed(name: str, tag: str, digest: str, *, days: float = 0, **more: str) -> Entry:
    """A push, some days before NOW; no rule was there then."""
    entry = push(name, digest=digest, tag=tag)
    return replace(entry, record=replace(entry.record, recorded_at=NOW - int(days * DAY), **more), deliveries=())  # type: ignore[arg-type]  # texts


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A house with a rule that is newer than its pushes."""
    made = house(tmp_path / "house")
    with (made / "wharfinger.yml").open("a") as file:
        file.write(DEPLOY)
    database = Database(f"sqlite:///{made}/ledger.db")
    commit(database, [pushed("e0", "v1.0.0", A, days=40), pushed("e1", "v1.1.0", A, days=20)], now_ms=NOW)
    child = pushed("e2", "", B, days=10)
    pull = pushed("e3", "v1.1.0", A, days=10, action="pull")
    commit(database, [child, pull, pushed("e4", "latest", B, days=9), pushed("e5", "v1.2.0", B, days=8)], now_ms=NOW)
    commit(database, [pushed("e6", "v1.2.0", B, days=1), pushed("e7", "v1.3.0", A, verdict="forged")], now_ms=NOW)
    database.close()
    return made


def simulate(folder: Path, *arguments: str) -> list[tuple[str, str, str]]:
    """Tag, what would have been, and why."""
    result = run("deploy", "simulate", *arguments, "--since", "2026-10-25", "--json", "--data", folder)
    assert result.exit_code == 0, result.output
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    return [(one["tag"], one["would_be"], one["why"]) for one in lines]


EXPECTED = [
    ("v1.1.0", "delivered", "needs 1 approval"),
    ("v1.2.0", "delivered", "needs 1 approval"),
    ("v1.2.0", "unchanged", "this digest was the last one delivered"),
    ("v1.3.0", "refused", "the push is not tied to a token: forged"),
]


def test_what_would_have_been(folder: Path) -> None:
    """Of the pushes since then, in their order; children and reads are none."""
    assert simulate(folder) == EXPECTED


def test_what_no_rule_matches(folder: Path) -> None:
    """Is shown when asked for."""
    assert simulate(folder, "--all") == [EXPECTED[0], ("latest", "unmatched", "no rule matches"), *EXPECTED[1:]]


def test_for_people(folder: Path) -> None:
    """A line each as it goes, and how much there was of what."""
    result = run("deploy", "simulate", "--since", "2026-10-25", "--data", folder)
    lines = result.stdout.splitlines()
    assert lines[0] == f"2026-11-03 23:51:40  delivered   web → prod                shop/cart:v1.1.0 {A[:19]}  needs 1 approval"
    assert len(lines) == 4
    assert result.stderr == "5 pushes: 2 delivered, 1 refused, 1 unchanged, 1 that no rule matches\n"
    one = run("deploy", "simulate", "--since", "2026-11-23T23:00", "--data", folder)
    assert one.stderr == "1 push: 1 refused, 0 that no rule matches\n"


def test_another_file(folder: Path) -> None:
    """Its rules, over the same ledger; nothing is written there."""
    other = folder / "other.yml"
    other.write_text((folder / "wharfinger.yml").read_text().replace("semver:^1", "latest"))
    result = run("deploy", "simulate", "--since", "2026-10-25", "--json", "-c", other, "--data", folder)
    assert [json.loads(line)["tag"] for line in result.stdout.splitlines()] == ["latest"]
    assert simulate(folder) == EXPECTED


def test_marks_and_erased_accounts(folder: Path) -> None:
    """Bad digests are refused as they are marked now; an account that is gone is nobody's."""
    database = Database(f"sqlite:///{folder}/ledger.db")
    steering.block(database, B, "prod", Statement("os:x", "a hole", NOW))
    erase_account(database, "zoe", now_ms=NOW)
    database.close()
    assert simulate(folder)[1] == ("v1.2.0", "refused", "the digest is marked as bad: a hole")
    result = run("deploy", "simulate", "--since", "2026-10-25", "--json", "--data", folder)
    assert {json.loads(line)["account"] for line in result.stdout.splitlines()} == {None}


def test_without_pushes(folder: Path) -> None:
    """Exit code 1; a time that is none is a mistake."""
    assert run("deploy", "simulate", "--since", "2090-01-01", "--data", folder).exit_code == 1
    assert run("deploy", "simulate", "--since", "soon", "--data", folder).exit_code == 2
