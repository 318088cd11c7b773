"""Decides whether a claimed delivery may be sent now: guard by guard, in the order of docs/deploying.md, with what each says.

What the ledger knows is judged first, then what the registry says of the tag, then what may have to be waited for. The first no
ends it; of what says later the earliest counts, for that is when something may have changed.

The event of a push precedes the write of its tag, so a missing or other digest is looked at again for ten seconds.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from wharfinger.ledger.values import NEVER, Around, Claim, Decision, DeliveryState, Said, Standing
from wharfinger.runtime.settings import Approvals, Rule
from workers.decide.approvals import counted, deadline, rejection, why_not
from workers.decide.matching import good_enough, pusher_of, verdicts
from workers.decide.rules import CompiledRule
from workers.decide.times import moment, span
from workers.decide.versions import parse_version
from workers.decide.windows import opens_at

SETTLING_MS: Final = 10_000
"""How long after the push its tag may still be on its way."""
QUICK_LOOKS_MS: Final = (20, 50, 100, 200)
"""Pauses between the looks of one claim; then the delivery goes back to waiting."""
NEXT_LOOK_MS: Final = 1_000


@dataclass(frozen=True, slots=True)
class Go:
    """Send it."""


@dataclass(frozen=True, slots=True)
class Stop:
    """End it without sending."""

    state: DeliveryState
    reason: str


@dataclass(frozen=True, slots=True)
class LookAgain:
    """The tag may still be on its way."""

    reason: str


@dataclass(frozen=True, slots=True)
class Wait:
    """Look again at a time, in milliseconds since the epoch, or when somebody did something."""

    reason: str
    until_ms: int


@dataclass(frozen=True, slots=True)
class Ruling:
    """What some guards say together, and what each of them said."""

    step: Go | Stop | Wait | LookAgain
    decisions: tuple[Decision, ...] = ()


_GO: Final = Go()


def around(rule: CompiledRule, *, whole_target: bool) -> Around:
    """Which later pushes count against one of this rule's."""
    return Around(verdicts(rule.rule.require), whole_target=whole_target, any_tag=rule.matcher.newest)


def before_looking(claim: Claim, rule: CompiledRule, standing: Standing) -> Ruling:
    """What the ledger alone can tell."""
    return _together(_before(claim, rule, standing))


def after_looking(claim: Claim, found: str | None, *, now_ms: int) -> Ruling:
    """What the registry's answer means.

    Args:
        claim: the delivery.
        found: the tag's digest as the registry has it now; None when there is no such tag.
        now_ms: milliseconds since the epoch.
    """
    if found == claim.digest:
        return Ruling(_GO, (Decision("tag", Said.GO, f"{claim.tag} is this digest in the registry"),))
    what = f"the registry has no tag {claim.tag}" if found is None else f"{claim.tag} is {found} in the registry"
    if now_ms - claim.created_at < SETTLING_MS:
        return Ruling(LookAgain(what), (Decision("tag", Said.WAIT, what),))
    state = DeliveryState.TAG_MISSING if found is None else DeliveryState.SUPERSEDED
    return Ruling(Stop(state, what), (Decision("tag", Said.STOP, what),))


def after_the_tag(claim: Claim, rule: Rule, standing: Standing, *, knows_what_runs: bool, now_ms: int) -> Ruling:
    """What holds of a push that is the tag's still.

    Args:
        claim: the delivery.
        rule: its rule, as it is now.
        standing: what the ledger knows around it.
        knows_what_runs: the target says itself when a digest runs already.
        now_ms: milliseconds since the epoch.
    """
    return _together(_after(claim, rule, standing, now_ms, knows_what_runs=knows_what_runs))


@dataclass(frozen=True, slots=True)
class _Word:
    """What one guard says. ``state``: in which a no ends it; ``until_ms``: of a later."""

    guard: str
    said: Said
    why: str
    state: DeliveryState = DeliveryState.REFUSED
    until_ms: int = NEVER


def _together(words: Iterable[_Word]) -> Ruling:
    decisions: list[Decision] = []
    waits: list[_Word] = []
    for word in words:
        decisions.append(Decision(word.guard, word.said, word.why))
        if word.said is Said.STOP:
            return Ruling(Stop(word.state, word.why), tuple(decisions))
        if word.said is Said.WAIT:
            waits.append(word)
    if not waits:
        return Ruling(_GO, tuple(decisions))
    return Ruling(Wait("; ".join(word.why for word in waits), min(word.until_ms for word in waits)), tuple(decisions))


def _before(claim: Claim, rule: CompiledRule, standing: Standing) -> Iterator[_Word]:
    if not good_enough(claim.verdict, rule.rule.require):
        yield _Word("attribution", Said.STOP, f"the push is not tied to a token: {claim.verdict}")
    else:
        yield _Word("attribution", Said.GO, claim.verdict)
    pusher = pusher_of(claim.verdict, claim.account)
    if rule.rule.pushers:
        problem = rule.pusher_problem(pusher)
        yield _Word("pusher", Said.STOP if problem else Said.GO, problem or f"pushed by {pusher}")
    yield _order(claim, rule, standing)
    if rule.rule.forward_only and standing.last_delivered is not None:
        yield _forward(claim, standing)
    if standing.paused:
        yield _Word("pause", Said.WAIT, standing.paused)


