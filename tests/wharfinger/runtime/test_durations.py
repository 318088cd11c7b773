"""Durations as Go writes them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wharfinger.runtime.durations import LONGEST_S, parse_age, parse_duration

UNITS = {"h": 3_600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ns": 1e-9}


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("10s", 10), ("1h30m", 5_400), ("500ms", 0.5), ("1.5h", 5_400), (".5s", 0.5), ("1.s", 1), ("0s", 0), ("1h1h", 7_200),
        ("1m1ms", 60.001), ("3us", 3e-6), ("3µs", 3e-6), ("3μs", 3e-6), ("5ns", 5e-9), ("2562047h", 2_562_047 * 3_600),
    ],
)  # fmt: skip
def test_durations(text: str, seconds: float) -> None:
    """Every unit, alone and together."""
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "10",
        "0",
        "s",
        ".s",
        "1 s",
        " 1s",
        "1s ",
        "1s\n",
        "-1s",
        "+1s",
        "1d",
        "1S",
        "1s2",
        "1..5s",
        "1e3s",
        "١s",
        "inf",
        "2562048h",
        "9" * 400 + "h",
    ],
)
def test_what_is_none(text: str) -> None:
    """What Go refuses, and what its readers would misread: bare numbers; nothing is negative."""
    with pytest.raises(ValueError, match=r"is no duration|longer than"):
        parse_duration(text)


@pytest.mark.parametrize(("text", "seconds"), [("30d", 2_592_000), ("0d", 0), ("106751d", 106_751 * 86_400), ("12h", 43_200)])
def test_ages(text: str, seconds: float) -> None:
    """Whole days too, which Go has not."""
    assert parse_age(text) == seconds


@pytest.mark.parametrize("text", ["", "d", "1.5d", "-1d", "1d12h", "١d", "30", "106752d", "9" * 5_000 + "d"])
def test_what_is_no_age(text: str) -> None:
    """Neither days nor a duration, or longer than any."""
    with pytest.raises(ValueError, match=r"is no duration|longer than"):
        parse_age(text)


@given(st.lists(st.tuples(st.integers(0, 10_000), st.sampled_from(sorted(UNITS))), min_size=1, max_size=5))
def test_parts_add_up(parts: list[tuple[int, str]]) -> None:
    """In any order, also repeated."""
    text = "".join(f"{number}{unit}" for number, unit in parts)
    assert parse_duration(text) == pytest.approx(sum(number * UNITS[unit] for number, unit in parts))


@given(st.text(alphabet="0123456789.hmsunµ -+", max_size=12))
def test_nothing_else_is_raised(text: str) -> None:
    """A duration that can be waited for, or ValueError."""
    try:
        seconds = parse_duration(text)
    except ValueError:
        return
    assert 0 <= seconds < LONGEST_S
