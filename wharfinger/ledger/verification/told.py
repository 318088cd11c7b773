"""Erased records: whether the log tells of them. Writes nothing.

Values that are gone are only rightly so when an erasure's record, itself in the log, names exactly that number. Whoever erases
by hand must have such a record appended, where everybody sees it.
"""

from collections.abc import Collection

from sqlalchemy import Connection, select, text

from wharfinger.ledger import schema
from wharfinger.ledger.codes import CODES
from wharfinger.ledger.erasure import told_numbers
from wharfinger.ledger.reading import CHUNK, Stored, read_records
from wharfinger.ledger.record import RecordKind
from wharfinger.ledger.verification.removed import stands_in_log
from wharfinger.ledger.words import Words

_R = schema.records.c


class ToldErasures:
    """Remembers which numbers are told of, a bit each. Each erasure's record is looked at once, and only when one is needed."""

    def __init__(self) -> None:
        self._bits = bytearray()
        self._looked_to = -1
        self._words = Words()

    def untold(self, connection: Connection, erased: Collection[int]) -> frozenset[int]:
        """Those of some erased records that nothing tells of, as the connection's snapshot has it."""
        if any(not self._told(seq) for seq in erased):
            self._look(connection)
        return frozenset(seq for seq in erased if not self._told(seq))

    def _told(self, seq: int) -> bool:
        return seq >> 3 < len(self._bits) and bool(self._bits[seq >> 3] >> (seq & 7) & 1)

    def _look(self, connection: Connection) -> None:
        # A partial index is only found by its own condition, to the letter.
        query = (
            select(_R.seq)
            .where(_R.kind == CODES[RecordKind.ERASURE], text(schema.NOT_EVENT), _R.seq > self._looked_to)
            .order_by(_R.seq)
        )
        seqs = list(connection.execute(query).scalars())
        for at in range(0, len(seqs), CHUNK):
            for one in read_records(connection, self._words, seqs[at : at + CHUNK]):
                if stands_in_log(connection, one):
                    self._remember(one)
        self._looked_to = seqs[-1] if seqs else self._looked_to

    def _remember(self, one: Stored) -> None:
        try:
            # What is told of came before: nothing that a record claims makes this grow beyond the log.
            numbers = [seq for run in told_numbers(one.record) for seq in run[: one.seq] if 0 <= seq < one.seq]
        except ValueError:
            return
        self._bits.extend(bytes(max(0, (one.seq >> 3) + 1 - len(self._bits))))
        for seq in numbers:
            self._bits[seq >> 3] |= 1 << (seq & 7)
