"""`audit verify`: its ways to look, its exit codes, and what it tells."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.wharfinger.cli.audit.conftest import Run
from tests.wharfinger.ledger import logs, vectors
from wharfinger.cli.main import main
from wharfinger.ledger import schema
from wharfinger.ledger.database import Database
from wharfinger.ledger.settlement import commit

SIZE = schema.records.c.size


@pytest.fixture
def signed(run: Run, database: Database) -> Database:
    """A signed log."""
    assert run("checkpoint").exit_code == 0
    return database


WAYS = [[], ["--hashes"], ["--from", 3], ["--to", 3], ["--from", 3, "--to", 3]]


@pytest.mark.usefixtures("signed")
@pytest.mark.parametrize("way", WAYS, ids=str)
def test_a_sound_log(run: Run, way: list[object]) -> None:
    """Proved, whichever way it is looked at."""
    result = run("verify", *way)
    assert result.exit_code == 0, result.stdout
    assert "proved up to the checkpoint of 10 records" in result.stdout


def test_a_changed_record(run: Run, signed: Database) -> None:
    """Named with its number; a range that does not hold it does not mind, nor do the hashes."""
    for seq in (5, 8):
        logs.rewrite(signed, SIZE, lambda size: size + 1, seq=seq)
    result = run("verify")
    assert result.exit_code == 1
    assert "changed  record 5: its row does not give its leaf" in result.stdout
    assert "not proved" in result.stdout
    assert run("verify", "--hashes").exit_code == 0
    told = json.loads(run("verify", "--json").stdout)
    assert (told["proved"], told["counts"]) == (False, {"changed": 2})
    assert [one["seq"] for one in told["findings"]] == [5, 8]


@pytest.mark.usefixtures("signed")
def test_many_findings_are_summed_up(run: Run, database: Database) -> None:
    """Twenty are printed, and how many more there are."""
    logs.commit(database, [logs.event(number) for number in range(10, 40)], now_ms=logs.NOW)
    run("checkpoint")
    logs.rewrite(database, SIZE, lambda size: size + 1)
    result = run("verify")
    assert "and 20 findings more" in result.stdout


def test_what_is_newer_than_any_checkpoint_is_told(run: Run, signed: Database) -> None:
    """It is proved up to there, and no further."""
    logs.commit(signed, [logs.event(10)], now_ms=logs.NOW)
    result = run("verify")
    assert result.exit_code == 0
    assert "the last 1 are newer than any checkpoint" in result.stdout


@pytest.mark.usefixtures("database")
def test_an_unsigned_log(run: Run) -> None:
    """Nobody vouches for it."""
    result = run("verify")
    assert (result.exit_code, "unsigned" in result.stdout) == (1, True)


def test_against_what_was_kept(run: Run, signed: Database, folder: Path) -> None:
    """A log whose own checkpoints are gone, with one that was kept; then cut short behind it."""
    kept = folder / "kept"
    run("checkpoint", "--to", kept)
    with signed.writing() as connection:
        connection.execute(schema.checkpoints.delete())
    assert run("verify").exit_code == 1
    for way in WAYS:
        assert run("verify", "--checkpoint", kept, *way).exit_code == 0
    logs.rewrite(signed, schema.tree.c.size, lambda _size: 6)
    assert "truncated" in run("verify", "--hashes", "--checkpoint", kept).stdout


@pytest.mark.usefixtures("signed")
@pytest.mark.parametrize("content", ["", "\n", "not a note", vectors.C2SP_NOTE])
def test_a_file_that_holds_no_checkpoints(run: Run, folder: Path, content: str) -> None:
    """A fault of usage, not of the log."""
    (folder / "kept").write_text(content)
    assert run("verify", "--checkpoint", folder / "kept").exit_code == 2


@pytest.mark.usefixtures("signed")
@pytest.mark.parametrize(
    "arguments",
    [
        ["--from", 10],
        ["--from", 5, "--to", 4],
        ["--hashes", "--from", 1],
        ["--disclosed", "wharfinger.yml"],
        ["--receipt", "wharfinger.yml", "--hashes"],
        ["--receipt", "wharfinger.yml", "--from", 1],
        ["--checkpoint", "nowhere"],
        ["--vkey", "x"],
    ],
    ids=str,
)
def test_usage(run: Run, arguments: list[object]) -> None:
    """What does not go together, or is not there."""
    assert run("verify", *arguments).exit_code == 2


@pytest.mark.usefixtures("signed")
def test_whose_key(run: Run, folder: Path, vkey: str) -> None:
    """Without the log's key a verifier key is needed; the wrong one proves nothing."""
    (folder / "log.key").unlink()
    assert run("verify").exit_code == 2
    assert run("verify", "--vkey", vkey).exit_code == 0
    assert run("verify", "--vkey", vectors.LOG_VKEY).exit_code == 1
    assert run("verify", "--vkey", vkey, "--vkey", str(vectors.WITNESS.verifier)).exit_code == 0


