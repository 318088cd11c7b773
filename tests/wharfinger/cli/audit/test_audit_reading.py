"""`audit search`, `export` and `follow` on a small ledger, as people and scripts call them."""

import json
import os
import pty
import subprocess
import sys
import tty
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from wharfinger.cli import init
from wharfinger.cli.audit.criteria import moment_ms
from wharfinger.cli.main import main
from wharfinger.cli.templates import Ports
from wharfinger.ledger.database import Database
from wharfinger.ledger.reading import Stored
from wharfinger.ledger.record import AuditRecord, Personal, RecordKind
from wharfinger.ledger.settlement import commit
from wharfinger.ledger.values import Entry

NOW_MS = 1_795_477_894_000


def push(number: int, repository: str = "team/web") -> Entry:
    """A push of zoe's."""
    record = AuditRecord(
        kind=RecordKind.EVENT, recorded_at=NOW_MS, occurred_at=NOW_MS, source="main", event_id=f"e{number}", event_sha=f"{number:064x}",
        action="push", object_kind="manifest", repository=repository, tag=f"v{number}", digest=f"sha256:{number:064x}", verdict="exact",
        personal=Personal(account="zoe", raw_sha256=f"{number:064x}"),
    )  # fmt: skip
    return Entry(record)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data folder with a ledger of three records."""
    init.make(tmp_path, (), Ports(5_001, 5_002, 5_000))
    database = Database(f"sqlite:///{tmp_path}/ledger.db")
    commit(database, [push(1), push(2, "other"), push(3)], now_ms=NOW_MS)
    database.close()
    return tmp_path


def run(folder: Path, *arguments: str) -> Result:
    """The command on a folder."""
    return CliRunner().invoke(main, ["--data", str(folder), "audit", *arguments])


def test_search_prints_one_record_a_line(folder: Path) -> None:
    """With the keys of the design, newest first."""
    found = run(folder, "search", "--repository", "team/*", "--json")
    assert found.exit_code == 0, found.output
    records = [json.loads(one) for one in found.stdout.splitlines()]
    assert [(one["event_id"], one["attribution"]["account"]) for one in records] == [("e3", "zoe"), ("e1", "zoe")]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--account", "nobody"], 1, ""),
        (["--limit", "2"], 0, "more: --before"),
        (["--grouped"], 0, "zoe pushed team/web:v3"),
        (["--repository", "t**"], 0, "team/web"),
        (["--verdict", "splendid"], 2, "'splendid' is not known"),
        (["--since", "soon"], 2, "'soon' is no time"),
        (["--since", "1h"], 1, ""),
    ],
)
def test_search_for_people(folder: Path, arguments: list[str], code: int, said: str) -> None:
    """Tables, pages, groups; a wrong word is told, not guessed; nothing found is exit code 1."""
    found = run(folder, "search", *arguments)
    assert (found.exit_code, said in found.output) == (code, True), found.output


def test_groups_for_programs(folder: Path) -> None:
    """One push a line, newest first, with the numbers of the records under it."""
    found = [json.loads(one) for one in run(folder, "search", "--grouped", "--json").stdout.splitlines()]
    assert [(one["kind"], one["repository"], one["tags"], one["seqs"]) for one in found] == [
        ("push", "team/web", ["v3"], [2]), ("push", "other", ["v2"], [1]), ("push", "team/web", ["v1"], [0]),
    ]  # fmt: skip


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 100])
def test_a_group_is_whole_on_one_page(folder: Path, limit: int) -> None:
    """Wherever pages are cut, each push is told once, with all its blobs, though two people pushed at once."""
    made = [push(10 + at, "app").record for at in range(14)]
    made = [replace(one, personal=replace(one.personal, account=("zoe", "yan")[at % 2])) for at, one in enumerate(made)]
    blobs = [Entry(replace(one, object_kind="blob", tag="")) for one in made[:-2]]
    database = Database(f"sqlite:///{folder}/ledger.db")
    commit(database, [*blobs, *map(Entry, made[-2:])], now_ms=NOW_MS)
    database.close()
    told, cursor = [], list[str]()
    while True:
        page = run(folder, "search", "--grouped", "--json", "--limit", str(limit), *cursor)
        told += [json.loads(one) for one in page.stdout.splitlines()]
        if "more: --before" not in page.stderr:
            break
        cursor = ["--before", page.stderr.split()[-1]]
    assert [(one["account"], one["repository"], one["blobs"]) for one in told if one["repository"] == "app"] == [
        ("yan", "app", 6), ("zoe", "app", 6),
    ]  # fmt: skip
    assert len(told) == 5


def test_what_a_tag_was_before(folder: Path) -> None:
    """A moved tag tells it wherever the push is shown: to people and to programs, one by one and grouped, traced and exported."""
    before, now = (f"sha256:{number:064x}" for number in (1, 9))
    database = Database(f"sqlite:///{folder}/ledger.db")
    commit(database, [Entry(replace(push(9).record, tag="v1"))], now_ms=NOW_MS)
    database.close()
    for told in (
        run(folder, "search", "--limit", "1"),
        run(folder, "search", "--limit", "1", "--grouped"),
        CliRunner().invoke(main, ["--data", str(folder), "trace", "team/web:v1"]),
    ):
        assert f"was {before[:19]}" in told.stdout, told.output
    newest = json.loads(run(folder, "search", "--json", "--limit", "1").stdout)
    grouped = json.loads(run(folder, "search", "--json", "--limit", "1", "--grouped").stdout)
    traced = json.loads(CliRunner().invoke(main, ["--data", str(folder), "trace", now, "--json"]).stdout)["events"][0]
    assert {one["previous_digest"] for one in (newest, grouped, traced)} == {before}
    for form in ("jsonl", "csv", "cloudevents", "ocsf"):
        assert before in run(folder, "export", "--format", form).stdout.splitlines()[-1]


def test_a_gap_for_people(folder: Path) -> None:
    """Of a registry as a whole, and of no client, not even an anonymous one."""
    database = Database(f"sqlite:///{folder}/ledger.db")
    record = AuditRecord(kind=RecordKind.GAP, recorded_at=NOW_MS, source="edge", event_id="gap/silent/1", reason="silent")
    commit(database, [Entry(record)], now_ms=NOW_MS)
    database.close()
    found = run(folder, "search", "--record", "gap")
    assert (found.exit_code, found.stdout.splitlines()[1].split()[-3:]) == (0, ["gap", "edge", "silent"])
    assert "anonymous" not in found.stdout


@pytest.mark.parametrize("form", ["jsonl", "csv", "cloudevents", "ocsf"])
def test_export_is_oldest_first_and_whole(folder: Path, form: str) -> None:
    """To a file that is there only when it is complete, and the same to a pipe."""
    file = folder / "out"
    assert run(folder, "export", "--format", form, "--to", str(file)).exit_code == 0
    lines = file.read_text().splitlines()
    assert len(lines) == 3 + (form == "csv")
    assert ["e1" in lines[-3], "e3" in lines[-1]] == [True, True]
    piped = run(folder, "export", "--format", form)
    assert piped.stdout.splitlines() == lines
    assert not list(folder.glob(".out*"))


@pytest.mark.parametrize("form", ["jsonl", "csv", "cloudevents", "ocsf"])
def test_export_to_a_terminal(folder: Path, form: str) -> None:
    """What strangers wrote does not steer it; a pipe gets it as it is."""
    database = Database(f"sqlite:///{folder}/ledger.db")
    commit(database, [push(4, "a\x1b[2J\x9b31m\u202e\r\nFAKE")], now_ms=NOW_MS)
    database.close()
    command = [sys.executable, "-m", "wharfinger.cli.main", "--data", str(folder), "audit", "export", "--format", form]
    outer, inner = pty.openpty()
    tty.setraw(inner)  # else it makes two letters of each newline
    with os.fdopen(outer, "rb", buffering=0) as ours, os.fdopen(inner, "wb") as theirs:
        subprocess.run(command, stdout=theirs, stderr=subprocess.DEVNULL, check=True, timeout=60)
        written = ours.read(65_536).decode()
    assert "[2J" in written
    assert not {"\x1b", "\x9b", "\u202e", "\r"} & set(written)
    assert not any(one.startswith("FAKE") for one in written.splitlines())


@pytest.mark.parametrize(
    ("name", "why"), [("nowhere/out", "No such file or directory"), ("wharfinger.yml/out", "Not a directory"), (".", "")]
)
def test_export_to_where_nothing_can_be(folder: Path, name: str, why: str) -> None:
    """Exit code 3, the path and the reason; nothing is left behind."""
    before = set(folder.rglob("*"))
    found = run(folder, "export", "--to", str(folder / name))
    assert (found.exit_code, found.stdout) == (3, "")
    assert f"{folder / name} cannot be written: {why}" in found.stderr
    assert set(folder.rglob("*")) == before


def test_export_selects(folder: Path) -> None:
    """By the criteria of a search."""
    assert len(run(folder, "export", "--repository", "other").stdout.splitlines()) == 1


def test_follow_prints_what_comes(folder: Path) -> None:
    """From a number on, also what is committed while it runs."""
    command = [sys.executable, "-m", "wharfinger.cli.main", "--data", str(folder), "audit", "follow", "--from", "1", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        assert program.stderr is not None
        assert program.stderr.readline() == "waiting for records; Ctrl+C ends\n"
        first = [json.loads(program.stdout.readline())["event_id"] for _ in range(2)]
        database = Database(f"sqlite:///{folder}/ledger.db")
        commit(database, [push(4)], now_ms=NOW_MS)
        database.close()
        then = json.loads(program.stdout.readline())["event_id"]
        program.terminate()
    assert [*first, then] == ["e2", "e3", "e4"]


def test_follow_outlives_a_ledger_that_is_away(folder: Path) -> None:
    """A database that is restarted ends no pipe: what was committed meanwhile comes, once."""
    command = [sys.executable, "-m", "wharfinger.cli.main", "--data", str(folder), "audit", "follow", "--from", "2", "--json"]
    database = Database(f"sqlite:///{folder}/ledger.db")
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        assert program.stderr is not None
        told = [json.loads(program.stdout.readline())["event_id"]]
        with database.writing() as connection:
            connection.exec_driver_sql("ALTER TABLE tree RENAME TO elsewhere")
        assert "waiting" in program.stderr.readline()
        assert "trying again" in program.stderr.readline()
        with database.writing() as connection:
            connection.exec_driver_sql("ALTER TABLE elsewhere RENAME TO tree")
        commit(database, [push(4)], now_ms=NOW_MS)
        told.append(json.loads(program.stdout.readline())["event_id"])
        program.terminate()
    database.close()
    assert told == ["e3", "e4"]


def test_a_record_is_one_line_in_a_pipe(folder: Path) -> None:
    """However long: what reads it counts lines."""
    database = Database(f"sqlite:///{folder}/ledger.db")
    commit(database, [push(4, "team/" + "x" * 200)], now_ms=NOW_MS)
    database.close()
    command = [sys.executable, "-m", "wharfinger.cli.main", "--data", str(folder), "audit", "follow", "--from", "2"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as program:
        assert program.stdout is not None
        lines = [program.stdout.readline() for _ in range(2)]
        program.terminate()
    assert ["team/web:v3" in lines[0], f"{'x' * 200}:v4 sha256:" in lines[1]] == [True, True]
    grouped = run(folder, "search", "--grouped", "--limit", "1").stdout
    assert (grouped.count("\n"), "x" * 200 in grouped) == (1, True)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("30d", 1_000_000_000 - 30 * 86_400_000),
        ("90m", 1_000_000_000 - 90 * 60_000),
        ("1970-01-02", 86_400_000),
        ("1970-01-01T01:00+01:00", 0),
    ],
)
def test_times(text: str, expected: int) -> None:
    """Ago, or absolute; UTC unless it says so."""
    assert moment_ms(text, now_s=1_000_000) == expected


def test_a_ledger_that_is_not_there(tmp_path: Path) -> None:
    """Looking makes none; exit code 3, and what to do."""
    init.make(tmp_path, (), Ports(5_001, 5_002, 5_000))
    found = run(tmp_path, "search")
    assert (found.exit_code, "start `wharfinger up`" in found.output) == (3, True)
    assert not (tmp_path / "ledger.db").exists()


@pytest.mark.parametrize(
    ("kind", "source", "account", "who"),
    [
        (RecordKind.EVENT, "main", "zoe", "zoe"),
        (RecordKind.EVENT, "main", "", "anonymous"),
        (RecordKind.REFUSAL, "", "", "anonymous"),
        (RecordKind.ALARM, "main", "", "anonymous"),
        (RecordKind.ALARM, "", "", ""),
        *((kind, "main", "", "") for kind in (RecordKind.QUARANTINE, RecordKind.ERASURE, RecordKind.PRUNING, RecordKind.GAP)),
    ],
)
def test_whose_a_record_is(kind: RecordKind, source: str, account: str, who: str) -> None:
    """Anonymous is a client that did not say who it is; what no client did is nobody's, a fault of the trail too."""
    record = AuditRecord(kind=kind, recorded_at=NOW_MS, source=source, personal=Personal(account=account))
    assert Stored(0, record, b"s").who == who
    assert Stored(0, record, None).who == "erased"
