"""Logs as events with fields, one JSON object a line on stderr. What is worth a line is decided by use cases and edges.

Never a token, a password, an Authorization header or a whole settings object; a Secret prints as ``***`` whatever happens.
"""

import asyncio
import json
import logging
import math
import os
import time
import traceback
from collections.abc import Iterable, Iterator
from functools import lru_cache
from select import PIPE_BUF
from threading import get_ident
from types import TracebackType
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
        _write(line(service, event, fields, now_s=time.time()))  # noqa: TID251 - the log's own clock

    return log


def by_turns(service: str, loop: asyncio.AbstractEventLoop) -> Log:
    """The same for the thread of an event loop: the lines of one turn go together, a write for each cost a tenth of a token.

    A crash loses those of its turn. Other threads' lines are written at once.
    """
    waiting: list[bytes] = []
    owner = get_ident()

    def flush() -> None:
        lines, waiting[:] = waiting[:], []
        for one in together(lines):
            _write(one)

    def log(event: str, /, **fields: object) -> None:
        told = line(service, event, fields, now_s=time.time())  # noqa: TID251 - the log's own clock
        if get_ident() != owner:
            _write(told)
            return
        if not waiting:
            loop.call_soon(flush)
        waiting.append(told)

    return log


def together(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Lines in their order, as many at once as a pipe takes without mixing in another process's (PIPE_BUF, pipe(7))."""
    held = b""
    for one in lines:
        if held and len(held) + len(one) > PIPE_BUF:
            yield held
            held = b""
        held += one
    if held:
        yield held


def _write(data: bytes) -> None:
    try:
        os.write(_STDERR, data)
    except OSError:
        return  # a closed terminal does not stop a service


class LibraryLog(logging.Handler):
    """Takes what libraries log, as events without their words: aiohttp's quote the request, with its Authorization header."""

    def __init__(self, log: Log) -> None:
        super().__init__(logging.WARNING)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        """What the library calls it, the kind of the exception, and where it was raised."""
        # The first line as it was written: asyncio's others show whole tasks, with their exceptions.
        what = str(record.msg).partition("\n")[0]
        fields: dict[str, object] = {"library": record.name, "level": record.levelname, "what": what}
        if record.exc_info and record.exc_info[0] is not None:
            fields["error"] = record.exc_info[0].__name__
            fields |= place_of(record.exc_info[2])
        self._log("library.logged", **fields)

    @classmethod
    def install(cls, log: Log) -> None:
        """For this whole process, in place of what prints to stderr."""
        logging.getLogger().handlers = [cls(log)]


def place_of(trace: TracebackType | None) -> dict[str, object]:
    """Where an exception was raised, for a log that must not hold its text."""
    frames = traceback.extract_tb(trace)
    return {"file": frames[-1].filename, "line": frames[-1].lineno} if frames else {}


def line(service: str, event: str, fields: dict[str, object], *, now_s: float) -> bytes:
    """One event as a line. Control characters are escaped by JSON; long values are cut."""
    moment = f"{_second(int(now_s))}.{int(now_s * 1_000) % 1_000:03d}Z"
    record: dict[str, object] = {"time": moment, "service": service, "event": event}
    for name, value in fields.items():
        record.setdefault(name, _plain(value))
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
    if value is None or isinstance(value, int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    text = value if isinstance(value, str) else str(value)
    return text if len(text) <= MAX_VALUE else text[:MAX_VALUE] + "…"
