"""`deploy list`, `pause`, `resume`, `approve`, `reject`, `block`, `unblock` and `blocked`, as people and scripts call them."""

import getpass
import os
import subprocess
import sys
import termios
import time
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.real.conftest import wait_until
from tests.wharfinger.cli.houses import DIGEST, house, parsed, run
from tests.wharfinger.ledger.test_settlement import push
from wharfinger.cli.main import main
from wharfinger.ledger import outbox
from wharfinger.ledger.database import Database
from wharfinger.ledger.search import Criteria, search
from wharfinger.ledger.settlement import commit
from wharfinger.ledger.values import NEVER, DeliveryState
from wharfinger.wire.names import DeliveryId

DEPLOY = """
deploy:
  rules:
    - {name: web, match: {repository: "shop/*"}, targets: [prod], approvals: 2, approvers: [hussein, admin], four_eyes: true}
    - {name: all, targets: [prod, late]}
    - {name: late, targets: [late], approvals: 1, approvers: [hussein], approve_within: 1h}
  targets:
    prod: {type: docker, container: web}
    late: {type: docker, container: late}
"""
OTHER = "sha256:" + "cd" * 32
OWN = f"os:{getpass.getuser()}"


def ledger(folder: Path) -> Database:
    """A handle on the ledger; close it."""
    return Database(f"sqlite:///{folder}/ledger.db")


def now_ms() -> int:
    """The clock of commands."""
    return time.time_ns() // 1_000_000


def settle(
    folder: Path, name: str, *, rule: str, target: str = "prod", digest: str = DIGEST, age_ms: int = 0, account: str = "ci"
) -> None:
    """A push with a delivery of a rule, that waits."""
    entry = push(name, digest=digest)
    (new,) = entry.deliveries
    record = replace(entry.record, personal=replace(entry.record.personal, account=account))
    database = ledger(folder)
    commit(
        database,
        [replace(entry, record=record, deliveries=(replace(new, rule=rule, target=target),))],
        now_ms=now_ms() - age_ms,
    )
    database.close()


def look(folder: Path, name: str, state: DeliveryState, reason: str, *, until: int = NEVER) -> None:
    """A worker looked at it."""
    database = ledger(folder)
    held = outbox.claim(database, DeliveryId(f"dlv_{name}"), now_ms=now_ms())
    assert held is not None
    if state is DeliveryState.HELD:
        outbox.hold(database, held, reason=reason, now_ms=now_ms(), due_at=until)
    else:
        outbox.finish(database, held, state=state, reason=reason, now_ms=now_ms())
    database.close()


def due(folder: Path) -> list[str]:
    """What a worker should take now."""
    database = ledger(folder)
    found = list(map(str, outbox.due(database, now_ms=now_ms())))
    database.close()
    return found


def told(folder: Path) -> list[tuple[str, str, str]]:
    """What stands in the trail of what was said, the newest first."""
    database = ledger(folder)
    found = search(database, Criteria(kinds=("steering",))).records
    database.close()
    return [(one.record.action, one.who, one.record.reason) for one in found]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A house with three rules, and a ledger."""
    made = house(tmp_path / "house")
    with (made / "wharfinger.yml").open("a") as file:
        file.write(DEPLOY)
    ledger(made).close()
    return made


def password(folder: Path, name: str) -> str:
    """A user's."""
    return dict(line.split() for line in (folder / "passwords.txt").read_text().splitlines())[name]


def vote(folder: Path, word: str, *arguments: str, account: str = "hussein", given: str | None = None) -> Result:
    """A vote; the password comes on standard input."""
    text = (password(folder, account) if given is None else given) + "\n"
    return CliRunner().invoke(main, ["deploy", word, *arguments, "--as", account, "--data", str(folder)], input=text)


