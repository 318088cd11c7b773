"""Settle: turn stream entries into ledger rows, a batch at a time, until there are none. Deciding is in ``decide``.

Crash before the ledger's commit: the batch is pending and comes again. After it, before the acknowledgement: it comes again and
writes nothing new. After the acknowledgement, before the wake-ups: sweep finds the deliveries that are due.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from wharfinger.runtime.log import Log
from wharfinger.wire.codec import UnreadableRecord
from wharfinger.wire.event import parse_envelope
from wharfinger.wire.notification import StoredNotification
from workers.decide.attribution import claimed_jti
from workers.decide.plan import Heard, Planner, Reading, Unreadable, hear, unreadable
from workers.ports import Batch, Bodies, Clock, IssuanceLookup, SettledLedger, Streams, WakeUps


@dataclass(frozen=True, slots=True)
class Settle:
    """The use case with what it needs."""

    streams: Streams
    bodies: Bodies
    issuances: IssuanceLookup
    ledger: SettledLedger
    wake_ups: WakeUps
    planner: Planner
    clock: Clock
    log: Log

    def run(self) -> int:
        """Settle until the streams are empty.

        Returns:
            how many records were written.

        Raises:
            Unavailable: Redis or the ledger did not answer; nothing was lost.
        """
        written = 0
        while batch := self.streams.next():
            written += self._settle(batch)
        return written

    def _settle(self, batch: Batch) -> int:
        readings = tuple(self._read(batch))
        # A worker that was stopped while another took its batch over finds bodies gone that were settled and forgotten.
        if any(isinstance(reading, Unreadable) for reading in readings) and not self.streams.holds(batch):
            self.log("batch.taken_over")
            return 0
        named = {jti for reading in readings if isinstance(reading, Heard) and (jti := claimed_jti(reading.event))}
        issuances = self.issuances.find(named)
        now_ms = self.clock()
        entries = self.planner.plan(readings, issuances, now_ms=now_ms)
        settled = self.ledger.commit(entries, now_ms=now_ms)
        self.streams.acknowledge(batch)
        self.bodies.forget(batch.notifications)
        self.wake_ups.deliver(settled.due)
        self.log("batch.settled", records=settled.records, duplicates=settled.duplicates, deliveries=len(settled.due))
        return settled.records

    def _read(self, batch: Batch) -> Iterator[Reading]:
        yield from batch.records
        for stored in batch.notifications:
            yield from self._events(stored)

    def _events(self, stored: StoredNotification) -> tuple[Reading, ...]:
        notification = stored.notification
        if notification.dropped:
            return (unreadable(notification, "larger than any registry's notification", b""),)
        try:
            body = self.bodies.read(stored)
        except UnreadableRecord as fault:
            return (unreadable(notification, str(fault), b""),)
        return hear(notification, body, parse_envelope(body))
