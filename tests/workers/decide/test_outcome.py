"""What a target's answer means."""

import pytest

from wharfinger.ledger.values import DeliveryState
from workers.decide.order import Delivered, Failed, Refused, Retry, Sent, Unchanged, Undone, Waiting
from workers.decide.outcome import Finish, Postpone, outcome
from workers.decide.retry import MAX_ATTEMPTS


@pytest.mark.parametrize(
    ("sent", "state"),
    [
        (Delivered("x"), DeliveryState.DELIVERED),
        (Unchanged("x"), DeliveryState.UNCHANGED),
        (Undone("x"), DeliveryState.UNDONE),
        (Refused("x"), DeliveryState.REFUSED),
        (Failed("x"), DeliveryState.FAILED),
    ],
)
def test_over(sent: Sent, state: DeliveryState) -> None:
    """Every answer but two ends the delivery."""
    assert outcome(sent, attempt=1, jitter=0) == Finish(state, "x")


def test_later() -> None:
    """A target that cannot now is asked again, until it is a dead letter."""
    assert outcome(Retry("x", 3), attempt=1, jitter=0) == Postpone("x", 3_000, counts=True)
    last = outcome(Retry("x"), attempt=MAX_ATTEMPTS, jitter=0)
    assert isinstance(last, Finish)
    assert last.state is DeliveryState.FAILED


def test_begun_and_not_over() -> None:
    """Looking again is no attempt, however often: what was begun takes its time."""
    assert outcome(Waiting("runs", 2.5), attempt=MAX_ATTEMPTS, jitter=1) == Postpone("runs", 2_500, counts=False)
