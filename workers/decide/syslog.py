"""A line of the trail as a syslog message, framed for a stream. Sends nothing.

Sources: RFC 5424 section 6 (the message), RFC 5425 section 4.3 (its length before it). The JSON is escaped to ASCII, so that it
needs no byte order mark (section 6.4), which receivers that read JSON do not expect.
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

_FACILITY: Final = 13
"""Log audit (section 6.2.1)."""
_NOTICE: Final = 5
_WARNING: Final = 4
_APP: Final = "wharfinger"
_MAX_HOST: Final = 255
_LAST_ID: Final = 2**31 - 1
"""Of ``sequenceId`` (section 7.3.1), which begins at 1 again after it."""


@dataclass(frozen=True, slots=True)
class Said:
    """A record to be told of: its number, kind, time in milliseconds, whether it alarms, and its line of JSON."""

    seq: int
    kind: str
    at_ms: int
    alarming: bool
    line: str


def frame(one: Said, *, host: str) -> bytes:
    """The octet count, a space, and the message. ``host``: of who sends."""
    message = _message(one, host=host).encode("ascii")
    return str(len(message)).encode("ascii") + b" " + message


def _message(one: Said, *, host: str) -> str:
    severity = _WARNING if one.alarming else _NOTICE
    moment = datetime.fromtimestamp(one.at_ms / 1_000, UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{one.at_ms % 1_000:03d}Z"
    text = json.dumps(json.loads(one.line), separators=(",", ":"))
    data = f'[meta sequenceId="{one.seq % _LAST_ID + 1}"]'
    return f"<{8 * _FACILITY + severity}>1 {moment} {_host(host)} {_APP} - {one.kind} {data} {text}"


def _host(text: str) -> str:
    # Printable US-ASCII, without spaces; "-" is nobody.
    return "".join(letter for letter in text if "!" <= letter <= "~")[:_MAX_HOST] or "-"
