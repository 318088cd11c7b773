"""The ledger's records as plain SQL tables of texts, for questions of tests: what the rows mean, not how they are kept."""

import sqlite3
from dataclasses import asdict
from typing import Any

from sqlalchemy import select

from wharfinger.ledger import schema
from wharfinger.ledger.database import Database
from wharfinger.ledger.log import read_tree
from wharfinger.ledger.reading import read_range
from wharfinger.ledger.record import PERSONAL_FIELDS, PUBLIC_FIELDS

_KEPT = (schema.deliveries, schema.attempts, schema.votes, schema.pauses, schema.bad_digests, schema.tree)


def ask(database: Database, query: str) -> list[tuple[Any, ...]]:
    """Answer a query over ``records`` (public fields and seq), ``personal`` (seq and personal fields), ``deliveries``, ``attempts``."""
    plain = sqlite3.connect(":memory:")
    try:
        plain.execute(f"CREATE TABLE records (seq INTEGER, {', '.join(PUBLIC_FIELDS)})")
        plain.execute(f"CREATE TABLE personal (seq INTEGER, {', '.join(PERSONAL_FIELDS)})")
        with database.reading() as connection:
            for one in read_range(connection, database.words, 0, read_tree(connection).size):
                public = [getattr(one.record, name) for name in PUBLIC_FIELDS]
                plain.execute(f"INSERT INTO records VALUES ({', '.join('?' * (1 + len(PUBLIC_FIELDS)))})", [one.seq, *public])
                personal = asdict(one.record.personal)
                plain.execute(
                    f"INSERT INTO personal VALUES ({', '.join('?' * (1 + len(PERSONAL_FIELDS)))})",
                    [one.seq, *personal.values()],
                )
            for table in _KEPT:
                names = [column.name for column in table.columns]
                plain.execute(f"CREATE TABLE {table.name} ({', '.join(names)})")
                rows = connection.execute(select(table)).all()
                plain.executemany(
                    f"INSERT INTO {table.name} VALUES ({', '.join('?' * len(names))})", [tuple(row) for row in rows]
                )
        return plain.execute(query).fetchall()
    finally:
        plain.close()
