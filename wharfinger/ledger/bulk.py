"""The statements of every batch, by the driver's own hand: SQLAlchemy's takes longer over one of them than the database does.

Written with ``?`` where values go, and for both databases alike. Names in them are our schema's, never of data.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import chain
from typing import Any, Final

from sqlalchemy import Connection, CursorResult, Row, Table

CHUNK: Final = 500
"""Values of one IN."""


def run(connection: Connection, statement: str, values: Sequence[object] = ()) -> CursorResult[Any]:
    """Run one statement."""
    return connection.exec_driver_sql(_marked(statement, connection.dialect.name), tuple(values))


def run_in(
    connection: Connection, statement: str, values: Sequence[object], *, first: Sequence[object] = ()
) -> Iterator[CursorResult[Any]]:
    """Run a statement that ends in ``IN``, for any number of values; ``first``: what its other marks stand for."""
    for at in range(0, len(values), CHUNK):
        chunk = values[at : at + CHUNK]
        yield run(connection, f"{statement} ({_marks(len(chunk))})", [*first, *chunk])


def rows_in(
    connection: Connection, statement: str, values: Sequence[object], *, first: Sequence[object] = ()
) -> Iterator[Row[Any]]:
    """The rows that :func:`run_in` finds."""
    return chain.from_iterable(run_in(connection, statement, values, first=first))


def rows_of(
    connection: Connection, statement: str, columns: Sequence[str], keys: Sequence[tuple[object, ...]]
) -> Iterator[Row[Any]]:
    """The rows that a statement finds by joining ``wanted``, which has a row of these columns for each key.

    Of keys of several columns an ``IN`` is no help: SQLite finds no index by it and goes through the whole table.
    """
    for at in range(0, len(keys), CHUNK):
        chunk = keys[at : at + CHUNK]
        listed = ", ".join([f"({_marks(len(columns))})"] * len(chunk))
        wanted = f"WITH wanted ({', '.join(columns)}) AS (VALUES {listed}) {statement}"
        yield from run(connection, wanted, [one for key in chunk for one in key])


def bulk_insert(connection: Connection, table: Table, rows: Sequence[tuple[object, ...]]) -> None:
    """Insert rows whose values stand in the order of the table's columns."""
    if rows:
        connection.exec_driver_sql(_insert(table, connection.dialect.name), list(rows))


def bulk_replace(connection: Connection, table: Table, rows: Sequence[tuple[object, ...]]) -> None:
    """Insert rows as :func:`bulk_insert` does, over those that have their key."""
    if rows:
        connection.exec_driver_sql(_replace(table, connection.dialect.name), list(rows))


def _marks(count: int) -> str:
    return ", ".join(["?"] * count)


@lru_cache(maxsize=256)
def _marked(statement: str, dialect: str) -> str:
    return statement if dialect == "sqlite" else statement.replace("?", "%s")


@lru_cache(maxsize=64)
def _insert(table: Table, dialect: str) -> str:
    names = [column.name for column in table.columns]
    statement = f"INSERT INTO {table.name} ({', '.join(names)}) VALUES ({_marks(len(names))})"  # noqa: S608
    return _marked(statement, dialect)


@lru_cache(maxsize=64)
def _replace(table: Table, dialect: str) -> str:
    key = [column.name for column in table.primary_key]
    others = [f"{column.name} = excluded.{column.name}" for column in table.columns if column.name not in key]
    return f"{_insert(table, dialect)} ON CONFLICT ({', '.join(key)}) DO UPDATE SET {', '.join(others)}"
