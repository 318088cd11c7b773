"""What the notifier needs of the world around it."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Protocol

from wharfinger.wire.notification import StoredNotification


class EventStream(Protocol):
    """Where notifications are kept for settle."""

    async def append(self, stored: StoredNotification) -> None:
        """Return once it is durable. Raises Unavailable: the registry must try again."""


class SpillFile(Protocol):
    """A body too big for the stream, being written."""

    async def write(self, data: bytes) -> None:
        """Add compressed bytes. Raises Unavailable: the disk or the budget is full."""

    async def keep(self) -> str:
        """Make it durable under its final name, and give that. Raises Unavailable."""

    async def discard(self) -> None:
        """Forget it."""


class Spill(Protocol):
    """Where big bodies go."""

    async def open(self, *, received_at: int) -> SpillFile:
        """Start a file. Raises Unavailable: the budget is used up."""


@dataclass(frozen=True, slots=True)
class Post:
    """A post whose sender is known. ``chunks`` raises BrokenOff when it does not come whole."""

    source: str
    peer: str
    content_type: str
    chunks: AsyncIterator[bytes]


Clock = Callable[[], int]
"""Milliseconds since the epoch."""
