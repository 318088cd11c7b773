"""A record's leaf, rebuilt from its row; and what is wrong with a row whose leaf may even hold. Pure: rows and words in.

A row that gives its leaf can still lie: by an other spelling of the same value, which no index finds, or by a number of a word
of another kind. So the row is also written anew from its record, and must come out the same, column by column.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, Final

from wharfinger.ledger import schema
from wharfinger.ledger.merkle import leaf_hash
from wharfinger.ledger.packing import unpack_commitments
from wharfinger.ledger.raw import unpack_raw
from wharfinger.ledger.record import PERSONAL_FIELDS, AuditRecord, canonical, commitments
from wharfinger.ledger.rows import WITH_RAW, Row, from_row, to_row
from wharfinger.ledger.words import Word

COLUMNS: Final = tuple(column.name for column in schema.records.columns)
_COLUMNS_OF: Final = itemgetter(*COLUMNS)
_UNREADABLE: Final = (ValueError, TypeError, LookupError, AttributeError, OverflowError)
"""What reading a row raises that no writer of ours wrote."""


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """A record with what its leaf commits to, and the leaf's hash."""

    seq: int
    record: AuditRecord
    committed: dict[str, str]
    leaf: bytes

    def leaf_as(self, seq: int) -> bytes:
        """The leaf's hash, were it the record of another number."""
        return leaf_hash(canonical(self.record, seq=seq, committed=self.committed))


class Dictionary(dict[Word, int]):
    """The numbers of a batch's words; one that is not there is no row's."""

    def __missing__(self, word: Word) -> int:
        return -1 if word[1] else 0


def rebuild(row: Row, texts: Mapping[int, str]) -> Rebuilt | str:
    """A row's record; or why it cannot be read."""
    try:
        record = from_row(row, texts)
        if row["secret"] is not None:
            committed = commitments(record, row["secret"])
        elif row["commitments"] is None:
            return "its personal values are gone, and no commitments to them were kept"
        else:
            committed = unpack_commitments(row["commitments"], PERSONAL_FIELDS)
        leaf = leaf_hash(canonical(record, seq=row["seq"], committed=committed))
    except _UNREADABLE as error:
        return f"its row cannot be read: {type(error).__name__}"
    return Rebuilt(row["seq"], record, committed, leaf)


def misfiled(row: Row, rebuilt: Rebuilt, numbers: Dictionary) -> list[str]:
    """The columns in which a row is not what we would write for its record."""
    try:
        written = to_row(rebuilt.record, seq=rebuilt.seq, secret=row["secret"], numbers=numbers)
    except _UNREADABLE:
        return ["of a form that is never written"]
    differing = []
    if _COLUMNS_OF(row) != written:
        differing = [name for name, ours in zip(COLUMNS, written, strict=True) if row[name] != ours]
    if row["secret"] is not None and row["commitments"] is not None:
        differing.append("secret beside kept commitments")
    return differing


def raw_problem(row: Row, rebuilt: Rebuilt) -> str:
    """What is wrong with a record's stored event; empty when nothing is."""
    if rebuilt.record.kind not in WITH_RAW or row["event_sha"] is None:
        return "a stored event that no hash holds"
    try:
        raw = unpack_raw(row["body"], rebuilt.record)
    except (ValueError, TypeError) as error:
        return f"its stored event cannot be read: {error}"
    return "" if hashlib.sha256(raw).digest() == row["event_sha"] else "its stored event, read beside it, is another"


def issuance_problem(row: Row, rebuilt: Rebuilt, detail: Mapping[str, Any]) -> str:
    """What is wrong with the row of a token; empty when nothing is."""
    if row["issued_jti"] != row["jti"] or rebuilt.record.action != "issue":
        return "the row of its token names another token"
    return "" if row["issued_exp"] == detail.get("exp") else "the row of its token has another time of expiry"
