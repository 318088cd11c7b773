"""Logs as events with fields, one JSON object a line on stderr. What is worth a line is decided by use cases and edges.

Never a token, a password, an Authorization header or a whole settings object; a Secret prints as ``***`` whatever happens.
"""

import json
import os
import time
from functools import lru_cache
from typing import Final, Protocol

import msgspec

MAX_VALUE: Final = 1_024
"""Characters of one value; a hostile User-Agent does not fill the disk."""
_STDERR: Final = 2
_encoder: Final = msgspec.json.Encoder()


class Log(Protocol):
    """Something that takes events."""

    def __call__(self, event: str, /, **fields: object) -> None:
        """Log one event, ``noun.past_participle``, with its fields."""


def to_stderr(service: str) -> Log:
    """A log of one service, a line by one write, so that processes do not mix theirs."""

    def log(event: str, /, **fields: object) -> None:
        try:
            os.write(_STDERR, line(service, event, fields, now_s=time.time()))  # noqa: TID251 - the log's own clock
        except OSError:
            return  # a closed terminal does not stop a service

    return log


def line(service: str, event: str, fields: dict[str, object], *, now_s: float) -> bytes:
    """One event as a line. Control characters are escaped by JSON; long values are cut."""
    moment = f"{_second(int(now_s))}.{int(now_s * 1_000) % 1_000:03d}Z"
    record: dict[str, object] = {"time": moment, "service": service, "event": event}
    record |= {name: _plain(value) for name, value in fields.items()}
    return _json(record) + b"\n"


def _json(record: dict[str, object]) -> bytes:
    try:
        written = _encoder.encode(record)
    except UnicodeEncodeError:  # half of a surrogate pair
        written = b"\xff"
    # Beyond ASCII everything is escaped: some of it steers terminals. Most lines have none of it, and are made faster.
    return written if written.isascii() else json.dumps(record, separators=(",", ":")).encode()


@lru_cache(maxsize=2)
def _second(at: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at))


def discard(_event: str, /, **_fields: object) -> None:
    """A log that keeps nothing, for tests."""


def _plain(value: object) -> object:
    if value is None or isinstance(value, bool | int | float):
        return value
    text = value if isinstance(value, str) else str(value)
    return text if len(text) <= MAX_VALUE else text[:MAX_VALUE] + "…"
