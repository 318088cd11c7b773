"""Decides what a target's answer means for its delivery: over, with which state, or again later."""

from dataclasses import dataclass
from typing import assert_never

from wharfinger.ledger.values import DeliveryState
from workers.decide.order import Delivered, Failed, Refused, Retry, Sent, Unchanged, Undone
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


def outcome(sent: Sent, *, attempt: int, jitter: float) -> Finish | Postpone:
    """What an answer means.

    Args:
        sent: the target's answer.
        attempt: the attempt's number, from 1.
        jitter: between 0 and 1.
    """
    match sent:
        case Delivered(detail):
            return Finish(DeliveryState.DELIVERED, detail)
        case Unchanged(detail):
            return Finish(DeliveryState.UNCHANGED, detail)
        case Undone(detail):
            return Finish(DeliveryState.UNDONE, detail)
        case Refused(reason):
            return Finish(DeliveryState.REFUSED, reason)
        case Failed(reason):
            return Finish(DeliveryState.FAILED, reason)
        case Retry(reason, after_s):
            return later(reason, attempt=attempt, asked_s=after_s, jitter=jitter)
        case _ as never:
            assert_never(never)


def later(reason: str, *, attempt: int, asked_s: float | None = None, jitter: float) -> Finish | Postpone:
    """Again later, or a dead letter when that was the last attempt."""
    pause_ms = next_attempt_ms(attempt, asked_s=asked_s, jitter=jitter)
    if pause_ms is None:
        return Finish(DeliveryState.FAILED, f"given up after {MAX_ATTEMPTS} attempts; the last: {reason}")
    return Postpone(reason, pause_ms, counts=True)
