"""Who is silent for longer than the configuration lets it."""

import pytest

from workers.decide.silence import Silence, fallen_silent

NOW = 1_795_477_900_000
HOUR = 3_600_000


@pytest.mark.parametrize(
    ("heard", "allowed", "silent"),
    [
        pytest.param({"main": NOW - HOUR}, {"main": HOUR}, [], id="just so long is no longer than that"),
        pytest.param({"main": NOW - HOUR - 1}, {"main": HOUR}, ["main"], id="longer"),
        pytest.param({"main": NOW - 999 * HOUR}, {"main": 0}, [], id="never, as configured"),
        pytest.param({}, {"main": HOUR}, [], id="one that was never heard is not there yet"),
        pytest.param({"gone": NOW - 999 * HOUR}, {"main": HOUR}, [], id="one that the configuration has no more"),
        pytest.param({"main": NOW + HOUR}, {"main": HOUR}, [], id="a clock that was set back makes nobody silent"),
        pytest.param(
            {"b": NOW - 3 * HOUR, "a": NOW - 2 * HOUR, "c": NOW},
            {"c": HOUR, "b": HOUR, "a": HOUR},
            ["a", "b"],
            id="each by itself",
        ),
        pytest.param(
            {"a": NOW - 2 * HOUR, "b": NOW - 2 * HOUR}, {"a": HOUR, "b": 3 * HOUR}, ["a"], id="each has its own patience"
        ),
    ],
)
def test_who_is_silent(heard: dict[str, int], allowed: dict[str, int], silent: list[str]) -> None:
    """By when it was heard last, and no other."""
    assert fallen_silent(heard, allowed, now_ms=NOW) == tuple(Silence(name, heard[name]) for name in silent)
