"""A delivery's decisions: kept as they are, and a later look adds only what is new."""

import pytest

from wharfinger.ledger.decisions import MOST, from_text, put_behind, to_text
from wharfinger.ledger.values import Decision, Said

COOL = Decision("cooldown", Said.WAIT, "until noon", 5)
OVER = Decision("cooldown", Said.GO, "over")
TAG = Decision("tag", Said.GO, "is this digest")


@pytest.mark.parametrize(
    ("new", "expected"),
    [
        ([], [COOL]),
        ([Decision("cooldown", Said.WAIT, "until noon")], [COOL]),
        ([OVER], [COOL, Decision("cooldown", Said.GO, "over", 9)]),
        ([TAG], [COOL, Decision("tag", Said.GO, "is this digest", 9)]),
        ([Decision("cooldown", Said.WAIT, "until one")], [COOL, Decision("cooldown", Said.WAIT, "until one", 9)]),
    ],
)
def test_what_a_later_look_adds(new: list[Decision], expected: list[Decision]) -> None:
    """A guard's line stands until it says something else, and keeps its time."""
    assert put_behind([COOL], new, now_ms=9) == tuple(expected)


def test_no_more_than_can_be_read() -> None:
    """Of a guard that changes its word for days the oldest lines go."""
    lines: tuple[Decision, ...] = ()
    for number in range(MOST + 5):
        lines = put_behind(lines, [Decision("window", Said.WAIT, f"until {number}")], now_ms=number)
    assert [one.at for one in lines] == list(range(5, MOST + 5))


@pytest.mark.parametrize("lines", [(), (COOL,), (COOL, OVER, Decision("pusher", Said.STOP, 'é"\n', 1))])
def test_written_and_read(lines: tuple[Decision, ...]) -> None:
    """As they are; none is nothing."""
    assert from_text(to_text(lines)) == lines
    assert bool(to_text(lines)) is bool(lines)
