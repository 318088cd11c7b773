"""Decides, from the names and labels on an Engine, what a replacement that was cut off left, and how far it had come.

While one is under way the old container may be called ``NAME-old-DELIVERY``, and the new one ``NAME-new-DELIVERY`` until it is
put in. The delivery's whole id stands in both, so that nothing of people's, and nothing of another target's, is taken for ours.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from workers.decide.replacement import LABEL_DELIVERY, LABEL_RAN, LABEL_REPLACES, RAN, Json

_DELIVERY: Final = r"dlv_[0-9A-Za-z]+"
_NEVER: Final = "0001-"
"""How Go writes the time of what never happened."""


@dataclass(frozen=True, slots=True)
class Names:
    """What the containers of one replacement are called. ``old`` and ``new``: only until it is over."""

    wanted: str
    old: str
    new: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Interrupted:
    """A replacement that is not over. ``old`` and ``new`` are ids, empty when there is none.

    ``put_in``: the new one has the name, so it is for it to serve. ``old_ran``: what bringing the old one back means.
    """

    delivery: str
    names: Names
    old: str
    new: str
    put_in: bool
    old_ran: bool


@dataclass(frozen=True, slots=True)
class Unclear:
    """What stands there is none of the states that a replacement goes through: somebody else has a hand in it."""

    reason: str


def names_of(container: str, delivery: str) -> Names:
    """The names of one delivery's replacement of a container."""
    return Names(container, f"{container}-old-{delivery}", f"{container}-new-{delivery}")


def interrupted(container: str, listed: Sequence[Json]) -> tuple[Interrupted | Unclear, ...]:
    """The replacements of a container that are not over.

    Args:
        container: the name that the target wants to run.
        listed: the Engine's list of all containers.
    """
    named = {name: one for one in listed for name in _names(one)}
    pattern = re.compile(rf"{re.escape(container)}-(?:old|new)-({_DELIVERY})")
    deliveries = sorted({found[1] for name in named if (found := pattern.fullmatch(name))})
    return tuple(_state(names_of(container, delivery), delivery, named) for delivery in deliveries)


def _state(names: Names, delivery: str, named: Mapping[str, Json]) -> Interrupted | Unclear:
    current, aside, beside = named.get(names.wanted), named.get(names.old), named.get(names.new)
    if aside is not None and current is not None:
        if _labels(current).get(LABEL_DELIVERY) != delivery:
            return Unclear(
                f"{names.old} was set aside by a replacement that was cut off, and {names.wanted} is another container now; "
                f"remove the one that is not wanted, or rename {names.old} back"
            )
        return _interrupted(names, delivery, old=aside, new=current, put_in=True)
    if beside is not None and _labels(beside).get(LABEL_DELIVERY) != delivery:
        return Unclear(f"{names.new} is named as a replacement's new container, and is none; rename it")
    replaces_current = current is not None and beside is not None and _labels(beside).get(LABEL_REPLACES) == current["Id"]
    old = current if replaces_current else aside
    return _interrupted(names, delivery, old=old, new=beside, put_in=False)


def _interrupted(names: Names, delivery: str, *, old: Json | None, new: Json | None, put_in: bool) -> Interrupted:
    return Interrupted(
        delivery=delivery,
        names=names,
        old="" if old is None else old["Id"],
        new="" if new is None else new["Id"],
        put_in=put_in,
        # Only the new one's label tells; without it the old one ran, as nearly every replaced container does.
        old_ran=new is None or _labels(new).get(LABEL_RAN, RAN) == RAN,
    )


def was_put_in_by(delivery: str, container: str, listed: Sequence[Json]) -> bool:
    """Whether the container that has the name now came by this delivery; with nothing left beside it, that one is over."""
    return any(_labels(one).get(LABEL_DELIVERY) == delivery for one in listed if container in _names(one))


def was_started(container: Json) -> bool:
    """Whether an inspected container ever ran: it was put in, and what is left of it is what failed."""
    started: str = container["State"].get("StartedAt") or _NEVER
    return not started.startswith(_NEVER)


def _names(listed: Json) -> list[str]:
    # A name with a second slash is another container's alias for this one (a legacy link).
    plain = [name.removeprefix("/") for name in listed.get("Names") or []]
    return [name for name in plain if "/" not in name]


def _labels(listed: Json) -> Mapping[str, Any]:
    return listed.get("Labels") or {}
