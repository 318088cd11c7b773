"""Recording with and without Redis: no record is lost, none leaves its order, and settle sees each token once."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from authsvc.adapters.journal import Journal
from authsvc.adapters.spool import Replay, Spool
from authsvc.adapters.streams import BATCH, Batches
from authsvc.decide.journal import JournalEntry, Kind
from authsvc.errors import Unavailable
from authsvc.metrics import TABLE
from tests.authsvc import redis_servers
from tests.authsvc.redis_servers import KINDS, REAL_KINDS, RealServer, Server
from tests.authsvc.spooled import issuance, refusal
from tests.waiting import until
from wharfinger.runtime.metrics import Board
from wharfinger.wire import keys
from wharfinger.wire.issuance import issuance_from_fields, refusal_from_fields
from wharfinger.wire.names import Jti

CHILD = Path(__file__).with_name("spool_process.py")


@pytest.fixture(params=KINDS)
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    """Each kind of Redis."""
    with redis_servers.running(request.param, tmp_path) as one:
        yield one


class Process:
    """One process's spool with its replay."""

    def __init__(self, server: Server, folder: Path, budget: int = 10_000_000) -> None:
        self.client = server.client()
        self.batches = Batches(self.client, Board(TABLE).meter())
        self.journal = Journal(folder / "journal", budget)
        self.journal.prepare()
        self.logged: list[tuple[str, dict[str, object]]] = []
        self.spool = Spool(self.batches, self.journal, self.log)
        self.replay = Replay(self.batches, self.journal, self.log)

    def log(self, event: str, /, **fields: object) -> None:
        """Keep what is logged."""
        self.logged.append((event, fields))

    def events(self) -> list[str]:
        """What was logged."""
        return [event for event, _ in self.logged]

    async def recorded(self) -> list[str]:
        """The ids of all issuances in Redis, in order."""
        return [issuance_from_fields(fields).jti for _, fields in await self.client.xrange(keys.ISSUANCES)]

    async def close(self) -> None:
        """End in order."""
        await self.batches.close()
        await self.journal.close()
        await self.client.aclose()


@pytest.fixture
async def process(server: Server, tmp_path: Path) -> AsyncIterator[Process]:
    """One process."""
    made = Process(server, tmp_path)
    yield made
    await made.close()


def jtis(*numbers: int) -> list[str]:
    """Ids in order."""
    return [issuance(number).jti for number in numbers]


def left(folder: Path) -> list[Path]:
    """Files of the journal."""
    return sorted((folder / "journal").iterdir())


async def test_with_redis_nothing_touches_the_disk(process: Process, tmp_path: Path) -> None:
    """Records go straight there; each with its key."""
    for number in range(3):
        await process.spool.record(issuance(number))
    await process.spool.record(refusal(1))
    assert await process.recorded() == jtis(0, 1, 2)
    assert await process.client.exists(keys.issuance(Jti(jtis(1)[0]))) == 1
    assert (process.spool.away(), left(tmp_path), process.events()) == (False, [], [])
    assert await process.replay.once() == 0


async def test_without_redis_the_journal_takes_them(process: Process, server: Server) -> None:
    """Issuances and refusals; when it is back they follow in order, and then Redis is spoken to again."""
    await process.spool.record(issuance(0))
    server.take_away()
    for number in range(1, 4):
        await process.spool.record(issuance(number))
    await process.spool.record(refusal(1))
    assert process.spool.away()
    with pytest.raises(Unavailable):
        await process.replay.once()
    server.bring_back()
    await process.spool.record(issuance(4))
    assert await process.recorded() == jtis(0)
    assert await process.replay.once() == 5
    assert await process.recorded() == jtis(0, 1, 2, 3, 4)
    assert await process.client.exists(keys.issuance(Jti(jtis(2)[0]))) == 1
    (said,) = [refusal_from_fields(fields) for _, fields in await process.client.xrange(keys.REFUSALS)]
    assert said == refusal(1)
    assert not process.spool.away()
    await process.spool.record(issuance(5))
    assert await process.recorded() == jtis(0, 1, 2, 3, 4, 5)
    assert process.events() == ["spool.opened", "spool.drained"]


