"""Decides what rules would have done with pushes that were: by the guards, asked in the order in which things would have come.

Assumed is that every target took what it was sent, that a tag was what was pushed last, and that approvals were given. In
memory is what waits at a time, and what was delivered last to each target from each repository; not the pushes.
"""

import heapq
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

from wharfinger.ledger.values import Claim, DeliveryState, Standing
from wharfinger.runtime.settings import Rule
from wharfinger.wire.names import DeliveryId
from workers.decide.guard import Go, Stop, Wait, after_the_tag, before_looking
from workers.decide.matching import Push, good_enough
from workers.decide.rules import CompiledRule, beginning


class Would(StrEnum):
    """What would have become of a push at a target."""

    DELIVERED = "delivered"
    UNCHANGED = "unchanged"
    SUPERSEDED = "superseded"
    REFUSED = "refused"
    WAITING = "waiting"
    """It would wait still."""


@dataclass(frozen=True, slots=True)
class Simulated:
    """One push, rule and target. ``at``: when that would have been, or when it is looked at next."""

    seq: int
    push: Push
    rule: str
    target: str
    would: Would
    why: str
    at: int


@dataclass(slots=True)
class _Pending:
    """What a push brought, and was pushed after it in its place."""

    claim: Claim
    rule: CompiledRule
    push: Push
    approvals: int
    later: tuple[str, str] | None = None


@dataclass(slots=True)
class _Delivered:
    """What a target got last from a repository."""

    digest: str
    tag: str
    seq: int
    sent_tag: str
    """Of what was sent, not only found to be there."""
    sent_seq: int


_Place = tuple[str, str]


class Simulation:
    """A run over pushes in their order. ``bad``: why a digest must not go to a target; ``runs_one``: targets that run one."""

    def __init__(self, rules: Iterable[Rule], *, bad: Callable[[str, str], str], runs_one: frozenset[str]) -> None:
        # Approvals are taken as given.
        self._rules = [
            (CompiledRule(replace(rule, approvals=None)), 0 if rule.approvals is None else rule.approvals.needed)
            for rule in rules
        ]
        self._bad = bad
        self._runs_one = runs_one
        self._looks: list[tuple[int, int, int]] = []
        self._waiting: dict[int, _Pending] = {}
        self._places: dict[_Place, set[int]] = {}
        self._last: dict[tuple[str, _Place], _Delivered] = {}
        self._newest: dict[str, int] = {}
        self._numbers = 0

    def push(self, seq: int, at: int, push: Push) -> Iterator[Simulated]:
        """What became certain by the time of a push, and with it."""
        yield from self.until(at)
        place = (push.source, push.repository)
        for number in self._places.get(place, set()):
            self._note(self._waiting[number], push)
        for rule, approvals in self._rules:
            if rule.matcher.matches(push):
                for target in dict.fromkeys(rule.rule.targets):
                    self._begin(_Pending(_claim(seq, at, push, rule.rule.name, target), rule, push, approvals))
        yield from self.until(at)

    def until(self, now_ms: int) -> Iterator[Simulated]:
        """What becomes certain up to a time."""
        while self._looks and self._looks[0][0] <= now_ms:
            at, _, number = heapq.heappop(self._looks)
            pending = self._waiting[number]
            step = self._look(pending, at)
            if isinstance(step, Wait):
                heapq.heappush(self._looks, (step.until_ms, pending.claim.seq, number))
                continue
            self._end(number)
            yield self._said(pending, step, at)

    def rest(self) -> Iterator[Simulated]:
        """What waits at the end, and until when."""
        for at, _, number in sorted(self._looks):
            pending = self._waiting[number]
            yield _simulated(pending, Would.WAITING, "", at)

    def _note(self, pending: _Pending, push: Push) -> None:
        counts = good_enough(push.verdict, pending.rule.rule.require)
        if counts and (pending.rule.matcher.newest or push.tag == pending.push.tag):
            pending.later = None if push.digest == pending.push.digest else (push.tag, push.digest)

    def _begin(self, pending: _Pending) -> None:
        self._numbers += 1
        self._waiting[self._numbers] = pending
        self._places.setdefault((pending.push.source, pending.push.repository), set()).add(self._numbers)
        _, _, wait_ms, _ = beginning(pending.rule, pending.push, pending.push.verdict)
        heapq.heappush(self._looks, (pending.claim.created_at + wait_ms, pending.claim.seq, self._numbers))

    def _look(self, pending: _Pending, now_ms: int) -> Go | Stop | Wait:
        claim, standing = pending.claim, self._standing(pending)
        before = before_looking(claim, pending.rule, standing).step
        if isinstance(before, Stop):
            return before
        step = after_the_tag(claim, pending.rule.rule, standing, knows_what_runs=False, now_ms=now_ms).step
        assert isinstance(step, Go | Stop | Wait)  # noqa: S101 - only a registry is looked at again
        return step

    def _standing(self, pending: _Pending) -> Standing:
        claim = pending.claim
        last = self._last.get((claim.target, (claim.source, claim.repository)))
        newer = last is not None and last.sent_seq > claim.seq and (pending.rule.matcher.newest or last.sent_tag == claim.tag)
        whole = claim.target in self._runs_one and self._newest.get(claim.target, -1) > claim.seq
        return Standing(
            None if pending.later is None else pending.later[1],
            newer or whole,
            None if last is None else last.digest,
            later_tag="" if pending.later is None else pending.later[0],
            last_tag="" if last is None else last.tag,
            last_seq=0 if last is None else last.seq,
            bad=self._bad(claim.digest, claim.target),
        )

    def _said(self, pending: _Pending, step: Go | Stop, at: int) -> Simulated:
        claim = pending.claim
        if isinstance(step, Stop):
            would = Would(step.state.value)
            last = self._last.get((claim.target, (claim.source, claim.repository)))
            if step.state is DeliveryState.UNCHANGED and last is not None:
                last.tag, last.seq = claim.tag, claim.seq
            return _simulated(pending, would, step.reason, at)
        self._last[claim.target, (claim.source, claim.repository)] = _Delivered(
            claim.digest, claim.tag, claim.seq, claim.tag, claim.seq
        )
        self._newest[claim.target] = max(claim.seq, self._newest.get(claim.target, -1))
        needed = pending.approvals
        return _simulated(pending, Would.DELIVERED, f"needs {needed} approval{'s' * (needed > 1)}" if needed else "", at)

    def _end(self, number: int) -> None:
        push = self._waiting.pop(number).push
        numbers = self._places[push.source, push.repository]
        numbers.discard(number)
        if not numbers:
            del self._places[push.source, push.repository]


def _claim(seq: int, at: int, push: Push, rule: str, target: str) -> Claim:
    return Claim(
        id=DeliveryId(""),
        fence=0,
        attempt=1,
        created_at=at,
        rule=rule,
        target=target,
        seq=seq,
        source=push.source,
        repository=push.repository,
        tag=push.tag,
        digest=push.digest,
        media_type=push.media_type,
        event_id="",
        verdict=push.verdict,
        account=push.account or "",
        jti="",
        occurred_at=at,
    )


def _simulated(pending: _Pending, would: Would, why: str, at: int) -> Simulated:
    return Simulated(pending.claim.seq, pending.push, pending.claim.rule, pending.claim.target, would, why, at)