def test_a_pause_and_its_end(folder: Path) -> None:
    """Who and why are on record; what waited is due when it ends; the list shows it."""
    settle(folder, "e1", rule="all")
    paused = run("deploy", "pause", "all", "--why", "the database moves", "--data", folder)
    assert (paused.exit_code, paused.stdout) == (0, "paused all\n")
    look(folder, "e1", DeliveryState.HELD, "the rule is paused")
    assert due(folder) == []
    shown = run("deploy", "list", "--data", folder).stdout
    assert f"by {OWN}: the database moves" in shown
    assert "dlv_e1" in shown
    assert "somebody" in shown
    found = parsed(run("deploy", "list", "--json", "--data", folder))
    assert [(one["name"], one["paused"]) for one in found["rules"]] == [("web", False), ("all", True), ("late", False)]
    assert [(one["rule"], one["who"], one["why"]) for one in found["pauses"]] == [("all", OWN, "the database moves")]
    assert [(one["id"], one["state"], one["due_at"]) for one in found["deliveries"]] == [("dlv_e1", "held", None)]
    resumed = run("deploy", "resume", "all", "--why", "done", "--as", "yan", "--data", folder)
    assert (resumed.exit_code, resumed.stdout) == (0, "resumed all\n")
    assert due(folder) == ["dlv_e1"]
    assert told(folder) == [("resume", "os:yan", "done"), ("pause", OWN, "the database moves")]


def test_a_freeze(folder: Path) -> None:
    """All rules at once; a rule that was paused by itself stays so when it ends."""
    for what in (["web"], ["--all"]):
        assert run("deploy", "pause", *what, "--why", "x", "--data", folder).exit_code == 0
    found = parsed(run("deploy", "list", "--json", "--data", folder))
    assert [one["paused"] for one in found["rules"]] == [True, True, True]
    assert [one["rule"] for one in found["pauses"]] == [None, "web"]
    assert "all rules  since" in run("deploy", "list", "--data", folder).stdout
    assert run("deploy", "resume", "--all", "--why", "x", "--data", folder).stdout == "resumed all rules; still paused: web\n"


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["pause", "nobody", "--why", "x"], 2, "there is no rule 'nobody'; known: all, late, web"),
        (["pause", "--why", "x"], 2, "name a rule, or say --all"),
        (["pause", "web", "--all", "--why", "x"], 2, "name a rule, or say --all"),
        (["pause", "web"], 2, "Missing option '--why'"),
        (["pause", "web", "--why", " "], 2, "say why"),
        (["pause", "web", "--why", "x" * 501], 2, "is longer than 500 characters"),
        (["resume", "web", "--why", "x"], 1, "web is not paused"),
        (["resume", "--all", "--why", "x"], 1, "there is no freeze"),
        (["block", "sha256:ab", "--why", "x"], 2, "'sha256:ab' is no whole digest"),
        (["block", DIGEST, "--target", "nobody", "--why", "x"], 2, "there is no target 'nobody'"),
        (["unblock", DIGEST, "--why", "x"], 1, f"{DIGEST} is not marked"),
    ],
)
def test_what_cannot_be_done(folder: Path, arguments: list[str], code: int, said: str) -> None:
    """It is said, and nothing is written."""
    result = run("deploy", *arguments, "--data", folder)
    assert result.exit_code == code
    assert said in result.stderr
    assert told(folder) == []


def test_paused_twice(folder: Path) -> None:
    """The second changes nothing."""
    run("deploy", "pause", "web", "--why", "x", "--data", folder)
    again = run("deploy", "pause", "web", "--why", "y", "--data", folder)
    assert (again.exit_code, len(told(folder))) == (1, 1)


def test_a_paused_rule_that_left_the_file(folder: Path) -> None:
    """Its pause can be ended all the same."""
    run("deploy", "pause", "late", "--why", "x", "--data", folder)
    file = folder / "wharfinger.yml"
    file.write_text("\n".join(line for line in file.read_text().splitlines() if "name: late" not in line))
    assert run("deploy", "resume", "late", "--why", "x", "--data", folder).exit_code == 0


def test_votes(folder: Path) -> None:
    """Two users approve one delivery: each vote is a record, and wakes what waits; the pusher's own is not taken."""
    settle(folder, "e1", rule="web")
    look(folder, "e1", DeliveryState.HELD, "0 of 2 approvals")
    first = vote(folder, "approve", "dlv_e1")
    assert (first.exit_code, first.stdout) == (0, f"approved shop/cart:v1 ({DIGEST}) for prod: 1 of 2\n")
    assert due(folder) == ["dlv_e1"]
    assert vote(folder, "approve", "dlv_e1", account="admin").stdout.endswith(": 2 of 2\n")
    assert told(folder) == [("approve", "admin", ""), ("approve", "hussein", "")]
    found = parsed(run("deploy", "list", "--json", "--data", folder))
    assert [one["account"] for one in found["deliveries"][0]["votes"]] == ["hussein", "admin"]


