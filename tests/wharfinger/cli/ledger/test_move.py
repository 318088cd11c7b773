"""``wharfinger ledger move``: the log is the same before and after, and whatever is in the way is told."""

from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import update

from tests.wharfinger.cli.houses import parsed, run
from wharfinger.ledger import schema
from wharfinger.ledger.database import Database
from wharfinger.ledger.moving import head


@pytest.fixture
def configured(folder: Path, ledger_url: str) -> Path:
    """The folder, whose configuration names another database now."""
    config = (folder / "wharfinger.yml").read_text()
    (folder / "wharfinger.yml").write_text(f'{config}\nledger: {{url: "{ledger_url.replace("+psycopg", "")}"}}\n')
    (folder / "ledger.db").replace(folder / "old.db")
    for beside in folder.glob("ledger.db-*"):
        beside.replace(folder / beside.name.replace("ledger", "old"))
    return folder


def verified(folder: Path) -> dict[str, object]:
    """What `audit verify` says of the ledger that the configuration names."""
    found: dict[str, object] = parsed(run("audit", "verify", "--json", "--data", folder))
    return found


def test_the_same_log_before_and_after(folder: Path, configured: Path) -> None:
    """`audit verify` proves the same root, against a checkpoint kept elsewhere too; the trail is found, and the old file is not."""
    old = configured / "old.db"
    with closing(Database(f"sqlite:///{old}", create=False)) as source, source.reading() as connection:
        before = head(connection)
    moved = parsed(run("ledger", "move", "--from", old, "--json", "--data", folder))
    assert moved == {"size": before.size, "root": before.root.hex()}
    report = verified(folder)
    assert (report["proved"], report["size"], report["root"]) == (True, before.size, before.root.hex())
    assert run("trace", "shop/cart:v1", "--data", folder).exit_code == 0
    again = run("ledger", "move", "--from", old, "--data", folder)
    assert (again.exit_code, "was moved to another database" in again.stderr) == (2, True)


def test_somebody_has_it_open(folder: Path, configured: Path) -> None:
    """Exit code 3, and what to do; the old one is the ledger."""
    old = configured / "old.db"
    with closing(Database(f"sqlite:///{old}")):
        found = run("ledger", "move", "--from", old, "--data", folder)
    assert (found.exit_code, "stop `wharfinger up`" in found.stderr) == (3, True)
    assert run("ledger", "move", "--from", old, "--data", folder).exit_code == 0


def test_a_log_that_is_not_proved(folder: Path, configured: Path) -> None:
    """It is looked at where it is: exit code 1, and nothing is moved."""
    old = configured / "old.db"
    with closing(Database(f"sqlite:///{old}")) as source, source.writing() as connection:
        connection.execute(update(schema.records).where(schema.records.c.seq == 1).values(tag="v9"))
    found = run("ledger", "move", "--from", old, "--data", folder)
    assert (found.exit_code, "is not proved" in found.stderr) == (1, True)
    # Not even an empty ledger is there yet.
    assert run("audit", "verify", "--data", folder).exit_code == 3