def test_no_ledger(run: Run) -> None:
    """Unavailable."""
    assert run("verify").exit_code == 3


def alone(*arguments: object) -> tuple[int, str]:
    """The command where there is neither ledger nor configuration."""
    result = CliRunner().invoke(main, ["audit", "verify", "--data", "/nowhere", *map(str, arguments)])
    return result.exit_code, result.stdout


def test_a_receipt_needs_nothing_else(run: Run, folder: Path, vkey: str) -> None:
    """With the verifier key alone; with the values that were disclosed; as JSON."""
    run("prove", "6", "--disclose")
    receipt, beside = folder / "record-6.tlog-proof", folder / "record-6.disclosed.json"
    code, told = alone("--receipt", receipt, "--vkey", vkey)
    assert (code, "proved  record 6" in told, "zoë" in told) == (0, True, False)
    code, told = alone("--receipt", receipt, "--disclosed", beside, "--vkey", vkey)
    assert (code, "zoë" in told) == (0, True)
    code, told = alone("--receipt", receipt, "--disclosed", beside, "--vkey", vkey, "--json")
    assert json.loads(told)["disclosed"]["account"] == "zoë"
    assert json.loads(told)["record"]["seq"] == 6


def test_what_strangers_wrote_does_not_steer_a_terminal(run: Run, database: Database, folder: Path, vkey: str) -> None:
    """Neither where a receipt is made, nor where it is verified, often by somebody else."""
    hostile = "\x1b[2J\x9b31m\u202e\r\nproved"
    odd = logs.event(10, tag=hostile)
    record = odd.record.with_personal(replace(odd.record.personal, user_agent=hostile))
    commit(database, [replace(odd, record=record)], now_ms=logs.NOW + 10)
    made = run("prove", "10", "--disclose")
    assert made.exit_code == 0
    receipt, beside = folder / "record-10.tlog-proof", folder / "record-10.disclosed.json"
    code, told = alone("--receipt", receipt, "--disclosed", beside, "--vkey", vkey)
    assert code == 0
    for output in (made.stderr, told):
        assert "\\x1b[2J" in output
        assert not {"\x1b", "\x9b", "\u202e", "\r"} & set(output)


def test_a_receipt_that_proves_nothing(run: Run, folder: Path, vkey: str) -> None:
    """Another key, a key that has not signed, another entry, other values, noise: exit code 1, and why."""
    run("prove", "6", "--disclose")
    receipt, beside = folder / "record-6.tlog-proof", folder / "record-6.disclosed.json"
    assert alone("--receipt", receipt, "--vkey", vectors.LOG_VKEY)[0] == 1
    assert alone("--receipt", receipt, "--vkey", vkey, "--vkey", str(vectors.WITNESS.verifier))[0] == 1
    beside.write_text(beside.read_text().replace("zoë", "eve"))
    code, told = alone("--receipt", receipt, "--disclosed", beside, "--vkey", vkey)
    assert (code, "is not what the record commits to" in told) == (1, True)
    receipt.write_text(receipt.read_text().replace("index 6", "index 7"))
    code, told = alone("--receipt", receipt, "--vkey", vkey, "--json")
    assert (code, json.loads(told)["proved"]) == (1, False)
    receipt.write_text("noise")
    code, told = alone("--receipt", receipt, "--vkey", vkey)
    assert (code, "malformed" in told) == (1, True)


@pytest.mark.usefixtures("signed")
def test_a_receipt_with_the_configurations_key(run: Run, folder: Path) -> None:
    """On the log's own machine no key need be given."""
    run("prove", "6")
    assert run("verify", "--receipt", folder / "record-6.tlog-proof").exit_code == 0
