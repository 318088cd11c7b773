"""When something may be deployed: inside a window at once, else when the next one opens, in its own time zone."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wharfinger.runtime.settings import Window
from workers.decide.windows import opens_at

BERLIN, UTC_ZONE, CHATHAM = ZoneInfo("Europe/Berlin"), ZoneInfo("UTC"), ZoneInfo("Pacific/Chatham")
EVERY = frozenset(range(7))
WEEK_MS = 7 * 86_400_000


def window(hours: str, days: frozenset[int] = EVERY, zone: ZoneInfo = UTC_ZONE) -> Window:
    """One, by its hours."""
    start, end = ([int(part) for part in one.split(":")] for one in hours.split("-"))
    return Window(days, start[0] * 60 + start[1], end[0] * 60 + end[1], zone)


def ms(text: str) -> int:
    """A time, UTC."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1_000)


MON_FRI = frozenset(range(5))
# 2026-11-23 is a Monday. Berlin's clocks: an hour forward on 2026-03-29 at 02:00, back on 2026-10-25 at 03:00.
TIMES = [
    ([window("09:00-17:00")], "2026-11-23T09:00", "2026-11-23T09:00"),
    ([window("09:00-17:00")], "2026-11-23T16:59:59", "2026-11-23T16:59:59"),
    ([window("09:00-17:00")], "2026-11-23T17:00", "2026-11-24T09:00"),
    ([window("09:00-17:00")], "2026-11-23T08:59", "2026-11-23T09:00"),
    ([window("09:00-17:00", MON_FRI)], "2026-11-27T17:00", "2026-11-30T09:00"),
    ([window("09:00-17:00", frozenset({0}))], "2026-11-23T17:00", "2026-11-30T09:00"),
    # Over midnight: it belongs to the day it began on.
    ([window("22:00-04:00", frozenset({4}))], "2026-11-28T03:59", "2026-11-28T03:59"),
    ([window("22:00-04:00", frozenset({4}))], "2026-11-27T03:00", "2026-11-27T22:00"),
    ([window("22:00-04:00", frozenset({4}))], "2026-11-28T04:00", "2026-12-04T22:00"),
    ([window("00:00-24:00")], "2026-11-23T23:59:59", "2026-11-23T23:59:59"),
    ([window("00:00-24:00", frozenset({6}))], "2026-11-23T00:00", "2026-11-29T00:00"),
    # Any of several.
    ([window("09:00-10:00"), window("13:00-14:00")], "2026-11-23T10:30", "2026-11-23T13:00"),
    ([window("09:00-10:00"), window("13:00-14:00")], "2026-11-23T13:30", "2026-11-23T13:30"),
    # Zones, and their changes.
    ([window("09:00-17:00", zone=BERLIN)], "2026-11-23T07:59", "2026-11-23T08:00"),
    ([window("09:00-17:00", zone=BERLIN)], "2026-07-23T07:00", "2026-07-23T07:00"),
    ([window("09:00-17:00", zone=BERLIN)], "2026-03-28T20:00", "2026-03-29T07:00"),
    ([window("02:30-03:30", zone=BERLIN)], "2026-03-28T12:00", "2026-03-29T01:30"),
    ([window("02:30-03:30", zone=BERLIN)], "2026-10-24T12:00", "2026-10-25T00:30"),
    ([window("09:00-17:00", frozenset({1}), CHATHAM)], "2026-11-23T12:00", "2026-11-23T19:15"),
]


@pytest.mark.parametrize(("windows", "now", "expected"), TIMES)
def test_times(windows: list[Window], now: str, expected: str) -> None:
    """Now inside a window, to the second of its end; else the next opening."""
    assert opens_at(windows, ms(now)) == ms(expected)


WINDOWS = st.lists(
    st.builds(
        Window,
        st.frozensets(st.integers(0, 6), min_size=1),
        st.integers(0, 1_439),
        st.integers(1, 1_440),
        st.sampled_from([UTC_ZONE, BERLIN, CHATHAM]),
    ).filter(lambda one: one.start_min != one.end_min),
    min_size=1,
    max_size=3,
)


@given(WINDOWS, st.integers(ms("2026-01-01T00:00"), ms("2027-01-01T00:00")))
def test_what_opens_is_open(windows: list[Window], now_ms: int) -> None:
    """The time that is told is never past, within a week and a day, and one at which it may go; before it none is."""
    found = opens_at(windows, now_ms)
    assert now_ms <= found <= now_ms + WEEK_MS + 86_400_000
    assert opens_at(windows, found) == found
    assert found == now_ms or opens_at(windows, (now_ms + found) // 2) == found