def test_a_tag_that_was_pushed_again(folder: Path) -> None:
    """What is approved is what was pushed then: that it is another digest by now is told, in the list and to who votes."""
    settle(folder, "e1", rule="web")
    settle(folder, "e2", rule="late", digest=OTHER, target="late")
    found = parsed(run("deploy", "list", "--json", "--data", folder))["deliveries"]
    assert [(one["digest"], one["by_now"]) for one in found] == [(DIGEST, OTHER), (OTHER, "")]
    assert run("deploy", "list", "--data", folder).stdout.count("v1 is another digest by now") == 1
    said = vote(folder, "approve", "dlv_e1").stdout
    assert said.endswith(f": 1 of 2; but v1 is {OTHER} by now, which nobody approves by this\n")


def test_a_rejection(folder: Path) -> None:
    """With why."""
    settle(folder, "e1", rule="web")
    result = vote(folder, "reject", "dlv_e1", "--why", "breaks the checkout")
    assert (result.exit_code, result.stdout) == (0, f"rejected shop/cart:v1 ({DIGEST}) for prod\n")
    assert told(folder) == [("reject", "hussein", "breaks the checkout")]


@pytest.mark.parametrize(
    ("account", "given", "delivery", "said"),
    [
        ("hussein", "wrong", "dlv_web", "that is not the password of a user hussein: nobody voted"),
        ("hussein", "", "dlv_web", "that is not the password of a user hussein: nobody voted"),
        ("nobody", "x", "dlv_web", "that is not the password of a user nobody: nobody voted"),
        ("", "", "dlv_web", "that is not the password of a user : nobody voted"),
        ("wharfinger", None, "dlv_web", "wharfinger is none of the rule's approvers"),
        ("hussein", None, "dlv_nobody", "there is no delivery dlv_nobody that waits"),
        ("hussein", None, "dlv_over", "there is no delivery dlv_over that waits"),
        ("hussein", None, "dlv_all", "dlv_all is of rule all, which asks for no approvals"),
        ("hussein", None, "dlv_own", "hussein pushed it, and four_eyes asks for another"),
        ("hussein", None, "dlv_late", "dlv_late could be approved until "),
    ],
)
def test_votes_that_are_not_taken(folder: Path, account: str, given: str | None, delivery: str, said: str) -> None:
    """Of who is not who he says, or may not; on what asks for none, is over, or was to be approved before. All or none."""
    for name, rule, age in (("web", "web", 0), ("all", "all", 0), ("late", "late", 3_700_000), ("over", "web", 0)):
        settle(folder, name, rule=rule, age_ms=age, target=name)
    settle(folder, "own", rule="web", account="hussein")
    look(folder, "over", DeliveryState.DELIVERED, "")
    if given is None and account == "wharfinger":
        given = (folder / "wharfinger.password").read_text().strip()
    result = vote(folder, "approve", "dlv_web", delivery, account=account, given=given)
    assert (result.exit_code, said in result.stderr) == (1, True), result.stderr
    assert told(folder) == []


def test_the_password_is_no_argument(folder: Path) -> None:
    """Nor is it shown: it comes from standard input alone, also one that is no text."""
    settle(folder, "e1", rule="web")
    result = CliRunner().invoke(
        main, ["deploy", "approve", "dlv_e1", "--as", "hussein", "--data", str(folder)], input=b"\xff\xfe\n"
    )
    assert result.exit_code == 1
    secret = password(folder, "hussein")
    assert secret not in vote(folder, "approve", "dlv_e1").output


