"""The port Attempts on each kind of Redis: what one process counts all know, and what is left when Redis is away."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from authsvc.adapters.attempts import SharedAttempts
from authsvc.decide.backoff import WINDOW_S
from authsvc.decide.request import Claimed
from authsvc.errors import Unavailable
from tests.authsvc import redis_servers
from tests.authsvc.redis_servers import KINDS, REAL_KINDS, RealServer, Server

KEY = b"k" * 32
HERE, NEAR, AWAY = "192.0.2.7", "192.0.2.8", "198.51.100.7"
NOW = 1_795_477_894_000


@pytest.fixture(params=KINDS)
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    """Each kind of Redis."""
    with redis_servers.running(request.param, tmp_path) as one:
        yield one


class Processes:
    """Several processes' adapters on one Redis. The clock is their own; Redis has another."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.clients: list[Any] = []
        self.away = False
        self.now = NOW

    def one(self, *, spool: bool = False) -> SharedAttempts:
        """Another process."""
        self.clients.append(client := self.server.client())
        return SharedAttempts(client, KEY, lambda: self.now, away=(lambda: self.away) if spool else None)


@pytest.fixture
async def processes(server: Server) -> AsyncIterator[Processes]:
    """The maker of processes."""
    made = Processes(server)
    yield made
    for client in made.clients:
        await client.aclose()


def claim(account: str = "zoe") -> Claimed:
    """The right credentials."""
    return Claimed(account, "right")


async def guess(process: SharedAttempts, addr: str, *numbers: int, account: str = "zoe") -> None:
    """Different wrong passwords."""
    for number in numbers:
        await process.count(Claimed(account, f"wrong {number}"), addr, right=False)


async def test_what_one_process_counts_holds_for_all(processes: Processes) -> None:
    """Half of the tries at each: the sixth makes both wait, and nobody elsewhere."""
    first, second = processes.one(), processes.one()
    await guess(first, HERE, 1, 2, 3)
    await guess(second, HERE, 4, 5)
    assert [await one.pause_s(claim(), HERE) for one in (first, second)] == [0, 0]
    await guess(second, HERE, 6, 7, 8, 9)
    assert [await one.pause_s(claim(), NEAR) for one in (first, second)] == [8, 8]
    assert await first.pause_s(claim(), AWAY) == 0
    assert await first.pause_s(claim(account="yan"), HERE) == 0


async def test_containerd_tries_twice(processes: Processes) -> None:
    """A POST to one process, the GET with the same password to another: one failure. So is a stale password for ever."""
    first, second = processes.one(), processes.one()
    for _ in range(20):
        await guess(first, HERE, 1)
        await guess(second, HERE, 1)
    assert await first.pause_s(claim(), HERE) == 0
    await guess(first, HERE, 2, 3, 4, 5)
    assert await second.pause_s(claim(), HERE) == 0
    await guess(second, HERE, 6)
    assert await first.pause_s(claim(), HERE) == 1


async def test_the_owner_is_not_locked_out(processes: Processes) -> None:
    """Proved in one process, attacked in another from everywhere: where it was proved nothing holds it back."""
    first, second = processes.one(), processes.one()
    await first.count(claim(), HERE, right=True)
    await guess(second, NEAR, *range(60))
    for number in range(60):
        await guess(second, f"203.0.{number}.1", 1)
    for one in (first, second):
        assert await one.pause_s(claim(), HERE) == 0
        assert await one.pause_s(claim(), NEAR) > 0
        assert await one.pause_s(claim(), AWAY) > 0


async def test_a_place_that_is_proved_all_the_time(processes: Processes) -> None:
    """Redis is told so every five minutes, not with every token."""
    process = processes.one()
    await process.count(claim(), HERE, right=True)
    client = processes.clients[0]
    (name,) = [name for name in await client.keys("*") if b":proved:" in name]
    await client.delete(name)
    processes.now += 299_000
    await process.count(claim(), HERE, right=True)
    assert not await client.exists(name)
    processes.now += 1_000
    await process.count(claim(), HERE, right=True)
    assert await client.exists(name)


