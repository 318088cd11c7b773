"""What must be on disk before others are told of it."""

import os
from pathlib import Path


def sync_folder(folder: Path) -> None:
    """The names in a folder: a new file's own sync does not keep its name. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
