"""The journal's files: synced together, locked, taken over from the dead, bounded, and never half of a record."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from authsvc.adapters.journal import DAMAGED_SUFFIX, FILE_SIZE, PACE, READ_SIZE, Journal, JournalFile
from authsvc.decide.journal import JournalEntry, Kind, written
from authsvc.errors import Misconfigured, Unavailable
from tests.real.conftest import need
from tests.waiting import until

MANY = 1_000_000
BUDGET = 100 * MANY
CHILD = Path(__file__).with_name("journal_process.py")


def entry(number: int, size: int = 0) -> JournalEntry:
    """A record that knows its number."""
    return JournalEntry(Kind.REFUSAL, json.dumps({"n": number, "more": "x" * size}).encode())


def numbers(entries: tuple[JournalEntry, ...]) -> list[int]:
    """Which ones they are."""
    return [json.loads(one.record)["n"] for one in entries]


def journal(folder: Path, budget: int = BUDGET) -> Journal:
    """A process's journal."""
    made = Journal(folder / "journal", budget)
    made.prepare()
    return made


def files(folder: Path, suffix: str = ".journal") -> list[Path]:
    """The files that are there."""
    return sorted((folder / "journal").glob(f"*{suffix}"))


async def drain(one: Journal) -> list[int]:
    """Replay everything; which entries came, in order."""
    came: list[int] = []
    while (found := await one.oldest(MANY, closing=bool(came))) is not None:
        file, part = found
        came += numbers(part.entries)
        await one.replayed(file, part)
    return came