async def test_a_process_that_heard_of_a_pause_suspects(processes: Processes) -> None:
    """So that a guesser who waits is not answered out of the memory either; others are not held up by it."""
    first, second = processes.one(), processes.one()
    await guess(first, HERE, *range(10))
    assert (first.suspects(claim(), HERE), second.suspects(claim(), HERE)) == (True, False)
    assert await second.pause_s(claim(), HERE) > 0
    assert second.suspects(claim(), HERE)
    assert not first.suspects(claim(account="yan"), HERE)
    assert not first.suspects(claim(), AWAY)


async def test_two_hundred_at_once(processes: Processes) -> None:
    """Each of them counts, whichever process takes it: the pause is that of two hundred, not of the last that came."""
    both = processes.one(), processes.one()
    await asyncio.gather(*(guess(both[number % 2], HERE, number) for number in range(200)))
    assert [await one.pause_s(claim(), HERE) for one in both] == [300, 300]


async def test_everything_ends(processes: Processes) -> None:
    """No name is left in Redis for longer than the window, and none tells an account."""
    process = processes.one()
    await guess(process, HERE, 1, 2)
    await process.count(claim(), HERE, right=True)
    client = processes.clients[0]
    names = [name.decode() for name in await client.keys("*")]
    assert sorted(name.split(":")[1] for name in names) == ["failures"] * 4 + ["proved"] + ["tried"] * 2
    assert {0 < await client.pttl(name) <= WINDOW_S * 1_000 for name in names} == {True}
    assert "zoe" not in str(names)


async def test_without_redis_nothing_is_told(processes: Processes) -> None:
    """Where Redis must answer: unavailable, and afterwards it is as before."""
    process = processes.one()
    await guess(process, HERE, *range(15))
    processes.server.take_away()
    for asked in (process.pause_s(claim(), HERE), process.count(claim(), AWAY, right=True), guess(process, HERE, 99)):
        with pytest.raises(Unavailable, match="does not count"):
            await asked
    processes.server.bring_back()
    assert await process.pause_s(claim(), HERE) > 0


async def test_each_process_counts_alone_without_redis(processes: Processes) -> None:
    """Where tokens are given without Redis: what a process knew holds on, it counts from there, and Redis hears of it again."""
    process, other = processes.one(spool=True), processes.one(spool=True)
    await guess(process, HERE, *range(7))
    await process.count(claim(), NEAR, right=True)
    processes.server.take_away()
    assert await process.pause_s(claim(), HERE) == 2
    assert await process.pause_s(claim(), NEAR) == 0
    await guess(process, HERE, 7, 7, 7, 8)
    await process.count(claim(account="yan"), AWAY, right=True)
    assert await process.pause_s(claim(), HERE) == 8
    await guess(other, HERE, *range(100, 106))
    assert await other.pause_s(claim(), HERE) == 1
    processes.server.bring_back()
    await guess(process, HERE, 9)
    assert await other.pause_s(claim(), HERE) > 1


async def test_redis_is_not_asked_while_it_is_known_to_be_away(processes: Processes) -> None:
    """Else each try would wait for it."""
    process = processes.one(spool=True)
    processes.away = True
    await guess(process, HERE, *range(7))
    await process.count(claim(), NEAR, right=True)
    assert await process.pause_s(claim(), HERE) == 2
    assert await processes.clients[0].keys("*") == []


@pytest.mark.parametrize("kind", REAL_KINDS)
async def test_a_redis_that_hangs(kind: str, tmp_path: Path) -> None:
    """It holds the connection and says nothing: that is unavailable too, not a request that waits for ever."""
    with redis_servers.running(kind, tmp_path) as server:
        assert isinstance(server, RealServer)
        processes = Processes(server)
        process = processes.one()
        await guess(process, HERE, 1)
        server.hang()
        with pytest.raises(Unavailable):
            await process.pause_s(claim(), HERE)
        server.wake()
        assert await process.pause_s(claim(), HERE) == 0
        await processes.clients[0].aclose()
