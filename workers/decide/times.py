"""Times and lengths of time as decisions name them, for people."""

from datetime import UTC, datetime
from typing import Final

_UNITS: Final = (("d", 86_400), ("h", 3_600), ("m", 60))


def moment(milliseconds: int) -> str:
    """A time to the second, UTC."""
    return datetime.fromtimestamp(milliseconds // 1_000, UTC).strftime("%Y-%m-%d %H:%M:%S")


def span(seconds: float) -> str:
    """A length of time: ``1d``, ``90s``, ``0.5s``."""
    for unit, length in _UNITS:
        if seconds and seconds % length == 0:
            return f"{int(seconds // length)}{unit}"
    return f"{seconds:g}s"