def _order(claim: Claim, rule: CompiledRule, standing: Standing) -> _Word:
    if standing.later_digest is not None and rule.matcher.newest:
        why = f"{claim.repository} was pushed again, as {standing.later_tag} {standing.later_digest}"
        return _Word("order", Said.STOP, why, DeliveryState.SUPERSEDED)
    if standing.later_digest is not None:
        why = f"{claim.tag} was pushed again, as {standing.later_digest}"
        return _Word("order", Said.STOP, why, DeliveryState.SUPERSEDED)
    if standing.overtaken:
        why = "a later push was delivered to this target already"
        return _Word("order", Said.STOP, why, DeliveryState.SUPERSEDED)
    return _Word("order", Said.GO, "no later push of it is known")


def _forward(claim: Claim, standing: Standing) -> _Word:
    mine, last = parse_version(claim.tag), parse_version(standing.last_tag)
    backwards = claim.seq < standing.last_seq if mine is None or last is None else mine < last
    what = f"{standing.last_tag}, which was delivered last"
    if backwards:
        return _Word("forward_only", Said.STOP, f"{claim.tag} would go back from {what}")
    return _Word("forward_only", Said.GO, f"{claim.tag} is not older than {what}")


def _after(claim: Claim, rule: Rule, standing: Standing, now_ms: int, *, knows_what_runs: bool) -> Iterator[_Word]:
    if standing.bad:
        yield _Word("digest", Said.STOP, standing.bad)
    if standing.last_delivered == claim.digest and not knows_what_runs:
        yield _Word("digest", Said.STOP, "this digest was the last one delivered", DeliveryState.UNCHANGED)
    for looks_at, guard in LATER:
        if looks_at(rule):
            yield guard(claim, rule, standing, now_ms)


def _cooldown(claim: Claim, rule: Rule, _standing: Standing, now_ms: int) -> _Word:
    return _aged("cooldown", rule.cooldown_s, claim, now_ms)


def _debounce(claim: Claim, rule: Rule, _standing: Standing, now_ms: int) -> _Word:
    return _aged("debounce", rule.debounce_s, claim, now_ms)


def _aged(guard: str, seconds: float, claim: Claim, now_ms: int) -> _Word:
    # By the ledger's own clock: the event's time is what the registry, or whoever has its secret, says.
    until_ms = claim.created_at + int(seconds * 1_000)
    if now_ms < until_ms:
        return _Word(guard, Said.WAIT, f"{guard} until {moment(until_ms)}", until_ms=until_ms)
    return _Word(guard, Said.GO, f"{guard} of {span(seconds)} is over")


def _window(_claim: Claim, rule: Rule, _standing: Standing, now_ms: int) -> _Word:
    until_ms = opens_at(rule.windows, now_ms)
    if until_ms > now_ms:
        return _Word("window", Said.WAIT, f"no window is open until {moment(until_ms)}", until_ms=until_ms)
    return _Word("window", Said.GO, "a window is open")


def _approved(claim: Claim, rule: Rule, standing: Standing, now_ms: int) -> _Word:
    asked = rule.approvals or Approvals(0, ())
    pusher = pusher_of(claim.verdict, claim.account)
    if asked.four_eyes and pusher is None:
        return _Word("approvals", Said.STOP, why_not(asked, asked.approvers[0], pusher))
    against = rejection(asked, standing.votes, pusher=pusher)
    if against is not None:
        return _Word("approvals", Said.STOP, f"rejected by {against.account}: {against.why}")
    approved = counted(asked, standing.votes, pusher=pusher, pushed_at=claim.created_at)
    until_ms = deadline(asked, claim.created_at)
    named = f" ({', '.join(approved)})" if approved else ""
    so_far = f"{len(approved)} of {asked.needed} approvals{named}"
    if len(approved) >= asked.needed:
        return _Word("approvals", Said.GO, so_far)
    if now_ms >= until_ms:
        return _Word("approvals", Said.STOP, f"{so_far} within {span(asked.within_s)}")
    return _Word("approvals", Said.WAIT, f"{so_far}, until {moment(until_ms)}", until_ms=until_ms)


_Guard = Callable[[Claim, Rule, Standing, int], _Word]
LATER: Final[tuple[tuple[Callable[[Rule], object], _Guard], ...]] = (
    (lambda rule: rule.cooldown_s, _cooldown),
    (lambda rule: rule.windows, _window),
    (lambda rule: rule.debounce_s, _debounce),
    (lambda rule: rule.approvals, _approved),
)
"""What may have to be waited for: whether a rule asks for it, and what it says."""