async def test_settle_is_told_that_more_may_come(process: Process, server: Server) -> None:
    """For a few seconds past each part: an event that is quicker than its token's record is not called lost."""
    server.take_away()
    await process.spool.record(issuance(0))
    server.bring_back()
    assert not await process.client.exists(keys.REPLAYING)
    await process.replay.once()
    assert 0 < await process.client.pttl(keys.REPLAYING) <= keys.REPLAYING_TTL_MS


async def test_many_at_once(process: Process, server: Server, tmp_path: Path) -> None:
    """While Redis goes and comes, clients ask without a pause: every token that left is in Redis in the end, once each."""
    given: list[str] = []
    serving = True

    async def client(first: int) -> None:
        number = first
        while serving:
            one = issuance(number)
            await process.spool.record(one)
            given.append(one.jti)
            number += 20
            await asyncio.sleep(0)

    replaying = asyncio.create_task(process.replay.run())
    async with asyncio.TaskGroup() as group:
        for first in range(20):
            group.create_task(client(first))
        for _ in range(2):
            await more_than(given, 200)
            server.take_away()
            await until("the journal", process.spool.away)
            await more_than(given, 200)
            server.bring_back()
            await until("Redis again", lambda: not process.spool.away())
        serving = False
    replaying.cancel()
    recorded = await process.recorded()
    assert set(recorded) == set(given)
    assert len(given) > 800
    for first in range(20):
        of_one = [jti for jti in dict.fromkeys(recorded) if int(jti[-6:]) % 20 == first]
        assert of_one == sorted(of_one)
    assert left(tmp_path) == []


async def test_it_is_drained_however_many_ask(server: Server, tmp_path: Path) -> None:
    """Two hundred clients that ask as fast as they are answered: once Redis is back the journal shrinks, and ends."""
    process = Process(server, tmp_path, budget=1_000_000_000)
    server.take_away()
    for number in range(20 * BATCH):
        await process.spool.record(issuance(number))
    asked, serving = 20 * BATCH, True

    async def client() -> None:
        nonlocal asked
        while serving:
            asked += 1
            await process.spool.record(issuance(asked))

    server.bring_back()
    async with asyncio.TaskGroup() as group:
        for _ in range(200):
            group.create_task(client())
        await process.replay.once()
        assert not process.spool.away()
        serving = False
    assert left(tmp_path) == []
    assert len(await process.recorded()) == asked
    await process.close()


async def taken(process: Process, number: int) -> bool:
    """Whether a token may leave."""
    try:
        await process.spool.record(issuance(number))
    except Unavailable:
        return False
    return True


async def more_than(given: list[str], number: int) -> None:
    """Wait until so many more tokens are given."""
    so_far = len(given)
    await until("tokens", lambda: len(given) > so_far + number)


async def test_a_full_journal_refuses(server: Server, tmp_path: Path) -> None:
    """Beyond its budget no token leaves; what was kept is not touched by that."""
    process = Process(server, tmp_path, budget=70_000)
    server.take_away()
    kept = [number for number in range(300) if await taken(process, number)]
    assert 100 < len(kept) < 300
    assert kept == list(range(len(kept)))
    with pytest.raises(Unavailable, match="takes no more"):
        await process.spool.ready()
    server.bring_back()
    assert await process.replay.once() == len(kept)
    assert await process.recorded() == jtis(*kept)
    await process.spool.ready()
    await process.spool.record(issuance(1_000))
    assert await process.recorded() == jtis(*kept, 1_000)
    await process.close()


async def test_after_a_restart(server: Server, tmp_path: Path) -> None:
    """What the last process left comes first, and what is recorded anew waits behind it."""
    first = Process(server, tmp_path)
    server.take_away()
    for number in range(BATCH + 20):
        await first.spool.record(issuance(number))
    await first.close()
    second = Process(server, tmp_path)
    with pytest.raises(Unavailable):
        await second.replay.once()
    assert second.spool.away()
    await second.spool.record(issuance(500))
    server.bring_back()
    assert await second.replay.once() == BATCH + 21
    assert await second.recorded() == jtis(*range(BATCH + 20), 500)
    assert second.events()[0] == "spool.taken_over"
    await second.close()


