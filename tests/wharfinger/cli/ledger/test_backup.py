"""``wharfinger ledger backup``: what it prints, and what it makes."""

from contextlib import closing
from pathlib import Path

from tests.wharfinger.cli.houses import house, parsed, run
from wharfinger.ledger.database import Database


def test_a_copy(folder: Path) -> None:
    """Made while somebody has the ledger open; its size and root are printed, and it is proved as a ledger of its own."""
    copy = folder / "copy.db"
    with closing(Database(f"sqlite:///{folder}/ledger.db")):
        told = parsed(run("ledger", "backup", copy, "--json", "--data", folder))
    proved = parsed(run("audit", "verify", "--json", "--data", folder))
    assert (told["file"], told["size"], told["root"]) == (str(copy), proved["size"], proved["root"])
    config = (folder / "wharfinger.yml").read_text()
    (folder / "wharfinger.yml").write_text(f'{config}\nledger: {{url: "sqlite:///{copy}"}}\n')
    again = parsed(run("audit", "verify", "--json", "--data", folder))
    assert (again["proved"], again["root"]) == (True, told["root"])
    found = run("ledger", "backup", folder / "another.db", "--data", folder)
    assert (found.exit_code, found.stdout) == (
        0,
        f"{folder}/another.db: a log of {told['size']} records, root {told['root']}\n",
    )


def test_what_is_there_already(folder: Path) -> None:
    """Exit code 3, and it is not touched."""
    (folder / "copy.db").write_text("mine")
    found = run("ledger", "backup", folder / "copy.db", "--data", folder)
    assert (found.exit_code, "is there already" in found.stderr) == (3, True)
    assert (folder / "copy.db").read_text() == "mine"


def test_no_ledger(tmp_path: Path) -> None:
    """None is made by looking for it."""
    made = house(tmp_path / "data")
    found = run("ledger", "backup", tmp_path / "copy.db", "--data", made)
    assert (found.exit_code, "there is no ledger" in found.stderr) == (3, True)


def test_postgresql_has_its_own(tmp_path: Path) -> None:
    """Exit code 2, and what to do."""
    made = house(tmp_path / "data")
    config = (made / "wharfinger.yml").read_text()
    (made / "wharfinger.yml").write_text(config + '\nledger: {url: "postgresql://nobody@127.0.0.1:1/x"}\n')
    found = run("ledger", "backup", tmp_path / "copy.db", "--data", made)
    assert (found.exit_code, "pg_dump" in found.stderr) == (2, True)
