"""Ingesting: what is kept of a post and where, and that nothing is left of one that could not be kept."""

import asyncio
import hashlib
import random
from collections.abc import AsyncIterator, Iterable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.errors import BrokenOff, Unavailable
from notifier.ingest import Ingest
from notifier.ports import Post
from tests.notifier.fakes import KeptEvents, MemorySpill
from wharfinger.wire.notification import MAX_BODY, MAX_INLINE, Notification, StoredNotification, decompress

NOW_MS = 1_795_477_894_123
NOISE = random.Random(7).randbytes(3 * MAX_INLINE)
"""Three times what stands in the stream, and no compressor makes it smaller."""
TOO_MUCH = [bytes(1 << 20)] * (MAX_BODY // (1 << 20)) + [b"x"]


class House:
    """The use case on fakes that share a journal."""

    def __init__(self, *, budget: int = 1 << 30) -> None:
        journal: list[str] = []
        self.stream, self.spill = KeptEvents(journal=journal), MemorySpill(budget=budget, journal=journal)
        self.journal = journal
        self.ingest = Ingest(stream=self.stream, spill=self.spill, clock=lambda: NOW_MS)

    async def take(self, chunks: Iterable[bytes], fault: BaseException | None = None) -> Notification:
        """Ingest a body that comes in these pieces, and then breaks off with a fault."""
        return await self.ingest.run(Post("main", "192.0.2.7", "application/json", _arriving(chunks, fault)))

    def stored(self) -> StoredNotification:
        """The one entry."""
        (entry,) = self.stream.entries
        return entry

    def nothing_is_left(self) -> bool:
        """Neither an entry nor a file."""
        return not (self.stream.entries or self.spill.files or self.spill.open_files)


async def _arriving(chunks: Iterable[bytes], fault: BaseException | None) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk
    if fault is not None:
        raise fault


async def test_a_usual_body_stands_in_the_stream() -> None:
    """With its size and hash as it came, who sent it and when."""
    house, body = House(), b'{"events": []}'
    record = await house.take([body])
    assert record == Notification(
        source="main",
        peer="192.0.2.7",
        received_at=NOW_MS,
        size=len(body),
        sha256=hashlib.sha256(body).hexdigest(),
        content_type="application/json",
    )
    assert house.stored().notification == record
    assert decompress(house.stored().compressed) == body
    assert not house.spill.opened


async def test_an_empty_body_is_kept() -> None:
    """It is no event, but that is not decided here."""
    house = House()
    record = await house.take([])
    assert (record.size, decompress(house.stored().compressed)) == (0, b"")


async def test_a_big_body_goes_to_disk() -> None:
    """Its file is durable before the entry that names it, and the entry holds nothing of it."""
    house = House()
    record = await house.take([NOISE[:1_000], NOISE[1_000:]])
    assert house.journal == ["kept", "appended"]
    assert decompress(house.spill.files[record.spill]) == NOISE
    assert (house.stored().compressed, record.size, record.dropped) == (b"", len(NOISE), False)


async def test_what_compresses_well_stays_in_the_stream() -> None:
    """Five megabytes of one letter, as of a silly User-Agent, are few."""
    house = House()
    record = await house.take([b"a" * 1_000_000] * 5)
    assert (record.spill, house.spill.opened) == ("", 0)
    assert len(house.stored().compressed) < MAX_INLINE
    assert len(decompress(house.stored().compressed)) == 5_000_000


async def test_a_body_over_every_size_leaves_a_tombstone() -> None:
    """It is read to its end for its size and hash; of the body nothing is kept, on disk neither."""
    house = House()
    chunks = [NOISE, *TOO_MUCH]
    record = await house.take(chunks)
    assert house.spill.opened == 1
    assert (record.dropped, record.spill, record.size) == (True, "", sum(map(len, chunks)))
    assert record.sha256 == hashlib.sha256(b"".join(chunks)).hexdigest()
    assert (house.stored().compressed, house.spill.files, house.spill.open_files) == (b"", {}, [])


async def test_the_biggest_body_is_kept() -> None:
    """One byte less than a tombstone."""
    house = House()
    record = await house.take(TOO_MUCH[:-1])
    assert (record.dropped, record.size) == (False, MAX_BODY)


@pytest.mark.parametrize("fault", [BrokenOff("reset"), asyncio.CancelledError(), TimeoutError()])
@pytest.mark.parametrize("chunks", [[b"{"], [NOISE]], ids=["small", "spilled"])
async def test_a_body_that_breaks_off(chunks: list[bytes], fault: BaseException) -> None:
    """What came of it is forgotten; the registry posts it again."""
    house = House()
    with pytest.raises(type(fault)):
        await house.take(chunks, fault)
    assert house.nothing_is_left()


@pytest.mark.parametrize("chunks", [[b"{"], [NOISE]], ids=["small", "spilled"])
async def test_the_stream_is_gone(chunks: list[bytes]) -> None:
    """A file that no entry names would be one more with each try of the registry."""
    house = House()
    house.stream.gone = True
    with pytest.raises(Unavailable):
        await house.take(chunks)
    assert house.nothing_is_left()


@pytest.mark.parametrize("budget", [-1, 100, len(NOISE) // 2], ids=["at once", "at its start", "in its middle"])
async def test_the_disk_is_full(budget: int) -> None:
    """It cannot be kept, so it is not answered for."""
    house = House(budget=budget)
    with pytest.raises(Unavailable):
        await house.take([NOISE[:MAX_INLINE], NOISE[MAX_INLINE:]])
    assert house.nothing_is_left()


@given(st.binary(max_size=200), st.lists(st.integers(0, 200)))
def test_pieces_do_not_matter(body: bytes, cuts: list[int]) -> None:
    """However the network cuts a body, it is the same."""
    edges = [0, *sorted(min(cut, len(body)) for cut in cuts), len(body)]
    house, pieces = House(), [body[start:end] for start, end in pairwise(edges)]
    record = asyncio.run(house.take(pieces))
    assert (record.size, record.sha256) == (len(body), hashlib.sha256(body).hexdigest())
    assert decompress(house.stored().compressed) == body