def test_bad_digests(folder: Path) -> None:
    """Marked, shown, and taken back; what waits with one is looked at."""
    settle(folder, "e1", rule="all")
    look(folder, "e1", DeliveryState.HELD, "cooldown")
    settle(folder, "e2", rule="all", digest=OTHER, target="late")
    look(folder, "e2", DeliveryState.UNDONE, "never healthy")
    assert run("deploy", "block", DIGEST, "--why", "CVE", "--data", folder).stdout == f"blocked {DIGEST} everywhere\n"
    assert due(folder) == ["dlv_e1"]
    assert (
        run("deploy", "block", DIGEST, "--target", "late", "--why", "x", "--data", folder).stdout
        == f"blocked {DIGEST} at late\n"
    )
    found = parsed(run("deploy", "blocked", "--json", "--data", folder))["blocked"]
    assert {(one["digest"], one["target"], one["who"], one["why"]) for one in found} == {
        (DIGEST, "", OWN, "CVE"), (DIGEST, "late", OWN, "x"), (OTHER, "late", "", "it was undone there: never healthy"),
    }  # fmt: skip
    shown = run("deploy", "blocked", "--data", folder).stdout
    assert all(word in shown for word in ("everywhere", "a deployment that was undone", OWN, OTHER))
    assert run("deploy", "unblock", DIGEST, "--target", "late", "--why", "x", "--data", folder).exit_code == 0
    assert (
        run("deploy", "unblock", OTHER, "--why", "x", "--data", folder).stdout
        == f"unblocked {OTHER}; push it again to deploy it\n"
    )
    assert [one["why"] for one in parsed(run("deploy", "blocked", "--json", "--data", folder))["blocked"]] == ["CVE"]


def test_once_more(folder: Path) -> None:
    """A delivery that was undone is tried again, though its digest is marked; one that is not there, or waits, is not."""
    settle(folder, "e1", rule="all")
    assert run("deploy", "force", "dlv_e1", "--why", "x", "--data", folder).exit_code == 1
    look(folder, "e1", DeliveryState.UNDONE, "never healthy")
    forced = run("deploy", "force", "dlv_e1", "--why", "the disk was full", "--data", folder)
    assert (forced.exit_code, forced.stdout) == (0, "dlv_e1 is tried again\n")
    assert due(folder) == ["dlv_e1"]
    assert parsed(run("deploy", "blocked", "--json", "--data", folder))["blocked"] == []
    assert told(folder) == [("force", OWN, "the disk was full")]
    none = run("deploy", "force", "dlv_e9", "--why", "x", "--data", folder)
    assert (none.exit_code, "there is no delivery dlv_e9 that was refused or undone" in none.stderr) == (1, True)


def test_a_long_list(folder: Path) -> None:
    """The oldest are shown, and how many more there are; nothing is said of what is over."""
    assert "nothing waits" in run("deploy", "list", "--data", folder).stdout
    for number in range(3):
        settle(folder, f"e{number}", rule="all", target=f"t{number}")
    look(folder, "e0", DeliveryState.DELIVERED, "")
    look(folder, "e1", DeliveryState.HELD, "cooldown until noon", until=now_ms() + 10**6)
    text = run("deploy", "list", "--limit", "1", "--data", folder).stdout
    assert "dlv_e1" in text
    assert "cooldown until noon" in text
    assert "and 1 more" in text
    found = parsed(run("deploy", "list", "--limit", "1", "--json", "--data", folder))
    assert (found["waiting"], len(found["deliveries"])) == (2, 1)


@pytest.mark.real
def test_a_password_from_a_terminal(folder: Path) -> None:
    """It is asked for, and not shown: the terminal echoes nothing while it is typed."""
    settle(folder, "e1", rule="web")
    command = [
        sys.executable,
        "-m",
        "wharfinger.cli.main",
        "deploy",
        "approve",
        "dlv_e1",
        "--as",
        "hussein",
        "--data",
        str(folder),
    ]
    ours, theirs = os.openpty()
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True) as program:
        wait_until("the prompt", lambda: not termios.tcgetattr(ours)[3] & termios.ECHO)
        os.write(ours, password(folder, "hussein").encode() + b"\n")
        assert program.wait(60) == 0
    shown = os.read(ours, 65_536).decode()
    os.close(ours)
    os.close(theirs)
    assert "Password of hussein" in shown
    assert "1 of 2" in shown
    assert password(folder, "hussein") not in shown
    assert told(folder) == [("approve", "hussein", "")]
