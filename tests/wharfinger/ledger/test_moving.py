"""A ledger moved into another database, SQLite and PostgreSQL: the same rows, the same root, every proof, and one ledger after it."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import select

from tests.wharfinger.ledger import logs
from tests.wharfinger.ledger.crashes import killed_at
from tests.wharfinger.ledger.logs import KEYS, NOW, fill, sign, size_of
from wharfinger.ledger import schema
from wharfinger.ledger.database import Database
from wharfinger.ledger.erasure import erase_account
from wharfinger.ledger.errors import LedgerMisuse, LedgerUnavailable
from wharfinger.ledger.moving import Head, head, move
from wharfinger.ledger.proving import make_receipt
from wharfinger.ledger.pruning import Kept as Pruned
from wharfinger.ledger.pruning import prune
from wharfinger.ledger.receipt import Receipt
from wharfinger.ledger.settlement import commit
from wharfinger.ledger.verification.anchors import Kept
from wharfinger.ledger.verification.whole import verify_whole

SIZE = 700


@pytest.fixture
def old(tmp_path: Path) -> str:
    """A ledger with every kind of row: erased and pruned records, receipts, deliveries, tags, checkpoints."""
    url = f"sqlite:///{tmp_path}/old.db"
    with closing(Database(url)) as database:
        fill(database, SIZE)
        sign(database)
        commit(database, [logs.event(SIZE, jti="")], now_ms=NOW + SIZE)
        prune(database, {Pruned.PULLS: 10_000 - 200}, now_ms=NOW + 10_000)
        logs.erase(database, 1)
        sign(database)
    return url


def alone(url: str) -> Database:
    """The old one, had alone."""
    return Database(url, create=False, alone=True)


def rows(database: Database) -> Iterator[tuple[str, list[tuple[object, ...]]]]:
    """All there is."""
    with database.reading() as connection:
        for table in schema.metadata.sorted_tables:
            yield table.name, [tuple(row) for row in connection.execute(select(table).order_by(*table.primary_key.columns))]


def moved(old: str, ledger: Database) -> Head | None:
    """Move, and verify what came."""
    with closing(alone(old)) as source:
        return move(source, ledger, prove=lambda: verify_whole(ledger, KEYS).proved)


def test_everything_is_there_and_proved(old: str, ledger: Database) -> None:
    """Row by row the same; the same root, held to checkpoint and receipt from before; and it goes on as one log."""
    with closing(Database(old)) as source:
        before = dict(rows(source))
        receipt = make_receipt(source, KEYS, 3)
        with source.reading() as connection:
            root = head(connection)
        assert verify_whole(source, KEYS).proved
    assert moved(old, ledger) == root
    assert dict(rows(ledger)) == before
    assert all(
        before[name]
        for name in ("words", "records", "erased", "pruned", "raw_events", "tiles", "issuances", "tags", "deliveries")
    )
    assert isinstance(receipt, Receipt)
    assert verify_whole(ledger, KEYS, kept=[Kept(receipt.signed, "a receipt")]).findings.kept == []
    assert make_receipt(ledger, KEYS, 3) == receipt
    commit(ledger, [logs.event(9_000), logs.event(SIZE)], now_ms=NOW + 20_000)
    sign(ledger)
    assert (size_of(ledger), verify_whole(ledger, KEYS).findings.kept) == (root.size + 1, [])
    assert erase_account(ledger, "zoë", now_ms=NOW + 20_000).records > 100


def test_the_old_one_is_opened_no_more(old: str, ledger: Database) -> None:
    """Neither to write nor to read: nobody goes on with half of the trail by mistake."""
    moved(old, ledger)
    for create in (True, False):
        with pytest.raises(LedgerMisuse, match="was moved to another database"):
            Database(old, create=create)


def test_somebody_has_it_open(old: str, ledger: Database) -> None:
    """Even if he does nothing just now: he might write what would be left behind. And while it is moved, nobody opens it."""
    with closing(Database(old)), pytest.raises(LedgerUnavailable, match="locked"):
        alone(old)
    with closing(alone(old)), pytest.raises(LedgerUnavailable, match="locked"):
        alone(old)
    assert moved(old, ledger) is not None


def test_only_into_an_empty_one(old: str, ledger: Database) -> None:
    """What is there is somebody's trail."""
    fill(ledger, 10)
    with pytest.raises(LedgerMisuse, match="not empty"):
        moved(old, ledger)
    assert size_of(ledger) == 10
    with closing(Database(old, create=False)) as source:
        assert verify_whole(source, KEYS).proved


def test_what_is_not_proved_is_not_moved(old: str, ledger: Database) -> None:
    """The old one goes on being the ledger."""
    with closing(alone(old)) as source:
        assert move(source, ledger, prove=lambda: False) is None
    with closing(Database(old, create=False)) as source:
        assert verify_whole(source, KEYS).proved


@pytest.mark.parametrize(
    ("statement", "after", "there"),
    [
        pytest.param("INSERT INTO checkpoints", False, False, id="in the middle"),
        pytest.param("COMMIT", False, False, id="before the new one's commit"),
        pytest.param("COMMIT", True, True, id="after it, before the mark in the old one"),
    ],
)
def test_a_crash(old: str, ledger: Database, statement: str, *, after: bool, there: bool) -> None:
    """Nothing is lost and nothing is there twice; the same call again goes on."""

    def work() -> None:
        with closing(alone(old)) as source, closing(Database(ledger.url, create=False)) as target:
            move(source, target, prove=lambda: True)

    with closing(Database(old)) as source, source.reading() as connection:
        before = head(connection)
    killed_at(statement, work, after=after)
    assert size_of(ledger) == (before.size if there else 0)
    assert moved(old, ledger) == before
    assert verify_whole(ledger, KEYS).findings.kept == []


def test_postgresql_is_not_had_alone() -> None:
    """Only a file can be."""
    with pytest.raises(LedgerMisuse, match="had alone"):
        Database("postgresql://nobody@127.0.0.1:1/x", create=False, alone=True)
