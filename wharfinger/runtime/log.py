"""Logs as events with fields, one JSON object a line on stderr. What is worth a line is decided by use cases and edges.

Never a token, a password, an Authorization header or a whole settings object; a Secret prints as ``***`` whatever happens.
"""

import json
import os
import time
from typing import Final, Protocol

MAX_VALUE: Final = 1_024
"""Characters of one value; a hostile User-Agent does not fill the disk."""
_STDERR: Final = 2


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
    moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now_s)) + f".{int(now_s * 1_000) % 1_000:03d}Z"
    record: dict[str, object] = {"time": moment, "service": service, "event": event}
    record |= {name: _plain(value) for name, value in fields.items()}
    return json.dumps(record).encode() + b"\n"


def discard(_event: str, /, **_fields: object) -> None:
    """A log that keeps nothing, for tests."""


def _plain(value: object) -> object:
    if value is None or isinstance(value, bool | int | float):
        return value
    text = value if isinstance(value, str) else str(value)
    return text if len(text) <= MAX_VALUE else text[:MAX_VALUE] + "…"
