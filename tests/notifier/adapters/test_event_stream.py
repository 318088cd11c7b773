"""The port EventStream: its suite on the fake and on Redis, and settle's wake-up."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

import pytest
from rq.job import Job

from notifier.adapters.event_stream import BATCH, RedisEvents, SettleWaker
from notifier.errors import Unavailable
from notifier.ports import EventStream
from tests.notifier.fakes import KeptEvents
from tests.stores import STORES, Store, entries, jobs_in
from wharfinger.runtime.log import discard
from wharfinger.wire import jobs, keys
from wharfinger.wire.notification import MAX_INLINE, Notification, StoredNotification, from_fields


def entry(number: int = 0, *, compressed: bytes = b"body", content_type: str = "application/json") -> StoredNotification:
    """A notification as it is stored."""
    record = Notification(
        source="main", peer="10.0.0.1", received_at=number, size=4, sha256="ab" * 32, content_type=content_type, spill="1-a.z"
    )
    return StoredNotification(record, compressed)


@dataclass
class Subject:
    """An implementation, what it has stored in order, and the same with nobody there."""

    port: EventStream
    stored: Callable[[], Awaitable[list[StoredNotification]]]
    gone: EventStream


@pytest.fixture(params=[pytest.param("fake"), *STORES])
async def subject(request: pytest.FixtureRequest, store_of: Callable[[str], Store]) -> AsyncIterator[Subject]:
    """Each implementation."""
    if request.param == "fake":
        fake = KeptEvents()

        async def kept() -> list[StoredNotification]:
            return list(fake.entries)

        yield Subject(fake, kept, KeptEvents(gone=True))
        return
    here, nobody = Redis(store_of(request.param)), Redis(store_of(request.param).gone())
    yield Subject(here.events, here.stored, nobody.events)
    await here.close()
    await nobody.close()


class Redis:
    """The adapter on a store."""

    def __init__(self, store: Store) -> None:
        self.client, self.waking = store.loop_client(), store.client()
        self.logged: list[tuple[str, dict[str, object]]] = []
        self.events = RedisEvents(self.client, SettleWaker(self.waking, self._log))

    def _log(self, event: str, /, **fields: object) -> None:
        self.logged.append((event, fields))

    async def stored(self) -> list[StoredNotification]:
        """What the stream holds."""
        return [from_fields(fields) for fields in await entries(self.client, keys.EVENTS)]

    def jobs(self) -> list[Job]:
        """Those in settle's queue."""
        return jobs_in(self.waking, keys.SETTLE_QUEUE)

    async def close(self) -> None:
        """Let everything go."""
        await self.events.close()
        await self.client.aclose()
        self.waking.close()


@pytest.fixture
async def on_redis(store: Store) -> AsyncIterator[Redis]:
    """The adapter on each kind of store."""
    built = Redis(store)
    yield built
    await built.close()


@pytest.mark.parametrize("compressed", [b"", b"\x00\xff\r\n", b"x" * MAX_INLINE], ids=["empty", "bytes", "biggest"])
async def test_what_was_appended_is_read_back_whole(subject: Subject, compressed: bytes) -> None:
    """The record and the body, byte for byte."""
    await subject.port.append(entry(compressed=compressed, content_type="odd ☃ \x00\n"))
    assert await subject.stored() == [entry(compressed=compressed, content_type="odd ☃ \x00\n")]


async def test_many_keep_their_order(subject: Subject) -> None:
    """Each is there when its call returns, and none twice."""
    for number in range(3):
        await subject.port.append(entry(number))
    await asyncio.gather(*(subject.port.append(entry(number)) for number in range(3, 2 * BATCH + 20)))
    assert await subject.stored() == [entry(number) for number in range(2 * BATCH + 20)]


async def test_nobody_takes_it(subject: Subject) -> None:
    """Each of those that wait is told so: the registry must try again."""
    found = await asyncio.gather(*(subject.gone.append(entry(number)) for number in range(3)), return_exceptions=True)
    assert [type(one) for one in found] == [Unavailable] * 3


async def test_settle_is_woken_once(on_redis: Redis) -> None:
    """However many come before it runs: by a job of the fixed table, in JSON, without arguments."""
    await asyncio.gather(*(on_redis.events.append(entry(number)) for number in range(2 * BATCH + 1)))
    await on_redis.events.append(entry())
    await on_redis.events.close()
    (job,) = on_redis.jobs()
    assert (job.func_name, job.args, job.kwargs) == (jobs.SETTLE, [], {})
    assert (job.timeout, job.ttl, job.result_ttl, job.failure_ttl) == (
        jobs.SETTLE_TIMEOUT_S, jobs.JOB_TTL_S, jobs.RESULT_TTL_S, jobs.FAILURE_TTL_S,
    )  # fmt: skip
    assert 0 < on_redis.waking.pttl(keys.WAKE) <= keys.WAKE_TTL_MS


async def test_settle_is_woken_again(on_redis: Redis) -> None:
    """After it cleared the flag, which it does before it looks."""
    await on_redis.events.append(entry())
    await on_redis.events.close()
    on_redis.waking.delete(keys.WAKE)
    await on_redis.events.append(entry())
    await on_redis.events.close()
    assert len(on_redis.jobs()) == 2


async def test_a_wake_up_that_fails(store: Store) -> None:
    """The event is stored, so it is answered with 202; sweep wakes settle too. That is said, once."""
    client, nobody = store.loop_client(), store.gone().client()
    logged: list[tuple[str, dict[str, object]]] = []
    events = RedisEvents(client, SettleWaker(nobody, lambda event, /, **fields: logged.append((event, fields))))
    await events.append(entry())
    await events.close()
    assert await client.xlen(keys.EVENTS) == 1
    assert logged == [("settle.not_woken", {"problem": "ConnectionError"})]
    await client.aclose()
    nobody.close()


async def test_a_post_that_is_given_up(on_redis: Redis) -> None:
    """Its entry is written all the same, and the others are not told of it."""
    asked = [asyncio.create_task(on_redis.events.append(entry(number))) for number in range(3)]
    await asyncio.sleep(0)
    asked[1].cancel()
    assert [type(one) for one in await asyncio.gather(*asked, return_exceptions=True)] == [
        type(None), asyncio.CancelledError, type(None),
    ]  # fmt: skip
    assert len(await on_redis.stored()) == 3


async def test_it_goes_on_after_a_fault(on_redis: Redis) -> None:
    """A stream that cannot be written is told to whoever waits, without what stood in the entry."""
    await on_redis.client.set(keys.EVENTS, b"not a stream")
    with pytest.raises(Unavailable) as raised:
        await on_redis.events.append(entry())
    assert "main" not in str(raised.value)
    await on_redis.client.delete(keys.EVENTS)
    await on_redis.events.append(entry())
    assert len(await on_redis.stored()) == 1


async def test_closing_nothing(store: Store) -> None:
    """Nothing was under way."""
    client, waking = store.loop_client(), store.client()
    await RedisEvents(client, SettleWaker(waking, discard)).close()
    await client.aclose()
    waking.close()
