"""Times and lengths of time for people."""

import pytest

from workers.decide.times import moment, span


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.0, "0s"), (0.5, "0.5s"), (2.0, "2s"), (90.0, "90s"), (600.0, "10m"), (7_200.0, "2h"), (172_800.0, "2d")],
)
def test_spans(seconds: float, text: str) -> None:
    """In the greatest unit that fits."""
    assert span(seconds) == text


def test_moments() -> None:
    """To the second, UTC."""
    assert moment(1_795_477_900_999) == "2026-11-23 23:51:40"
