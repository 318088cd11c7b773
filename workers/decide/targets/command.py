"""A program on this machine: what it is told on its standard input, and what its end means."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from workers.decide.conversation import storable
from workers.decide.fields import fields
from workers.decide.order import Delivered, Failed, Order, Refused, Retry, Sent, Unchanged, Undone

UNCHANGED: Final = 10
UNDONE: Final = 20
LATER: Final = 75
"""EX_TEMPFAIL of sysexits.h."""
REFUSED: Final = 78
"""EX_CONFIG of sysexits.h."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a program ended. ``code``: negative for a signal; None: its time was up. ``said``: its last output."""

    code: int | None
    said: bytes = b""


def told(order: Order) -> bytes:
    """JSON of every field of the push, on one line."""
    return json.dumps(dict(fields(order)), separators=(",", ":")).encode() + b"\n"


def meaning(ended: Ended, *, timeout_s: float, repeatable: bool) -> Sent:
    """What an end means; the last line of what it wrote says why.

    Args:
        ended: how.
        timeout_s: what it was given.
        repeatable: it may be run again with the same delivery, whatever it had done of it.
    """
    lines = ended.said.decode("utf-8", "replace").split("\n")
    last = storable(next((line.strip() for line in reversed(lines) if line.strip()), ""))
    why = f": {last}" if last else ""
    if ended.code is None:
        late = f"did not end within {timeout_s:g} s (timeout), and was ended{why}"
        return Retry(late) if repeatable else Failed(late)
    if ended.code < 0:
        return Failed(f"was ended by signal {-ended.code}{why}")
    table: Mapping[int, Sent] = {
        0: Delivered(last or "exit code 0"),
        UNCHANGED: Unchanged(last or f"exit code {UNCHANGED}"),
        UNDONE: Undone(last or f"exit code {UNDONE}"),
        LATER: Retry(f"exit code {LATER}{why}"),
        REFUSED: Refused(f"exit code {REFUSED}{why}"),
    }
    return table.get(ended.code, Failed(f"exit code {ended.code}{why}"))


def cut_off(*, repeatable: bool) -> Sent:
    """What it means that a worker was killed while the program ran, which was killed with it."""
    if repeatable:
        return Retry("it was cut off while it ran")
    return Failed("it was cut off while it ran, and what it did only a person can tell: look, and replay")