@contextmanager
def process(folder: Path, what: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Another process that keeps a journal; it says a line and waits."""
    command = [sys.executable, str(CHILD), str(folder / "journal"), what, *arguments]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment) as child:
        try:
            assert child.stdout is not None
            assert child.stdout.readline().strip() == "ready"
            yield child
        finally:
            child.kill()


async def test_what_was_appended_is_replayed_in_order(tmp_path: Path) -> None:
    """One after the other and at once; then the file is gone, and nothing waits."""
    one = journal(tmp_path)
    assert not one.behind
    assert [await one.append(entry(number)) for number in range(3)] == [True] * 3
    assert await asyncio.gather(*(one.append(entry(number)) for number in range(3, 200))) == [True] * 197
    assert one.behind
    assert len(files(tmp_path)) == 1
    assert await drain(one) == list(range(200))
    assert (one.behind, files(tmp_path)) == (False, [])
    assert await one.append(entry(7))
    assert await drain(one) == [7]
    await one.close()


async def test_records_at_once_share_a_sync(tmp_path: Path) -> None:
    """Two hundred that come while one is being synced go with the next: fewer syncs than records by far."""
    syncs = 0
    one = journal(tmp_path)
    await one.append(entry(0))
    found = await one.oldest(MANY)
    assert found is not None
    plain = found[0].append

    def counted(data: bytes) -> None:
        nonlocal syncs
        syncs += 1
        plain(data)

    found[0].append = counted  # type: ignore[method-assign]  # seen from outside: each call is one sync
    await asyncio.gather(*(one.append(entry(number)) for number in range(1, 201)))
    assert syncs == 1
    assert await drain(one) == list(range(201))
    await one.close()


@pytest.mark.real
async def test_it_is_on_disk_before_it_is_said(tmp_path: Path) -> None:
    """Strace sees fdatasync between the write and the word."""
    need("strace")
    trace = tmp_path / "trace"
    command = [
        "strace",
        "-f",
        "-o",
        trace,
        "-e",
        "trace=pwrite64,fdatasync,fsync,write",
        sys.executable,
        CHILD,
        tmp_path / "journal",
        "keep",
        "1",
    ]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    done = await asyncio.to_thread(
        subprocess.run, command, input="", capture_output=True, text=True, check=True, env=environment, timeout=60
    )
    assert done.stdout == "ready\n"
    calls = [line.split(maxsplit=1)[1] for line in trace.read_text().splitlines() if "resumed" not in line]
    order = [
        call.partition("(")[0] for call in calls if call.startswith(("pwrite64", "fdatasync", "fsync")) or '"ready' in call
    ]
    assert order == ["fsync", "pwrite64", "fdatasync", "write"]


async def test_a_part_at_a_time(tmp_path: Path) -> None:
    """What was not yet replayed comes again; the rest stays in order, also what came meanwhile."""
    one = journal(tmp_path)
    for number in range(5):
        await one.append(entry(number))
    first = await one.oldest(2)
    again = await one.oldest(2)
    assert first is not None
    assert again is not None
    assert numbers(first[1].entries) == numbers(again[1].entries) == [0, 1]
    await one.replayed(*first)
    await one.append(entry(5))
    assert await drain(one) == [2, 3, 4, 5]
    await one.close()


async def test_what_comes_while_the_last_is_replayed(tmp_path: Path) -> None:
    """Either it is in the journal, and is replayed; or it is told that nothing is before it any more. Nothing is lost between."""
    one = journal(tmp_path)
    journalled: list[int] = []
    told: list[int] = []
    replayed: list[int] = []
    come = True

    async def client(first: int) -> None:
        number = first
        while len(told) < 200:
            (journalled if await one.append(entry(number)) else told).append(number)
            number += 10

    async def redis_is_back() -> None:
        while come or one.behind:
            replayed.extend(await drain(one))
            await asyncio.sleep(0)

    draining = asyncio.create_task(redis_is_back())
    await asyncio.wait_for(asyncio.gather(*map(client, range(10))), 60)
    come = False
    await draining
    assert sorted(journalled) == sorted(replayed)
    assert len(set(journalled + told)) == len(journalled) + len(told)
    assert [one for one in replayed if one % 10 == 3] == sorted(one for one in replayed if one % 10 == 3)
    assert files(tmp_path) == []
    await one.close()


async def test_it_shrinks_while_many_ask(tmp_path: Path) -> None:
    """While it is replayed, fifty may be added for each part, and no more: who comes beyond that waits for the next part."""
    one = journal(tmp_path)
    for number in range(20):
        await one.append(entry(number, 10_000))
    found = await one.oldest(2, closing=True)
    asked = [asyncio.create_task(one.append(entry(number))) for number in range(100, 300)]

    def kept() -> int:
        return sum(task.done() for task in asked)

    for parts in range(1, 4):
        await one.ready()  # a round through the threads, in which an append would be done
        assert kept() == PACE * (parts - 1)
        assert found is not None
        await one.replayed(*found)
        await until("their appends", lambda parts=parts: kept() == PACE * parts)  # type: ignore[misc]  # binds now
        found = await one.oldest(2, closing=True)
    one.release()
    await asyncio.wait_for(asyncio.gather(*asked), 30)
    assert await drain(one) == [*range(6, 20), *range(100, 300)]
    await one.close()


async def test_files_have_a_size(tmp_path: Path) -> None:
    """Beyond it the next one is begun; they are replayed in order, and each is removed as soon as it was."""
    one = journal(tmp_path, 10 * FILE_SIZE)
    for number in range(25):
        await one.append(entry(number, 900_000))
    assert len(files(tmp_path)) == 3
    with pytest.raises(Unavailable, match="could not be read again"):
        await one.append(entry(25, READ_SIZE))
    came: list[int] = []
    left = []
    while (found := await one.oldest(1)) is not None:
        came += numbers(found[1].entries)
        await one.replayed(*found)
        left.append(len(files(tmp_path)))
    assert came == list(range(25))
    assert left == sorted(left, reverse=True)
    assert set(left) == {3, 2, 1, 0}
    await one.close()


async def test_a_living_process_keeps_its_file(tmp_path: Path) -> None:
    """Its lock holds others off; when it is killed the next to look takes over, and only one does."""
    first, second = journal(tmp_path), journal(tmp_path)
    with process(tmp_path, "keep", "5") as child:
        assert [await one.take_over() for one in (first, second)] == [0, 0]
        child.kill()
        child.wait()
        assert sorted([await first.take_over(), await second.take_over()]) == [0, 1]
    assert sorted([await drain(first), await drain(second)]) == [[], [0, 1, 2, 3, 4]]
    assert files(tmp_path) == []
    for one in (first, second):
        await one.close()


async def test_killed_between_sync_and_replay(tmp_path: Path) -> None:
    """A token left with its record on disk only: the next start has it, before what is recorded anew."""
    with process(tmp_path, "keep", "250") as child:
        child.kill()
        child.wait()
    one = journal(tmp_path)
    assert not one.behind
    assert await one.take_over() == 1
    assert one.behind
    await one.append(entry(1_000))
    assert await drain(one) == [*range(250), 1_000]
    await one.close()


async def test_killed_while_many_write(tmp_path: Path) -> None:
    """Whatever it said was kept is there; at most the torn end of the last write is not."""
    with process(tmp_path, "flood") as child:
        assert child.stdout is not None
        said = [int(child.stdout.readline()) for _ in range(2_000)]
        child.kill()
        # What came with the last line may be cut, its number with it.
        said += [int(line) for line in child.stdout.read().splitlines(keepends=True) if line.endswith("\n")]
        child.wait()
    one = journal(tmp_path)
    assert await one.take_over() == 1
    came = await drain(one)
    assert came == list(range(len(came)))
    assert set(said) <= set(came)
    await one.close()


@pytest.mark.parametrize("torn", [1, 10, 30, 60])
async def test_a_torn_end(tmp_path: Path, torn: int) -> None:
    """What the crash cut off was never said to be kept: it is passed over, and the file goes when the rest is in Redis."""
    one = journal(tmp_path)
    for number in range(3):
        await one.append(entry(number, 50))
    await one.close()
    (file,) = files(tmp_path)
    with file.open("ab") as stream:
        stream.truncate(file.stat().st_size - torn)
    two = journal(tmp_path)
    assert await two.take_over() == 1
    assert await drain(two) == [0, 1]
    assert files(tmp_path) == files(tmp_path, DAMAGED_SUFFIX) == []
    await two.close()


@pytest.mark.parametrize("hole", [b"\x00" * 100, b"\x00" * (READ_SIZE + 5), b"rubbish"])
async def test_damage_within(tmp_path: Path, hole: bytes) -> None:
    """What is whole around it is replayed, and the file stays for people under another name."""
    one = journal(tmp_path)
    await one.append(entry(0))
    await one.close()
    (file,) = files(tmp_path)
    with file.open("ab") as stream:
        stream.write(hole + b"\n" + written(entry(1)))
    two = journal(tmp_path)
    await two.take_over()
    assert await drain(two) == [0, 1]
    assert files(tmp_path) == []
    (kept,) = files(tmp_path, DAMAGED_SUFFIX)
    assert kept.read_bytes().startswith(written(entry(0)))
    assert await two.take_over() == 0
    await two.close()


async def test_a_file_that_was_cut_by_others(tmp_path: Path) -> None:
    """Replaying ends all the same."""
    one = journal(tmp_path)
    await one.append(entry(0))
    await one.append(entry(1))
    (file,) = files(tmp_path)
    os.truncate(file, 0)
    assert await drain(one) == []
    await one.close()


async def test_an_empty_file(tmp_path: Path) -> None:
    """A process killed before its first write leaves one: it goes."""
    one = journal(tmp_path)
    (tmp_path / "journal/00-a.journal").touch()
    assert await one.take_over() == 1
    assert await drain(one) == []
    assert files(tmp_path) == []
    await one.close()


async def test_the_oldest_file_first(tmp_path: Path) -> None:
    """Several dead processes: in the order in which their files were made, and one's own after them."""
    for start in (0, 10, 20):
        one = journal(tmp_path)
        await one.append(entry(start))
        await one.append(entry(start + 1))
        await one.close()
    last = journal(tmp_path)
    await last.append(entry(30))
    assert await last.take_over() == 3
    assert await drain(last) == [0, 1, 10, 11, 20, 21, 30]
    await last.close()


async def test_the_budget(tmp_path: Path) -> None:
    """Of all processes together: beyond it nothing is kept, and what was kept is whole. Replayed, there is room again."""
    big = 20_000
    size = len(written(entry(100, big)))
    one, two = journal(tmp_path, 10 * size), journal(tmp_path, 10 * size)
    await one.ready()
    for number in range(100, 105):
        await one.append(entry(number, big))
        await two.append(entry(number, big))
    for full in (one, two):
        with pytest.raises(Unavailable, match="takes no more"):
            await full.append(entry(200))
        with pytest.raises(Unavailable, match="takes no more"):
            await full.ready()
    assert await drain(one) == list(range(100, 105))
    await two.ready()
    assert await two.append(entry(106))
    assert await drain(two) == [*range(100, 105), 106]
    for each in (one, two):
        await each.close()


async def test_a_disk_that_fails(tmp_path: Path) -> None:
    """Nothing is said to be kept; the next goes into another file, for nobody knows what of this one will be there."""
    one = journal(tmp_path)
    await one.append(entry(0))
    found = await one.oldest(MANY)
    assert found is not None
    os.close(found[0]._descriptor)
    with pytest.raises(Unavailable, match="takes no more"):
        await one.append(entry(1))
    with pytest.raises(Unavailable, match="cannot be read"):
        await one.oldest(MANY)
    assert await one.append(entry(2))
    assert len(files(tmp_path)) == 2


async def test_no_folder(tmp_path: Path) -> None:
    """One that cannot be made is told at the start; one that is not there has nothing to take over."""
    (tmp_path / "file").touch()
    with pytest.raises(Misconfigured, match="on_store_failure"):
        Journal(tmp_path / "file/journal", BUDGET).prepare()
    absent = Journal(tmp_path / "nowhere", BUDGET)
    assert await absent.take_over() == 0
    with pytest.raises(Unavailable, match="takes no more"):
        await absent.append(entry(0))
    with pytest.raises(Unavailable, match="takes no more"):
        await absent.ready()
    assert not absent.behind


def test_it_is_private(tmp_path: Path) -> None:
    """Accounts and addresses are nobody else's to read."""
    journal(tmp_path)
    file = JournalFile.create(tmp_path / "journal")
    assert (tmp_path / "journal").stat().st_mode & 0o077 == 0
    assert file.path.stat().st_mode & 0o077 == 0
    file.close()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A tmpfs of 64 KiB."""
    need("mount", root=True)
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", disk], check=True)
    yield disk
    subprocess.run(["umount", disk], check=True)


@pytest.mark.real
async def test_a_full_disk(small_disk: Path) -> None:
    """Beyond it nothing is kept, what was kept is whole, and with room again it goes on."""
    one = journal(small_disk)
    kept = [number for number in range(100) if await taken(one, entry(number, 3_000))]
    assert 10 < len(kept) < 22
    with pytest.raises(Unavailable, match="No space left"):
        await one.append(entry(1_000, 3_000))
    (file,) = [path for path in files(small_disk) if path.stat().st_size]
    assert file.read_bytes().endswith(b"\n")
    assert await drain(one) == kept == list(range(len(kept)))
    assert await one.append(entry(2_000))
    assert await drain(one) == [2_000]
    assert files(small_disk) == []
    await one.close()


async def taken(one: Journal, what: JournalEntry) -> bool:
    """Whether the disk took it."""
    try:
        return await one.append(what)
    except Unavailable:
        return False
