"""A copy of a SQLite ledger while others write: one snapshot of it, whole in its file or not there at all.

Crash before the file has its name: a hidden file is left, which the next copy to the same place overwrites. After: it is whole,
for it was synced before.
"""

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Final

from wharfinger.ledger.errors import LedgerUnavailable
from wharfinger.runtime.disk import sync_folder

PAGES: Final = 2_000
"""Copied at a time, eight megabytes: progress is told after each."""

Told = Callable[[int, int], None]


def back_up(source: Path, target: Path, *, told: Told = lambda _done, _total: None, pages: int = PAGES) -> None:
    """Copy a ledger.

    Args:
        source: its file.
        target: a file that is not there yet.
        told: is told how many pages of how many are copied.
        pages: copied at a time.

    Raises:
        LedgerUnavailable: one of the two cannot be read or written, or something is at the target already.
    """
    part = target.with_name(f".{target.name}.part")
    try:
        if target.exists():
            raise LedgerUnavailable(f"{target} is there already, and nothing is overwritten")
        if not source.is_file():
            raise LedgerUnavailable(f"there is no ledger {source}")
        part.unlink(missing_ok=True)
        os.close(os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        _copy(source, part, told, pages)
        _sync(part)
        # Never over another's file, which may have come meanwhile.
        os.link(part, target)
        part.unlink()
        sync_folder(target.parent)
    except (sqlite3.Error, OSError) as error:
        raise LedgerUnavailable(f"cannot copy {source} to {target}: {error}") from error


def _copy(source: Path, part: Path, told: Told, pages: int) -> None:
    with (
        closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True)) as reading,
        closing(sqlite3.connect(part)) as writing,
    ):
        # Holding a snapshot, the copy is not begun anew whenever somebody writes, and writers do not wait for it.
        reading.execute("BEGIN")
        reading.execute("SELECT size FROM tree").fetchone()
        reading.backup(writing, pages=pages, progress=lambda _status, remaining, total: told(total - remaining, total))


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
