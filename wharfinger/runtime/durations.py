"""Go's duration texts: ``10s``, ``1h30m``, ``500ms``. Source: Go's time.ParseDuration; a bare number is refused here."""

import re
from typing import Final

LONGEST_S: Final = 2**63 / 1e9
"""Go counts nanoseconds in 63 bits: 292 years."""
DAY_S: Final = 86_400.0
_TOO_LONG: Final = "is longer than 292 years"
_UNITS: Final = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3_600.0}
_DAYS: Final = re.compile(r"([0-9]+)d", re.ASCII)
_PART: Final = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h)")
_WHOLE: Final = re.compile(rf"(?:{_PART.pattern})+")


def parse_age(text: str) -> float:
    """Seconds of a Go duration, or of whole days (``30d``), which Go has not. Raises ValueError."""
    days = _DAYS.fullmatch(text)
    if days is None:
        return parse_duration(text)
    seconds = float(days[1]) * DAY_S
    if seconds >= LONGEST_S:
        raise ValueError(_TOO_LONG)
    return seconds


def parse_duration(text: str) -> float:
    """Seconds. Raises ValueError for what Go refuses, and for a bare number (nanoseconds there, seconds to most readers)."""
    if _WHOLE.fullmatch(text) is None:
        raise ValueError(f"{text!r} is no duration like 30s, 1h30m or 500ms")
    seconds = sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text))
    if seconds >= LONGEST_S:
        raise ValueError(_TOO_LONG)
    return seconds
