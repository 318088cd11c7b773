"""Names on disk. That the system is asked for it before anybody is told is shown under strace, in tests/faults/test_order.py."""

from pathlib import Path

import pytest

from wharfinger.runtime.disk import sync_folder


def open_files() -> int:
    """How many this process has."""
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def test_a_folder(tmp_path: Path) -> None:
    """It is synced, and nothing stays open."""
    before = open_files()
    sync_folder(tmp_path)
    assert open_files() == before


@pytest.mark.parametrize("name", ["file", "nothing"])
def test_what_is_no_folder(tmp_path: Path, name: str) -> None:
    """It is not taken for one."""
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match=name):
        sync_folder(tmp_path / name)