async def test_without_spooling_what_was_left_goes_to_redis(process: Process, server: Server, tmp_path: Path) -> None:
    """A configuration that refuses now: an earlier one's journal is replayed all the same."""
    earlier = Process(server, tmp_path)
    server.take_away()
    await earlier.spool.record(issuance(0))
    await earlier.close()
    server.bring_back()
    assert await process.replay.once() == 1
    assert (await process.recorded(), left(tmp_path)) == (jtis(0), [])


async def test_what_redis_refuses_waits(process: Process) -> None:
    """A stream that is none (somebody's mistake) is no reason to lose a record: it is told once, and tried again."""
    await process.client.set(keys.ISSUANCES, b"not a stream")
    await process.spool.record(issuance(0))
    replaying = asyncio.create_task(process.replay.run())
    await until("the problem", lambda: "spool.waiting" in process.events())
    await process.client.delete(keys.ISSUANCES)
    await until("the record", lambda: "spool.drained" in process.events())
    replaying.cancel()
    assert await process.recorded() == jtis(0)
    assert process.events() == ["spool.opened", "spool.waiting", "spool.drained"]


async def test_an_entry_that_is_no_record(process: Process, server: Server, tmp_path: Path) -> None:
    """Whole, but not of our writing: the others go on, and the file stays for people."""
    server.take_away()
    await process.spool.record(issuance(0))
    found = await process.journal.oldest(1)
    assert found is not None
    for kind in Kind:
        await process.journal.append(JournalEntry(kind, b'{"what":1}'))
    await process.spool.record(issuance(1))
    server.bring_back()
    assert await process.replay.once() == 2
    assert await process.recorded() == jtis(0, 1)
    assert [path.suffix for path in left(tmp_path)] == [".damaged"]
    assert ("spool.damaged", {"file": found[0].path.name, "damaged": 20, "torn": 0}) in process.logged


@pytest.mark.parametrize("kind", REAL_KINDS)
async def test_a_redis_that_hangs(kind: str, tmp_path: Path) -> None:
    """It takes two seconds to tell; all that waited meanwhile goes to the journal together, and the next ones at once."""
    with redis_servers.running(kind, tmp_path) as server:
        assert isinstance(server, RealServer)
        process = Process(server, tmp_path)
        await process.spool.record(issuance(0))
        server.hang()
        tried = [asyncio.create_task(process.spool.record(issuance(number))) for number in range(1, 3 * BATCH)]
        await asyncio.wait_for(asyncio.gather(*tried), 15)
        await process.spool.record(issuance(3 * BATCH))
        assert process.events() == ["spool.opened"]
        server.wake()
        await process.replay.once()
        recorded = await process.recorded()
        # What had no answer in time may be there twice.
        assert set(recorded) == set(jtis(*range(3 * BATCH + 1)))
        await process.close()


@pytest.mark.parametrize("kind", REAL_KINDS)
async def test_killed_while_it_is_replayed(kind: str, tmp_path: Path) -> None:
    """After the first part was taken, before anything says so: all of it comes again, and each token is there."""
    with redis_servers.running(kind, tmp_path) as server:
        assert isinstance(server, RealServer)
        first = Process(server, tmp_path)
        server.take_away()
        for number in range(3 * BATCH):
            await first.spool.record(issuance(number))
        await first.close()
        server.bring_back()
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
        command = [sys.executable, str(CHILD), server.url, str(tmp_path / "journal")]
        child = await asyncio.to_thread(subprocess.run, command, env=environment, timeout=60, check=False)
        assert child.returncode == -signal.SIGKILL
        second = Process(server, tmp_path)
        assert await second.recorded() == jtis(*range(BATCH))
        assert await second.replay.once() == 3 * BATCH
        recorded = await second.recorded()
        assert recorded == jtis(*range(BATCH), *range(3 * BATCH))
        assert left(tmp_path) == []
        await second.close()


async def test_replay_survives_what_it_cannot_do(process: Process, tmp_path: Path) -> None:
    """A folder that cannot be listed is told once, and the service goes on."""
    folder = tmp_path / "journal"
    (folder / "1-a.journal").mkdir()
    replaying = asyncio.create_task(process.replay.run())
    await until("the problem", lambda: "spool.waiting" in process.events())
    (folder / "1-a.journal").rmdir()
    await process.spool.record(issuance(0))
    replaying.cancel()
    assert await process.recorded() == jtis(0)
