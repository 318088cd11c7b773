"""Decides where a body is kept: in its stream entry, in a file beside, or nowhere but by its size and hash."""

from dataclasses import dataclass
from enum import StrEnum

from wharfinger.wire.notification import MAX_BODY, MAX_INLINE, Notification


class Place(StrEnum):
    """Where."""

    INLINE = "inline"
    SPILLED = "spilled"
    DROPPED = "dropped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrived:
    """A post that came whole. ``compressed``: bytes of its compressed form; ``spill``: the file that holds it, or empty."""

    source: str
    peer: str
    received_at: int
    size: int
    sha256: str
    content_type: str
    compressed: int
    spill: str


def place(*, size: int, compressed: int) -> Place:
    """Where a body of so many bytes goes, as far as it came."""
    if size > MAX_BODY:
        return Place.DROPPED
    return Place.SPILLED if compressed > MAX_INLINE else Place.INLINE


def notification(arrived: Arrived) -> Notification:
    """The record of a post."""
    where = place(size=arrived.size, compressed=arrived.compressed)
    return Notification(
        source=arrived.source,
        peer=arrived.peer,
        received_at=arrived.received_at,
        size=arrived.size,
        sha256=arrived.sha256,
        content_type=arrived.content_type,
        spill=arrived.spill if where is Place.SPILLED else "",
        dropped=where is Place.DROPPED,
    )
