"""Decides when a delivery is tried again, and when it is a dead letter. Draws no randomness: the jitter comes in."""

from typing import Final

SCHEDULE_S: Final = (1, 5, 30, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
"""Pauses after the 1st, 2nd … attempt: seconds at first, then as Standard Webhooks recommends; three days in all."""
MAX_ATTEMPTS: Final = len(SCHEDULE_S) + 1
JITTER: Final = 0.1


def next_attempt_ms(attempt: int, *, asked_s: float | None, jitter: float) -> int | None:
    """The pause after an attempt that failed for now.

    Args:
        attempt: its number, from 1.
        asked_s: what the target asked for (Retry-After), seconds; believed up to twice the schedule's pause and a minute.
        jitter: between 0 and 1.

    Returns:
        milliseconds, or None when this was the last one.
    """
    if attempt >= MAX_ATTEMPTS:
        return None
    pause = float(SCHEDULE_S[attempt - 1])
    if asked_s is not None:
        pause = max(pause, min(asked_s, 2 * pause + 60))
    return int(1_000 * pause * (1 + JITTER * jitter))
