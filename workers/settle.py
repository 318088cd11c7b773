"""Settle: turn stream entries into ledger rows, a batch at a time, until there are none. Deciding is in ``decide``.

Crash before the ledger's commit: the batch is pending and comes again. After it, before the acknowledgement: it comes again and
writes nothing new. After the acknowledgement, before the wake-ups: sweep finds the deliveries that are due.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from wharfinger.runtime.log import Log
from wharfinger.wire.codec import UnreadableRecord
from wharfinger.wire.event import parse_envelope
from wharfinger.wire.issuance import Issuance
from wharfinger.wire.names import Account, Jti
from wharfinger.wire.notification import Notification, StoredNotification
from workers.decide.attribution import claimed_jti
from workers.decide.plan import (
    NO_CANDIDATES,
    Heard,
    Planner,
    Reading,
    Unreadable,
    accounts_to_infer,
    hear,
    heard_just_now,
    too_large,
    unreadable,
    with_new,
)
from workers.ports import Batch, Bodies, Clock, IssuanceLookup, SettledLedger, Streams, WakeUps

CANDIDATES_MS: Final = 25 * 3_600_000
"""How far back a token may lie that an event without an id belongs to: its life, and the longest upload after it."""


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
        # A batch's own tokens too: after a long outage their keys are gone, and the ledger does not have them yet.
        issued = {record.jti: record for record in batch.records if isinstance(record, Issuance)}
        issuances = {**issued, **self.issuances.find(named - issued.keys())}
        now_ms = self.clock()
        early = self._early(readings, issuances, now_ms)
        if early:
            batch = batch.without(early)
            readings = tuple(one for one in readings if not (isinstance(one, Heard) and one.notification in early))
            self.log("events.early", notifications=len(early))
        entries = self.planner.plan(readings, issuances, self._candidates(readings, now_ms), now_ms=now_ms)
        settled = self.ledger.commit(entries, now_ms=now_ms)
        self.streams.acknowledge(batch)
        self.bodies.forget(batch.notifications)
        self.wake_ups.deliver(settled.due)
        for why in settled.alarms:
            self.log("alarm.raised", why=why)
        self.log("batch.settled", records=settled.records, duplicates=settled.duplicates, deliveries=len(settled.due))
        return settled.records

    def _candidates(self, readings: Sequence[Reading], now_ms: int) -> Mapping[Account, Sequence[Issuance]]:
        if not self.planner.infers:
            return NO_CANDIDATES
        accounts = accounts_to_infer(readings)
        return with_new(self.issuances.of_accounts(accounts, since_ms=now_ms - CANDIDATES_MS), readings)

    def _early(self, readings: Iterable[Reading], issuances: Mapping[Jti, Issuance], now_ms: int) -> frozenset[Notification]:
        """What came before its token's record: it stays pending, and is looked at again when its batch would be abandoned."""
        lacking = [one for one in readings if isinstance(one, Heard) and self.planner.lacks_record(one, issuances)]
        if not lacking:
            return frozenset()
        replaying = self.issuances.replaying()
        return frozenset(one.notification for one in lacking if replaying or heard_just_now(one, now_ms=now_ms))

    def _read(self, batch: Batch) -> Iterator[Reading]:
        yield from batch.records
        for stored in batch.notifications:
            yield from self._events(stored)

    def _events(self, stored: StoredNotification) -> tuple[Reading, ...]:
        notification = stored.notification
        if notification.dropped:
            return (too_large(notification),)
        try:
            body = self.bodies.read(stored)
        except UnreadableRecord as fault:
            return (unreadable(notification, str(fault), b""),)
        return hear(notification, body, parse_envelope(body))
