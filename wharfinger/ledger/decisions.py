"""A delivery's decisions as its row holds them, and how a later look's are put behind those of an earlier one. Pure."""

import json
from collections.abc import Sequence
from typing import Final

from wharfinger.ledger.record import canonical_json
from wharfinger.ledger.values import Decision, Said

MOST: Final = 60
"""Lines kept: a delivery that is looked at for days says little new; the oldest go first."""


def put_behind(old: Sequence[Decision], new: Sequence[Decision], *, now_ms: int) -> tuple[Decision, ...]:
    """The lines of a delivery after another look: a guard has another line only when it says something else than before."""
    said = {one.guard: one for one in old}
    found = list(old)
    for one in new:
        before = said.get(one.guard)
        if before is None or (before.said, before.why) != (one.said, one.why):
            found.append(Decision(one.guard, one.said, one.why, now_ms))
    return tuple(found[-MOST:])


def to_text(decisions: Sequence[Decision]) -> str:
    """As the row holds them; empty when there are none."""
    if not decisions:
        return ""
    return canonical_json(
        [{"guard": one.guard, "said": one.said.value, "why": one.why, "at": one.at} for one in decisions]
    ).decode()


def from_text(text: str) -> tuple[Decision, ...]:
    """The lines of a row."""
    found = json.loads(text) if text else []
    return tuple(Decision(one["guard"], Said(one["said"]), one["why"], one["at"]) for one in found)
