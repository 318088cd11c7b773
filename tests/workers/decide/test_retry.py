"""When a delivery is tried again."""

import pytest

from workers.decide.retry import MAX_ATTEMPTS, SCHEDULE_S, next_attempt_ms


@pytest.mark.parametrize(
    ("attempt", "asked_s", "jitter", "expected"),
    [
        (1, None, 0.0, 1_000),
        (1, None, 1.0, 1_100),
        (2, 30.0, 0.0, 30_000),
        (2, 1.0, 0.0, 5_000),
        (2, 99_999.0, 0.0, 70_000),
        (MAX_ATTEMPTS - 1, None, 0.0, SCHEDULE_S[-1] * 1_000),
        (MAX_ATTEMPTS, None, 0.0, None),
    ],
)
def test_pauses(attempt: int, asked_s: float | None, jitter: float, expected: int | None) -> None:
    """The schedule, the target's wish within bounds, and the end."""
    assert next_attempt_ms(attempt, asked_s=asked_s, jitter=jitter) == expected
