"""Decides what a target's answer means for its delivery: over, with which state, or again later."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, assert_never

from wharfinger.ledger.values import DeliveryState
from workers.decide.order import Delivered, Failed, Refused, Retry, Sent, Unchanged, Undone, Waiting
from workers.decide.retry import MAX_ATTEMPTS, next_attempt_ms


@dataclass(frozen=True, slots=True)
class Finish:
    """The delivery is over."""

    state: DeliveryState
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Postpone:
    """The delivery waits. ``counts``: it was an attempt at the target, not only a look at the tag."""

    reason: str
    pause_ms: int
    counts: bool


@dataclass(frozen=True, slots=True)
class Hold:
    """The delivery waits for a time, in milliseconds since the epoch, or for somebody."""

    reason: str
    until_ms: int


_OVER: Final[Mapping[type[Sent], DeliveryState]] = {
    Delivered: DeliveryState.DELIVERED,
    Unchanged: DeliveryState.UNCHANGED,
    Undone: DeliveryState.UNDONE,
    Refused: DeliveryState.REFUSED,
    Failed: DeliveryState.FAILED,
}


def outcome(sent: Sent, *, attempt: int, jitter: float) -> Finish | Postpone:
    """What an answer means.

    Args:
        sent: the target's answer.
        attempt: the attempt's number, from 1.
        jitter: between 0 and 1.
    """
    match sent:
        case Delivered(reason) | Unchanged(reason) | Undone(reason) | Refused(reason) | Failed(reason):
            return Finish(_OVER[type(sent)], reason)
        case Retry(reason, after_s):
            return later(reason, attempt=attempt, asked_s=after_s, jitter=jitter)
        case Waiting(reason, after_s):
            return Postpone(reason, int(1_000 * after_s), counts=False)
        case _ as never:
            assert_never(never)


def later(reason: str, *, attempt: int, asked_s: float | None = None, jitter: float) -> Finish | Postpone:
    """Again later, or a dead letter when that was the last attempt."""
    pause_ms = next_attempt_ms(attempt, asked_s=asked_s, jitter=jitter)
    if pause_ms is None:
        return Finish(DeliveryState.FAILED, f"given up after {MAX_ATTEMPTS} attempts; the last: {reason}")
    return Postpone(reason, pause_ms, counts=True)
