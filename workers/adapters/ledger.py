"""The ledger behind the workers' ports: settled batches, and deliveries under a lease."""

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from wharfinger.ledger import outbox, settlement
from wharfinger.ledger.database import Database
from wharfinger.ledger.errors import LeaseLost, LedgerUnavailable
from wharfinger.ledger.values import Around, Claim, Decision, DeliveryState, Entry, Settled, Standing
from wharfinger.wire.names import DeliveryId
from workers.ports import Clock, Held


class LedgerOfBatches:
    """The port ``SettledLedger``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def commit(self, entries: Sequence[Entry], *, now_ms: int) -> Settled:
        """Write all of a batch, or nothing."""
        return settlement.commit(self._database, entries, now_ms=now_ms)


class HeldInLedger:
    """The port ``Held``: one claim, and the clock its lease runs by. ``beat_s``: between two renewals while it is kept."""

    def __init__(self, database: Database, claim: Claim, clock: Clock, *, beat_s: float = outbox.RENEW_S) -> None:
        self._database = database
        self._claim = claim
        self._clock = clock
        self._beat_s = beat_s
        self._noted: Mapping[str, str] = json.loads(claim.noted) if claim.noted else {}

    @property
    def claim(self) -> Claim:
        """What is held."""
        return self._claim

    @property
    def noted(self) -> Mapping[str, str]:
        """What its target began."""
        return self._noted

    def note(self, what: Mapping[str, str]) -> None:
        """Keep what its target begins."""
        text = json.dumps(what, separators=(",", ":")) if what else ""
        outbox.note(self._database, self._claim, noted=text, now_ms=self._clock())
        self._noted = dict(what)

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Renewed by a thread, which stops and dies with the process as the lease must."""
        over = threading.Event()
        beat = threading.Thread(target=self._keep, args=(over,), daemon=True)
        beat.start()
        try:
            yield
        finally:
            over.set()
            beat.join()

    def _keep(self, over: threading.Event) -> None:
        while not over.wait(self._beat_s):
            try:
                self.renew()
            except LeaseLost:
                return  # the worker learns it by its own next renewal
            except LedgerUnavailable:
                continue

    def renew(self) -> None:
        """Hold on for another lease."""
        outbox.renew(self._database, self._claim, now_ms=self._clock())

    def finish(self, state: DeliveryState, reason: str, decisions: Sequence[Decision] = ()) -> None:
        """End the delivery and log its outcome."""
        outbox.finish(self._database, self._claim, state=state, reason=reason, now_ms=self._clock(), decisions=decisions)

    def postpone(self, reason: str, pause_ms: int, decisions: Sequence[Decision] = (), *, counts: bool) -> None:
        """Give it back until later."""
        now_ms = self._clock()
        due_at = now_ms + pause_ms
        outbox.postpone(
            self._database, self._claim, reason=reason, now_ms=now_ms, due_at=due_at, counts=counts, decisions=decisions
        )

    def hold(self, reason: str, until_ms: int, decisions: Sequence[Decision] = ()) -> None:
        """Hold it off until a time, or until something changes."""
        now_ms = self._clock()
        outbox.hold(self._database, self._claim, reason=reason, now_ms=now_ms, due_at=until_ms, decisions=decisions)


class LedgerOutbox:
    """The port ``Outbox``."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def claim(self, delivery: DeliveryId) -> HeldInLedger | None:
        """Take one, if it is due and its target is free."""
        claim = outbox.claim(self._database, delivery, now_ms=self._clock())
        return None if claim is None else HeldInLedger(self._database, claim, self._clock)

    def standing(self, held: Held, around: Around) -> Standing:
        """What the ledger knows around it."""
        return outbox.standing(self._database, held.claim, around)

    def due(self, *, target: str | None = None) -> Sequence[DeliveryId]:
        """The oldest due delivery of each free target, or of one."""
        return outbox.due(self._database, now_ms=self._clock(), target=target)

    def wake_overtaken(self) -> int:
        """Make due what is held though its tag was pushed again."""
        return outbox.wake_overtaken(self._database, now_ms=self._clock())
