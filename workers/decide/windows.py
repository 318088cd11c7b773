"""Decides whether a time lies in one of a rule's windows, and when the next one opens. The clock and the zones come in.

An hour that a change of the clocks leaves out is the one after it; one that it repeats is meant the first time.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta

from wharfinger.runtime.settings import Window

_AHEAD_DAYS = 8
"""A window opens each week at least; the one that opened yesterday may last until today."""
_DAY_MIN = 1_440


def opens_at(windows: Sequence[Window], now_ms: int) -> int:
    """When it may go: now if a window is open, else when the next one opens, in milliseconds since the epoch."""
    spans = [span for window in windows for span in _spans(window, now_ms)]
    if any(start <= now_ms < end for start, end in spans):
        return now_ms
    return min(start for start, _ in spans if start > now_ms)


def _spans(window: Window, now_ms: int) -> Iterator[tuple[int, int]]:
    today = datetime.fromtimestamp(now_ms / 1_000, UTC).astimezone(window.zone).date()
    for day in _days(today):
        if day.weekday() in window.days:
            until = window.end_min if window.end_min > window.start_min else window.end_min + _DAY_MIN
            yield _moment(window, day, window.start_min), _moment(window, day, until)


def _days(today: date) -> Iterable[date]:
    return (today + timedelta(days=ahead) for ahead in range(-1, _AHEAD_DAYS))


def _moment(window: Window, day: date, minute: int) -> int:
    days, left = divmod(minute, _DAY_MIN)
    day += timedelta(days=days)
    local = datetime(day.year, day.month, day.day, left // 60, left % 60, tzinfo=window.zone)
    return int(local.timestamp() * 1_000)
