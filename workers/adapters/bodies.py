"""Notifications' bodies: expanded from their entry, or read from the file they were spilled to."""

from collections.abc import Sequence
from pathlib import Path

from wharfinger.wire.codec import UnreadableRecord
from wharfinger.wire.notification import StoredNotification, decompress


class SpilledBodies:
    """The port ``Bodies`` over a spill folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, stored: StoredNotification) -> bytes:
        """The body as it came."""
        name = stored.notification.spill
        if not name:
            return decompress(stored.compressed)
        try:
            # Only the name: a writer to Redis does not choose what is read here.
            return decompress((self._folder / Path(name).name).read_bytes())
        except OSError as error:
            raise UnreadableRecord("the spilled body is lost") from error

    def forget(self, notifications: Sequence[StoredNotification]) -> None:
        """Remove what was spilled. Crash before: the file is an orphan, which sweep removes."""
        for stored in notifications:
            if stored.notification.spill:
                (self._folder / Path(stored.notification.spill).name).unlink(missing_ok=True)
