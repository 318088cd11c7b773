"""Records that the rules of retention removed: which numbers are rightly gone. Writes nothing.

A number counts only as removed when a pruning record, itself in the log, commits to exactly the numbers that point to it.
Whoever removes a row and says that it was pruned must forge that record's leaf.
"""

import json

from sqlalchemy import Connection, select

from wharfinger.ledger import schema
from wharfinger.ledger.log import read_tile
from wharfinger.ledger.merkle import HASH_BYTES, leaf_hash
from wharfinger.ledger.pruning import numbers_hash
from wharfinger.ledger.reading import Stored, read_records
from wharfinger.ledger.record import RecordKind, canonical, commitments
from wharfinger.ledger.tiles import WIDTH
from wharfinger.ledger.words import Words

_P = schema.pruned.c
_NONE = range(0)


class Removed:
    """Reads which records of a range are rightly gone. Each pruning record is looked at once."""

    def __init__(self) -> None:
        self._told: dict[int, range] = {}
        self._words = Words()

    def among(self, connection: Connection, start: int, end: int) -> frozenset[int]:
        """The numbers from one up to, not including, another."""
        query = select(_P.seq, _P.by).where(_P.seq >= start, _P.seq < end)
        return frozenset(row.seq for row in connection.execute(query).all() if row.seq in self._by(connection, row.by))

    def _by(self, connection: Connection, by: int) -> range:
        if by not in self._told:
            self._told[by] = self._look(connection, by)
        return self._told[by]

    def _look(self, connection: Connection, by: int) -> range:
        found = read_records(connection, self._words, [by])
        if not found or found[0].record.kind is not RecordKind.PRUNING or not stands_in_log(connection, found[0]):
            return _NONE
        record = found[0].record
        # Between the first and the last: there is no index by the record that tells of them.
        _, _, first, last = record.event_id.split("/")
        query = select(_P.seq).where(_P.seq >= int(first), _P.seq <= int(last), _P.by == by).order_by(_P.seq)
        numbers = list(connection.execute(query).scalars())
        if json.loads(record.detail)["sha256"] != numbers_hash(numbers):
            return _NONE
        return range(int(first), int(last) + 1)


def stands_in_log(connection: Connection, one: Stored) -> bool:
    """Whether a record that was not erased gives the leaf that the log has of it."""
    if one.secret is None:
        return False
    leaf = leaf_hash(canonical(one.record, seq=one.seq, committed=commitments(one.record, one.secret)))
    at = one.seq % WIDTH * HASH_BYTES
    return read_tile(connection, 0, one.seq // WIDTH)[at : at + HASH_BYTES] == leaf
