"""Settle: turn stream entries into ledger rows, a batch at a time, until there are none. Deciding is in ``decide``.

Crash before the ledger's commit: the batch is pending and comes again. After it, before the acknowledgement: it comes again and
writes nothing new. After the acknowledgement, before the wake-ups: sweep finds the deliveries that are due.

Nothing that was posted may block what comes behind it: a part of a batch is one transaction, and bounded by what its bodies
take when they are expanded; what a mistake of ours cannot settle is quarantined, alone.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from wharfinger.ledger.values import Entry
from wharfinger.runtime.log import Log, place_of
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
    mistaken,
    too_large,
    unreadable,
    with_new,
)
from workers.ports import Batch, Bodies, Clock, IssuanceLookup, SettledLedger, Streams, WakeUps

CANDIDATES_MS: Final = 25 * 3_600_000
"""How far back a token may lie that an event without an id belongs to: its life, and the longest upload after it."""
PART_BYTES: Final = 1024 * 1024
"""Of bodies as they came, some ten times as much in memory. A batch of usual ones is less; the smallest events it may hold are
twenty-five thousand, which one transaction writes in seconds."""
TURN_MS: Final = 60_000
"""A job's time would be over in the middle of a batch, where there is no end of work."""
MISTAKES: Final = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError, MemoryError)
"""What a mistake of ours raises about some content. Not the end of a job's time, which tells nothing about it."""


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
        """Settle until the streams are empty, or others must have their turn.

        Returns:
            how many records were written.

        Raises:
            Unavailable: Redis or the ledger did not answer; nothing was lost.
        """
        until = self.clock() + TURN_MS
        written = 0
        while batch := self.streams.next():
            written += sum(self._part(part) for part in batch.parts(PART_BYTES))
            if self.clock() >= until:
                self.wake_ups.settle()
                break
        return written

    def _part(self, part: Batch) -> int:
        try:
            return self._settle(part)
        except MISTAKES as error:
            self.log("batch.mistaken", error=type(error).__name__, **place_of(error.__traceback__))
        return sum(self._alone(one) for one in part.parts(0))

    def _alone(self, one: Batch) -> int:
        try:
            return self._settle(one)
        except MISTAKES as error:
            if not one.notifications:
                raise  # records of our own services: not for an outsider to choose, and too dear to be lost
            kind = type(error).__name__
            readings = [mistaken(stored.notification, self._body(stored), kind) for stored in one.notifications]
            return self._commit(one, self.planner.plan(readings, {}, now_ms=self.clock()), self.clock())

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
        return self._commit(batch, entries, now_ms)

    def _commit(self, batch: Batch, entries: Sequence[Entry], now_ms: int) -> int:
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

    def _body(self, stored: StoredNotification) -> bytes:
        try:
            return self.bodies.read(stored)
        except UnreadableRecord:
            return b""
