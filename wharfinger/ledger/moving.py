"""Moving a whole ledger into another database: every row as it is, so that the log is the same and every proof holds.

While it is moved nobody else has the old one open, so nothing is written that would be left behind. Crash before the new one's
commit: it is empty, and the old one as it was. Between that and the mark in the old one: both are whole and the same, which the
next call sees, and goes on. After: the old one is opened by nobody any more.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, Table, delete, func, select

from wharfinger.ledger import schema
from wharfinger.ledger.bulk import bulk_insert
from wharfinger.ledger.database import Database
from wharfinger.ledger.errors import LedgerMisuse
from wharfinger.ledger.log import read_tree
from wharfinger.ledger.merkle import Frontier
from wharfinger.ledger.upgrade import mark_moved

ROWS: Final = 5_000
"""In memory at a time."""

Told = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Head:
    """A log as it is: its size, and the root of all its records."""

    size: int
    root: bytes


def head(connection: Connection) -> Head:
    """The log's. Raises ValueError: its frontier is damaged."""
    tree = read_tree(connection)
    return Head(tree.size, Frontier.from_bytes(tree.size, tree.frontier).root())


def move(source: Database, target: Database, *, prove: Callable[[], bool], told: Told = lambda _rows: None) -> Head | None:
    """Move all of a ledger into an empty one.

    Args:
        source: the old ledger, had alone.
        target: the new one.
        prove: asked when all is there, whether the new ledger is proved.
        told: is told how many rows are copied.

    Returns:
        the log that is in the new one; None when it was not proved: the old one goes on being the ledger.

    Raises:
        LedgerUnavailable: one of them did not answer; nothing is moved.
        LedgerMisuse: the new one is not empty.
    """
    with source.writing() as old:
        before = head(old)
        with target.writing() as new:
            if head(new) != before:
                _require_empty(new)
                _copy(old, new, told)
        with target.reading() as new:
            moved = head(new)
        if moved != before or not prove():
            return None
        mark_moved(old)
    return moved


def _require_empty(connection: Connection) -> None:
    for table in schema.metadata.sorted_tables:
        if table is not schema.tree and _rows(connection, table):
            raise LedgerMisuse(f"the new ledger is not empty: it has rows in {table.name}")


def _copy(old: Connection, new: Connection, told: Told) -> None:
    copied = 0
    new.execute(delete(schema.tree))
    for table in schema.metadata.sorted_tables:
        query = select(table).order_by(*table.primary_key.columns).execution_options(yield_per=ROWS)
        for page in old.execute(query).partitions():
            bulk_insert(new, table, [tuple(row) for row in page])
            copied += len(page)
            told(copied)


def _rows(connection: Connection, table: Table) -> int:
    return connection.execute(select(func.count()).select_from(table)).scalar_one()
