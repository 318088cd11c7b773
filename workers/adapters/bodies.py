"""Notifications' bodies: expanded from their entry, or read from the file they were spilled to."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from wharfinger.wire.codec import UnreadableRecord
from wharfinger.wire.notification import StoredNotification, decompress

_NAME: Final = re.compile(r"[0-9A-Za-z-]{1,64}\.z", re.ASCII)
"""Every name that the notifier gives. A writer to Redis does not choose what else is read or removed."""


class SpilledBodies:
    """The port ``Bodies`` over a spill folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, stored: StoredNotification) -> bytes:
        """The body as it came."""
        name = stored.notification.spill
        if not name:
            return decompress(stored.compressed)
        if _NAME.fullmatch(name) is None:
            raise UnreadableRecord("the spilled body has a name that is not ours")
        try:
            return decompress((self._folder / name).read_bytes())
        except OSError as error:
            raise UnreadableRecord("the spilled body is lost") from error

    def forget(self, notifications: Sequence[StoredNotification]) -> None:
        """Remove what was spilled. Crash before: the file is an orphan, which sweep removes."""
        for stored in notifications:
            if _NAME.fullmatch(stored.notification.spill):
                (self._folder / stored.notification.spill).unlink(missing_ok=True)
