"""Big bodies on disk: written beside, synced, then renamed, before the entry that names them is written to Redis.

Crash before the rename: a ``.part`` file. Crash after it, before the entry: a file nobody names. Sweep removes both when old.
"""

import asyncio
import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Final

from notifier.errors import Unavailable
from wharfinger.runtime.disk import sync_folder

RECOUNT_EVERY: Final = 100
"""Files between two counts of the folder, for it may have other writers; settle removes files without telling, too."""


class SpillFolder:
    """The port ``Spill``, within a budget of bytes."""

    def __init__(self, folder: Path, budget: int) -> None:
        self.folder = folder
        self._budget = budget
        self._used = 0
        self._opened = 0

    async def open(self, *, received_at: int) -> "FileBeingSpilled":
        """Start a file."""
        if self._opened % RECOUNT_EVERY == 0:
            self._used = await asyncio.to_thread(_used, self.folder)
        self._opened += 1
        name = f"{received_at}-{secrets.token_hex(8)}.z"
        return FileBeingSpilled(self, name, await asyncio.to_thread(_open, self.folder, name))

    async def spend(self, size: int) -> None:
        """Count bytes. Raises Unavailable beyond the budget."""
        if self._used + size > self._budget:
            # Counted anew before anything is refused: much of what was spent is gone by now.
            self._used = await asyncio.to_thread(_used, self.folder)
        if self._used + size > self._budget:
            raise Unavailable(f"the spill folder {self.folder} has used up its {self._budget} bytes")
        self._used += size


class FileBeingSpilled:
    """The port ``SpillFile``."""

    def __init__(self, owner: SpillFolder, name: str, file: BinaryIO) -> None:
        self._owner = owner
        self._name = name
        self._file = file

    async def write(self, data: bytes) -> None:
        """Add bytes."""
        await self._owner.spend(len(data))
        try:
            await asyncio.to_thread(self._file.write, data)
        except OSError as error:
            raise Unavailable(f"the spill folder {self._owner.folder} takes no more: {error.strerror}") from error

    async def keep(self) -> str:
        """Sync, rename, sync the folder."""
        await asyncio.to_thread(_keep, self._owner.folder, self._name, self._file)
        return self._name

    async def discard(self) -> None:
        """Remove it."""
        await asyncio.to_thread(_discard, self._owner.folder, self._name, self._file)


def _used(folder: Path) -> int:
    try:
        with os.scandir(folder) as entries:
            return sum(map(_size, entries))
    except OSError:
        return 0  # not there yet; what else is wrong with it, opening a file will tell


def _size(entry: os.DirEntry[str]) -> int:
    try:
        return entry.stat().st_size
    except FileNotFoundError:
        return 0  # settle removed it just now


def _open(folder: Path, name: str) -> BinaryIO:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return os.fdopen(os.open(folder / f"{name}.part", os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb")
    except OSError as error:
        raise Unavailable(f"the spill folder {folder} takes no file: {error.strerror}") from error


def _keep(folder: Path, name: str, file: BinaryIO) -> None:
    try:
        file.flush()
        os.fsync(file.fileno())
        file.close()
        (folder / f"{name}.part").rename(folder / name)
        sync_folder(folder)
    except OSError as error:
        raise Unavailable(f"the spill folder {folder} keeps no file: {error.strerror}") from error


def _discard(folder: Path, name: str, file: BinaryIO) -> None:
    with suppress(OSError):
        file.close()  # what it still holds need not fit on a full disk
    for left in (folder / f"{name}.part", folder / name):
        # One that cannot be removed now is an orphan, as after a crash.
        with suppress(OSError):
            left.unlink()
