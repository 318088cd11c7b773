"""`audit prove`: receipts in files, the values beside them when asked, and nothing when nothing can be proved."""

import json
from pathlib import Path

import pytest

from tests.outside import open_receipt
from tests.wharfinger.cli.audit.conftest import Run
from tests.wharfinger.ledger import logs
from wharfinger.ledger import schema
from wharfinger.ledger.database import Database


def test_a_receipt_in_a_file(run: Run, folder: Path, vkey: str) -> None:
    """Signed first when no checkpoint has the record; verified by others; the command says which record it took."""
    result = run("prove", "shop/cart:v1")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "record 3: event push manifest shop/cart:v1" in result.stderr
    assert "also named: 2: event push" in result.stderr
    record, opened = open_receipt((folder / "record-3.tlog-proof").read_text(), vkey)
    assert (record["tag"], record["repository"], opened.size) == ("v1", "shop/cart", 10)
    assert [file.name for file in folder.glob("record-*")] == ["record-3.tlog-proof"]


def test_another_record_of_the_reference(run: Run, folder: Path, vkey: str) -> None:
    """Chosen by number, written where it is said."""
    assert run("prove", "shop/cart:v1", "--seq", 2, "--out", folder / "mine.tlog-proof").exit_code == 0
    record, _ = open_receipt((folder / "mine.tlog-proof").read_text(), vkey)
    assert record["seq"] == 2


def test_to_standard_output(run: Run, vkey: str) -> None:
    """The receipt alone; what is told goes elsewhere, JSON too."""
    for extra in ([], ["--json"]):
        result = run("prove", "7", "--out", "-", *extra)
        assert open_receipt(result.stdout, vkey)[0]["seq"] == 7
        assert result.stderr


@pytest.mark.usefixtures("vkey")
def test_disclosing(run: Run, folder: Path) -> None:
    """All personal values, or one alone, in a file of its own that nobody else reads; the receipt tells of nobody."""
    run("prove", "6", "--disclose")
    beside = folder / "record-6.disclosed.json"
    assert "zoë" not in (folder / "record-6.tlog-proof").read_text()
    assert set(json.loads(beside.read_text())["personal"]) == {
        "account", "actor", "client_addr", "claimed_addr", "user_agent", "raw_sha256"
    }  # fmt: skip
    assert beside.stat().st_mode & 0o077 == 0
    run("prove", "6", "--field", "client_addr")
    assert json.loads(beside.read_text())["personal"].keys() == {"client_addr"}
    run("prove", "6", "--field", "account", "--out", "-")
    assert json.loads(beside.read_text())["personal"]["account"]["value"] == "zoë"


def test_as_json(run: Run, vkey: str) -> None:
    """What was written where, and the record as it is proved."""
    told = json.loads(run("prove", "6", "--disclose", "--json").stdout)
    assert (told["seq"], told["file"], told["disclosed"]) == (6, "record-6.tlog-proof", "record-6.disclosed.json")
    assert (told["record"]["repository"], told["vkeys"], told["size"]) == ("shop/cart", [vkey], 10)


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("arguments", [["nobody"], ["99"], ["shop/cart:v1", "--seq", 7]])
def test_what_is_not_there(run: Run, folder: Path, arguments: list[object]) -> None:
    """No file, and exit code 1."""
    result = run("prove", *arguments)
    assert (result.exit_code, "knows no record" in result.stderr) == (1, True)
    assert list(folder.glob("record-*")) == []


def test_what_was_erased(run: Run, database: Database, folder: Path) -> None:
    """A receipt can be made; its values cannot be disclosed, and then nothing is written."""
    logs.erase(database, 6)
    result = run("prove", "6", "--disclose")
    assert (result.exit_code, "were erased" in result.stderr) == (1, True)
    assert list(folder.glob("record-*")) == []
    assert run("prove", "6").exit_code == 0


def test_what_was_changed(run: Run, database: Database, folder: Path) -> None:
    """The reason, and no file."""
    logs.rewrite(database, schema.records.c.size, lambda size: size + 1, seq=6)
    result = run("prove", "6")
    assert (result.exit_code, "does not give its leaf" in result.stderr) == (1, True)
    assert list(folder.glob("record-*")) == []


def test_a_log_that_may_not_be_signed(run: Run, database: Database) -> None:
    """No checkpoint has the record, and signing is refused."""
    run("checkpoint")
    logs.rewrite(database, schema.checkpoints.c.size, lambda _size: 5)
    logs.rewrite(database, schema.tree.c.frontier, logs.swapped)
    result = run("prove", "9")
    assert (result.exit_code, "wharfinger audit verify" in result.stderr) == (1, True)


@pytest.mark.usefixtures("database")
def test_where_no_key_is(run: Run, folder: Path, vkey: str) -> None:
    """A machine without the log's key proves what is signed, and says that it signs nothing."""
    config = folder / "wharfinger.yml"
    config.write_text(config.read_text() + f"\nledger:\n  former_vkeys: ['{vkey}']\n")
    (folder / "log.key").rename(folder / "away.key")
    result = run("prove", "6")
    assert (result.exit_code, "signs none" in result.stderr) == (1, True)
    (folder / "away.key").rename(folder / "log.key")
    run("checkpoint")
    (folder / "log.key").unlink()
    assert run("prove", "6").exit_code == 0


@pytest.mark.usefixtures("database")
def test_a_file_that_cannot_be_written(run: Run, folder: Path) -> None:
    """Told, with its name."""
    result = run("prove", "6", "--out", folder / "nowhere/x.tlog-proof")
    assert result.exit_code != 0
    assert "nowhere" in result.stderr
