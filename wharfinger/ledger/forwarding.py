"""How far each forward of the trail has come: a number of the log for each name. Sends nothing.

The number moves after the records were handed over. Crash between the two: they are handed over once more, and none is left
out.
"""

from sqlalchemy import Connection, insert, select, update

from wharfinger.ledger import schema
from wharfinger.ledger.database import Database
from wharfinger.ledger.log import read_tree
from wharfinger.ledger.reading import Stored, read_range

_F = schema.forwards.c


def next_records(database: Database, name: str, *, most: int) -> tuple[list[Stored], int] | None:
    """The records a forward has still to hand over, oldest first, at most so many, and the number to go on from after them.

    None: it has handed over all. Of numbers whose records were pruned there is none, so the list may be empty.
    """
    with database.reading() as connection:
        start = _at(connection, name)
        end = min(start + most, read_tree(connection).size)
        return (list(read_range(connection, database.words, start, end)), end) if start < end else None


def advance(database: Database, name: str, *, to: int, now_ms: int) -> None:
    """Say that everything below a number was handed over. Never goes back."""
    with database.writing() as connection:
        moved = connection.execute(
            update(schema.forwards).where(_F.name == name, _F.seq <= to).values(seq=to, updated_at=now_ms)
        )
        if moved.rowcount == 0 and connection.execute(select(_F.name).where(_F.name == name)).first() is None:
            connection.execute(insert(schema.forwards).values(name=name, seq=to, updated_at=now_ms))


def positions(connection: Connection) -> dict[str, int]:
    """The number each forward goes on from."""
    return {row.name: row.seq for row in connection.execute(select(_F.name, _F.seq).order_by(_F.name))}


def _at(connection: Connection, name: str) -> int:
    return connection.execute(select(_F.seq).where(_F.name == name)).scalar() or 0
