"""The ports Spill and SpillFile: their suite on the fake and on a folder, and how the folder survives what disks do."""

import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from notifier.adapters.spill import RECOUNT_EVERY, SpillFolder
from notifier.errors import Unavailable
from notifier.ports import Spill
from tests.notifier.fakes import MemorySpill

BUDGET = 100_000


@dataclass
class Subject:
    """An implementation, what it keeps by name, and how much of anything is left of it."""

    port: Spill
    kept: Callable[[], dict[str, bytes]]
    left: Callable[[], int]


@pytest.fixture(params=["fake", "folder"])
def subject(request: pytest.FixtureRequest, tmp_path: Path) -> Subject:
    """Each implementation."""
    if request.param == "fake":
        fake = MemorySpill(BUDGET)
        return Subject(fake, lambda: dict(fake.files), lambda: len(fake.files) + len(fake.open_files))
    folder = tmp_path / "spill"
    return Subject(SpillFolder(folder, BUDGET), lambda: kept_in(folder), lambda: left_in(folder))


def kept_in(folder: Path) -> dict[str, bytes]:
    """The files of a folder that have their final names."""
    return {file.name: file.read_bytes() for file in folder.iterdir() if file.suffix != ".part"}


def left_in(folder: Path) -> int:
    """How many files there are, whatever they are called."""
    return len(list(folder.iterdir()))


async def test_a_file_is_kept_whole(subject: Subject) -> None:
    """Its pieces in order, under a plain name that says when it came."""
    file = await subject.port.open(received_at=1_795_477_894_123)
    for piece in (b"one ", b"", b"two"):
        await file.write(piece)
    assert subject.kept() == {}
    name = await file.keep()
    assert subject.kept() == {name: b"one two"}
    assert name.startswith("1795477894123-")
    assert "/" not in name


async def test_names_are_never_the_same(subject: Subject) -> None:
    """Files of the same millisecond, written at once."""
    files = [await subject.port.open(received_at=1) for _ in range(3)]
    for number, file in enumerate(files):
        await file.write(b"%d" % number)
    names = [await file.keep() for file in files]
    assert [subject.kept()[name] for name in names] == [b"0", b"1", b"2"]


@pytest.mark.parametrize("keep_first", [False, True])
async def test_discarding_leaves_nothing(subject: Subject, keep_first: bool) -> None:  # noqa: FBT001 - a column
    """Of a file that is being written, and of one that was kept but is not named by any entry."""
    file = await subject.port.open(received_at=1)
    await file.write(b"x" * 20_000)
    if keep_first:
        await file.keep()
    await file.discard()
    assert subject.left() == 0


async def test_the_budget(subject: Subject) -> None:
    """What is beyond it is not taken, in the middle of a file neither; what fits beside it is."""
    first = await subject.port.open(received_at=1)
    await first.write(b"x" * (BUDGET - 10))
    await first.keep()
    second = await subject.port.open(received_at=2)
    with pytest.raises(Unavailable):
        await second.write(b"x" * 11)
    await second.discard()
    third = await subject.port.open(received_at=3)
    await third.write(b"x" * 10)
    await third.keep()
    assert len(subject.kept()) == 2


async def test_a_full_budget(subject: Subject) -> None:
    """Nothing more is taken; once there is room again, it is taken at once."""
    full = await subject.port.open(received_at=1)
    await full.write(b"x" * BUDGET)
    await full.keep()
    for number in range(3):
        await refused(subject.port, received_at=number)
    await full.discard()
    file = await subject.port.open(received_at=2)
    await file.write(b"x")
    await file.discard()


async def refused(port: Spill, *, received_at: int = 1) -> None:
    """One more byte is not taken."""
    file = await port.open(received_at=received_at)
    with pytest.raises(Unavailable):
        await file.write(b"x")
    await file.discard()


async def test_what_was_discarded_takes_no_budget(subject: Subject) -> None:
    """Bodies that are too large, or break off, do not use it up, however many."""
    for number in range(5):
        file = await subject.port.open(received_at=number)
        await file.write(b"x" * (BUDGET - 1_000))
        await file.discard()


async def test_what_settle_removed_takes_no_budget(tmp_path: Path) -> None:
    """It removes files without telling, and the next body finds the room."""
    spill = SpillFolder(tmp_path, BUDGET)
    for number in range(5):
        file = await spill.open(received_at=number)
        await file.write(b"x" * (BUDGET - 1_000))
        (tmp_path / await file.keep()).unlink()


async def test_what_was_there_before_counts(tmp_path: Path) -> None:
    """A restart does not forget how full the folder is."""
    (tmp_path / "old.z").write_bytes(b"x" * BUDGET)
    await refused(SpillFolder(tmp_path, BUDGET))


async def test_another_process_fills_it(tmp_path: Path) -> None:
    """The folder is counted again now and then, for it may have several writers."""
    spill = SpillFolder(tmp_path, BUDGET)
    await (await spill.open(received_at=0)).discard()
    (tmp_path / "other.z").write_bytes(b"x" * BUDGET)
    for number in range(1, RECOUNT_EVERY):
        await (await spill.open(received_at=number)).discard()
    await refused(spill)


async def test_a_file_that_goes_while_it_is_counted(tmp_path: Path) -> None:
    """A name without a file behind it counts nothing, and is no fault."""
    (tmp_path / "gone.z").symlink_to(tmp_path / "nowhere")
    file = await SpillFolder(tmp_path, BUDGET).open(received_at=1)
    await file.write(b"x")
    assert (tmp_path / await file.keep()).read_bytes() == b"x"


async def test_files_are_private(tmp_path: Path) -> None:
    """Bodies name accounts and addresses."""
    spill = SpillFolder(tmp_path / "a/b", BUDGET)
    file = await spill.open(received_at=1)
    name = await file.keep()
    assert (tmp_path / "a/b" / name).stat().st_mode & 0o077 == 0
    assert (tmp_path / "a/b").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("place", ["file", "file/below"])
async def test_a_folder_that_cannot_be_used(tmp_path: Path, place: str) -> None:
    """A file is in its way: that is told, as something to try again after."""
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(Unavailable, match="takes no file"):
        await SpillFolder(tmp_path / place, BUDGET).open(received_at=1)


async def test_a_folder_that_is_taken_away(tmp_path: Path) -> None:
    """A body on its way finds no place to be kept."""
    folder = tmp_path / "spill"
    file = await SpillFolder(folder, BUDGET).open(received_at=1)
    await file.write(b"x")
    (part,) = folder.iterdir()
    part.unlink()
    with pytest.raises(Unavailable, match="keeps no file"):
        await file.keep()
    await file.discard()


@contextmanager
def full_disk() -> Iterator[None]:
    """No file of this process can grow meanwhile, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_a_full_disk(tmp_path: Path) -> None:
    """Neither a big piece nor the last small one is taken for stored, and nothing is left behind."""
    spill = SpillFolder(tmp_path, BUDGET)
    big, small = await spill.open(received_at=1), await spill.open(received_at=2)
    with full_disk():
        with pytest.raises(Unavailable, match="takes no more"):
            await big.write(b"x" * 50_000)
        await small.write(b"x")
        with pytest.raises(Unavailable, match="keeps no file"):
            await small.keep()
        await big.discard()
        await small.discard()
    assert left_in(tmp_path) == 0
