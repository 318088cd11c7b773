"""Decides which registries have been silent for longer than their silences may last. Knows no ledger, reads no clock."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Silence:
    """A registry that was heard once and is no more. ``last_at``: when it was heard last, milliseconds since the epoch."""

    source: str
    last_at: int


def fallen_silent(last_heard: Mapping[str, int], allowed_ms: Mapping[str, int], *, now_ms: int) -> tuple[Silence, ...]:
    """The registries to ask after.

    Args:
        last_heard: when each registry was heard last; one that never was is not in it, and is not silent but not there yet.
        allowed_ms: how long each registry of the configuration may be silent; 0: for ever.
        now_ms: milliseconds since the epoch. A clock that was set back makes nobody silent.
    """
    return tuple(
        Silence(source, last_heard[source])
        for source, allowed in sorted(allowed_ms.items())
        if allowed and source in last_heard and now_ms - last_heard[source] > allowed
    )
