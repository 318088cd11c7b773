"""Notifications into Redis, many at once in one round trip, and settle's wake-up (redis-py asyncio; RQ in a thread).

Whoever appends first starts a flush; what comes meanwhile goes with the next one. The server answers after its fsync. Crash
before: the registry posts again. After, before the wake-up: sweep finds that entries wait.
"""

import asyncio
from typing import Final

import redis
import redis.asyncio
from redis.exceptions import RedisError
from rq import Queue
from rq.serializers import JSONSerializer

from notifier.errors import Unavailable
from wharfinger.runtime.log import Log
from wharfinger.wire import jobs, keys
from wharfinger.wire.notification import StoredNotification, to_fields

BATCH: Final = 50
"""Entries in one round trip, each up to 64 KiB."""
TIMEOUT_S: Final = 2.0

_Waiting = tuple[dict[str, bytes], asyncio.Future[None]]


class RedisEvents:
    """The port ``EventStream``."""

    def __init__(self, client: "redis.asyncio.Redis", waker: "SettleWaker") -> None:
        self._redis = client
        self._waker = waker
        self._waiting: list[_Waiting] = []
        self._flush: asyncio.Task[None] | None = None
        self._wakes: set[asyncio.Task[None]] = set()

    async def append(self, stored: StoredNotification) -> None:
        """Return once the entry is durable."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((to_fields(stored), done))
        if self._flush is None or self._flush.done():
            self._flush = asyncio.ensure_future(self._run())
        await done

    async def close(self) -> None:
        """Wait for what is under way."""
        under_way = [*self._wakes, *([self._flush] if self._flush else [])]
        if under_way:
            await asyncio.wait(under_way)

    async def _run(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting[:BATCH], self._waiting[BATCH:]
            try:
                woken = await self._write(batch)
            except (RedisError, OSError, TimeoutError) as error:
                _answer(batch, Unavailable(f"Redis did not take the event: {type(error).__name__}"))
            else:
                _answer(batch, None)
                if woken:
                    self._wake()

    async def _write(self, batch: list[_Waiting]) -> bool:
        async with asyncio.timeout(TIMEOUT_S), self._redis.pipeline(transaction=True) as pipeline:
            for fields, _ in batch:
                pipeline.xadd(keys.EVENTS, fields)  # type: ignore[arg-type]  # bytes are what redis-py sends
            pipeline.set(keys.WAKE, b"1", nx=True, px=keys.WAKE_TTL_MS)
            answers = await pipeline.execute()
        return bool(answers[-1])

    def _wake(self) -> None:
        task = asyncio.create_task(asyncio.to_thread(self._waker.wake))
        self._wakes.add(task)
        task.add_done_callback(self._wakes.discard)


class SettleWaker:
    """Enqueues settle's job; the flag that was set with the entries keeps it to one at a time."""

    def __init__(self, client: redis.Redis, log: Log) -> None:
        self._queue = Queue(keys.SETTLE_QUEUE, connection=client, serializer=JSONSerializer)
        self._log = log

    def wake(self) -> None:
        """Best effort: sweep wakes settle too."""
        try:
            self._queue.enqueue(
                jobs.SETTLE,
                result_ttl=jobs.RESULT_TTL_S,
                failure_ttl=jobs.FAILURE_TTL_S,
                ttl=jobs.JOB_TTL_S,
                job_timeout=jobs.SETTLE_TIMEOUT_S,
            )
        except (RedisError, OSError) as error:
            self._log("settle.not_woken", problem=type(error).__name__)


def _answer(batch: list[_Waiting], fault: Unavailable | None) -> None:
    for _, done in batch:
        if done.done():
            continue
        if fault is None:
            done.set_result(None)
        else:
            done.set_exception(fault)
