"""Records read back from their rows, whole: what every question to the ledger is answered from. Writes nothing."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, Select, select

from wharfinger.ledger import schema
from wharfinger.ledger.log import read_tree
from wharfinger.ledger.record import OF_NOBODY, AuditRecord, RecordKind
from wharfinger.ledger.rows import Row, from_row, numbers_of
from wharfinger.ledger.words import Words

CHUNK = 500
ANONYMOUS: Final = "anonymous"
ERASED: Final = "erased"
"""Stands for an account that is gone; it never meant the anonymous one."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A record with its number in the log. ``secret`` salts the commitments to its personal values."""

    seq: int
    record: AuditRecord
    secret: bytes | None

    @property
    def erased(self) -> bool:
        """Whether its personal values are gone."""
        return self.secret is None

    @property
    def who(self) -> str:
        """Whose it is, for people; empty when it is nobody's."""
        if self.erased:
            return ERASED
        of_the_trail = self.record.kind is RecordKind.ALARM and not self.record.source
        nobodys = self.record.kind in OF_NOBODY or self.record.kind is RecordKind.QUARANTINE or of_the_trail
        return self.record.personal.account or ("" if nobodys else ANONYMOUS)


def read_records(connection: Connection, words: Words, seqs: Iterable[int]) -> list[Stored]:
    """Some records, by number."""
    wanted = sorted(set(seqs))
    found: list[Stored] = []
    for at in range(0, len(wanted), CHUNK):
        query = select(schema.records).where(schema.records.c.seq.in_(wanted[at : at + CHUNK])).order_by(schema.records.c.seq)
        found += read_query(connection, words, query)
    return found


def read_range(connection: Connection, words: Words, start: int, end: int) -> Iterator[Stored]:
    """The records from one number up to, not including, another, in constant memory."""
    for at in range(start, end, CHUNK):
        table = schema.records.c
        query = select(schema.records).where(table.seq >= at, table.seq < min(at + CHUNK, end)).order_by(table.seq)
        yield from read_query(connection, words, query)


def read_query(connection: Connection, words: Words, query: Select[Any]) -> list[Stored]:
    """The records of a query over all columns of the table."""
    result = connection.execute(query)
    names = tuple(result.keys())
    # Plain dictionaries: a row is looked into thirty times.
    return stored(connection, words, [dict(zip(names, row, strict=True)) for row in result])


def stored(connection: Connection, words: Words, rows: Sequence[Row]) -> list[Stored]:
    """Rows as records."""
    epoch = read_tree(connection).epoch
    texts = words.texts(connection, {number for row in rows for number in numbers_of(row)}, epoch=epoch)
    return [Stored(row["seq"], from_row(row, texts), row["secret"]) for row in rows]
