"""Deliver: take one due delivery under a lease, guard it, send it to its target, write the outcome. Deciding is in ``decide``.

Then the next of the same target, for that is what its own wake-up found busy; after a while others get their turn.

Crash after the claim: the lease runs out and another worker takes it. Crash after the target was asked, before the outcome is
written: the target first puts in order what was begun, and is asked again with the same idempotency key unless that decided it.
A worker that was stopped meanwhile learns so at its next step. A mistake of ours is an attempt that failed, as any other: left
in its lease, that delivery would be its target's oldest due one for ever, and all later ones would wait behind it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, assert_never

from wharfinger.ledger.decisions import put_behind
from wharfinger.ledger.errors import LeaseLost, LedgerUnavailable
from wharfinger.ledger.values import Claim, Decision, DeliveryState, Standing
from wharfinger.runtime.log import Log, place_of
from wharfinger.wire.names import DeliveryId
from workers.decide.guard import (
    NEXT_LOOK_MS,
    QUICK_LOOKS_MS,
    Go,
    LookAgain,
    Ruling,
    Stop,
    Wait,
    after_looking,
    after_the_tag,
    around,
    before_looking,
)
from workers.decide.order import Order
from workers.decide.outcome import Finish, Hold, Postpone, later, outcome
from workers.decide.rules import CompiledRule
from workers.errors import Unavailable
from workers.ports import Clock, Destination, Destinations, Held, Outbox, Pause, Randomness, TagLookup, WakeUps

Step = Finish | Postpone | Hold

TURN_MS: Final = 1_000
"""A target with many deliveries keeps a worker so long and one delivery more; an ordered stop waits for that."""


@dataclass(frozen=True, slots=True)
class Deliver:
    """The use case with what it needs. ``rules``: by their names."""

    rules: Mapping[str, CompiledRule]
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
        said: list[Decision] = []
        try:
            with held.kept():
                step = self._carry_on(held, said)
            self._write(held, step, said)
        except (LeaseLost, LedgerUnavailable):
            raise
        except Exception as error:  # noqa: BLE001 - a delivery's outermost frame: whatever it is, the others go on
            kind = type(error).__name__
            self.log("delivery.mistaken", delivery=held.claim.id, error=kind, **place_of(error.__traceback__))
            # Without the exception's text: it may hold what somebody sent.
            step = later(f"a mistake of ours: {kind}", attempt=held.claim.attempt, jitter=self.randomness())
            self._write(held, step, ())
        return step

    def _carry_on(self, held: Held, said: list[Decision]) -> Step:
        claim = held.claim
        destination = self.destinations.find(claim.target)
        if destination is None:
            return Finish(DeliveryState.REFUSED, f"the configuration has no target {claim.target} any more")
        order = _order(claim, destination.registry_host(claim.source))
        try:
            resumed = destination.target.resume(order, held)
            if resumed is not None:
                return outcome(resumed, attempt=claim.attempt, jitter=self.randomness())
            stopped = None if claim.alarm else self._guarded(held, destination, said)
            return self._send(held, destination, order) if stopped is None else stopped
        except Unavailable as fault:
            return later(str(fault), attempt=claim.attempt, jitter=self.randomness())

    def _guarded(self, held: Held, destination: Destination, said: list[Decision]) -> Step | None:
        """What the guards make of it, None to send it; what each of them says is put into ``said``."""
        claim = held.claim
        rule = self.rules.get(claim.rule)
        if rule is None:
            # Nobody knows any more what must hold for it.
            return Finish(DeliveryState.REFUSED, f"the configuration has no rule {claim.rule} any more")
        standing = self.outbox.standing(held, around(rule, whole_target=destination.runs_one))
        for ruling in self._rulings(claim, rule, standing, knows_what_runs=destination.knows_what_runs):
            said.extend(ruling.decisions)
            match ruling.step:
                case Stop(state, reason):
                    return Finish(state, reason)
                case LookAgain(reason):
                    return Postpone(reason, NEXT_LOOK_MS, counts=False)
                case Wait(reason, until_ms):
                    return Hold(reason, until_ms)
                case Go():
                    continue
                case _ as never:
                    assert_never(never)
        return None

    def _rulings(self, claim: Claim, rule: CompiledRule, standing: Standing, *, knows_what_runs: bool) -> Iterator[Ruling]:
        """What the guards say, one after the other: who stops at one asks no later one."""
        yield before_looking(claim, rule, standing)
        yield self._look(claim)
        yield after_the_tag(claim, rule.rule, standing, knows_what_runs=knows_what_runs, now_ms=self.clock())

    def _send(self, held: Held, destination: Destination, order: Order) -> Step:
        held.renew()
        return outcome(destination.target.send(order, held), attempt=held.claim.attempt, jitter=self.randomness())

    def _look(self, claim: Claim) -> Ruling:
        for pause_ms in (*QUICK_LOOKS_MS, 0):
            found = self.tags.digest(claim.source, claim.repository, claim.tag)
            seen = after_looking(claim, found, now_ms=self.clock())
            if not isinstance(seen.step, LookAgain) or not pause_ms:
                return seen
            self.pause(pause_ms)
        raise AssertionError  # pragma: no cover - the last pause is 0

    def _write(self, held: Held, step: Step, said: Sequence[Decision]) -> None:
        decisions = put_behind(held.claim.decisions, said, now_ms=self.clock())
        match step:
            case Finish(state, reason):
                held.finish(state, reason, decisions)
            case Postpone(reason, pause_ms, counts):
                held.postpone(reason, pause_ms, decisions, counts=counts)
            case Hold(reason, until_ms):
                held.hold(reason, until_ms, decisions)
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
    if isinstance(step, Finish):
        return step.state.value
    return "held" if isinstance(step, Hold) else "postponed"
