"""Deliver: take one due delivery under a lease, guard it, send it to its target, write the outcome. Deciding is in ``decide``.

Then the next of the same target, for that is what its own wake-up found busy; after a while others get their turn.

Crash after the claim: the lease runs out and another worker takes it. Crash after the target was asked, before the outcome is
written: the target first puts in order what was begun, and is asked again with the same idempotency key unless that decided it.
A worker that was stopped meanwhile learns so at its next step. A mistake of ours is an attempt that failed, as any other: left
in its lease, that delivery would be its target's oldest due one for ever, and all later ones would wait behind it.
"""

from dataclasses import dataclass
from typing import Final, assert_never

from wharfinger.ledger.errors import LeaseLost, LedgerUnavailable
from wharfinger.ledger.values import Claim, DeliveryState
from wharfinger.runtime.log import Log, place_of
from wharfinger.wire.names import DeliveryId
from workers.decide.guard import NEXT_LOOK_MS, QUICK_LOOKS_MS, Go, LookAgain, Stop, after_looking, before_looking
from workers.decide.order import Order
from workers.decide.outcome import Finish, Postpone, later, outcome
from workers.errors import Unavailable
from workers.ports import Clock, Destination, Destinations, Held, Outbox, Pause, Randomness, TagLookup, WakeUps

Step = Finish | Postpone

TURN_MS: Final = 1_000
"""A target with many deliveries keeps a worker so long and one delivery more; an ordered stop waits for that."""


@dataclass(frozen=True, slots=True)
class Deliver:
    """The use case with what it needs."""

    outbox: Outbox
    tags: TagLookup
    destinations: Destinations
    wake_ups: WakeUps
    clock: Clock
    pause: Pause
    randomness: Randomness
    log: Log

    def run(self, delivery: DeliveryId) -> None:
        """Carry one delivery on, if it is due and nobody else holds it, and then what is due for its target.

        Raises:
            LedgerUnavailable: the ledger did not answer; the lease runs out and sweep sends the delivery again.
        """
        until = self.clock() + TURN_MS
        target = self._one(delivery)
        while target is not None and (due := self.outbox.due(target=target)):
            if self.clock() >= until:
                self.wake_ups.deliver(due)
                return
            target = self._one(due[0])

    def _one(self, delivery: DeliveryId) -> str | None:
        """Its target, once it was carried on; None when it was not to be had, or was taken over."""
        held = self.outbox.claim(delivery)
        if held is None:
            return None
        claim = held.claim
        try:
            step = self._attempt(held)
        except LeaseLost:
            self.log("delivery.lease_lost", delivery=claim.id, attempt=claim.attempt)
            return None
        self.log("delivery.step", delivery=claim.id, target=claim.target, attempt=claim.attempt, step=_name(step))
        return claim.target

    def _attempt(self, held: Held) -> Step:
        try:
            with held.kept():
                step = self._carry_on(held)
            self._write(held, step)
        except (LeaseLost, LedgerUnavailable):
            raise
        except Exception as error:  # noqa: BLE001 - a delivery's outermost frame: whatever it is, the others go on
            kind = type(error).__name__
            self.log("delivery.mistaken", delivery=held.claim.id, error=kind, **place_of(error.__traceback__))
            # Without the exception's text: it may hold what somebody sent.
            step = later(f"a mistake of ours: {kind}", attempt=held.claim.attempt, jitter=self.randomness())
            self._write(held, step)
        return step

    def _carry_on(self, held: Held) -> Step:
        claim = held.claim
        destination = self.destinations.find(claim.target)
        if destination is None:
            return Finish(DeliveryState.REFUSED, f"the configuration has no target {claim.target} any more")
        order = _order(claim, destination.registry_host(claim.source))
        try:
            resumed = destination.target.resume(order, held)
            if resumed is not None:
                return outcome(resumed, attempt=claim.attempt, jitter=self.randomness())
            return self._guarded(held, destination, order)
        except Unavailable as fault:
            return later(str(fault), attempt=claim.attempt, jitter=self.randomness())

    def _guarded(self, held: Held, destination: Destination, order: Order) -> Step:
        claim = held.claim
        if claim.alarm:
            return self._send(held, destination, order)
        standing = self.outbox.standing(held, whole_target=destination.runs_one)
        before = before_looking(claim, standing)
        if isinstance(before, Stop):
            return Finish(before.state, before.reason)
        match self._look(claim):
            case Stop(state, reason):
                return Finish(state, reason)
            case LookAgain(reason):
                return Postpone(reason, NEXT_LOOK_MS, counts=False)
            case Go():
                pass
            case _ as never:
                assert_never(never)
        if standing.last_delivered == claim.digest and not destination.knows_what_runs:
            return Finish(DeliveryState.UNCHANGED, "this digest was the last one delivered")
        return self._send(held, destination, order)

    def _send(self, held: Held, destination: Destination, order: Order) -> Step:
        held.renew()
        return outcome(destination.target.send(order, held), attempt=held.claim.attempt, jitter=self.randomness())

    def _look(self, claim: Claim) -> Go | Stop | LookAgain:
        for pause_ms in (*QUICK_LOOKS_MS, 0):
            found = self.tags.digest(claim.source, claim.repository, claim.tag)
            seen = after_looking(claim, found, now_ms=self.clock())
            if not isinstance(seen, LookAgain) or not pause_ms:
                return seen
            self.pause(pause_ms)
        raise AssertionError  # pragma: no cover - the last pause is 0

    def _write(self, held: Held, step: Step) -> None:
        match step:
            case Finish(state, reason):
                held.finish(state, reason)
            case Postpone(reason, pause_ms, counts):
                held.postpone(reason, pause_ms, counts=counts)
            case _ as never:
                assert_never(never)


def _order(claim: Claim, registry_host: str) -> Order:
    return Order(
        delivery_id=claim.id,
        rule=claim.rule,
        target=claim.target,
        source=claim.source,
        registry_host=registry_host,
        repository=claim.repository,
        tag=claim.tag,
        digest=claim.digest,
        media_type=claim.media_type,
        account=claim.account,
        jti=claim.jti,
        event_id=claim.event_id,
        pushed_at_ms=claim.occurred_at,
        attempt=claim.attempt,
        alarm=claim.alarm,
    )


def _name(step: Step) -> str:
    return step.state.value if isinstance(step, Finish) else "postponed"
