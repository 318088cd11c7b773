"""Issuances and refusals into Redis, many at once in one round trip (redis-py, asyncio). Decides nothing about them.

Whoever records first starts a flush; what comes meanwhile goes with the next one. An issuance is two writes in one MULTI: the
stream entry that settle reads, and the record under its own key. Crash before EXEC: neither exists, and no token left. After:
both are on disk (the server answers after its fsync), and the token may leave.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Any, Final

import redis.asyncio as redis
from redis.exceptions import RedisError

from authsvc.errors import Unavailable
from authsvc.metrics import STORE_BATCHES, STORE_RECORDS, STORE_SECONDS
from wharfinger.runtime.metrics import Meter
from wharfinger.wire import keys
from wharfinger.wire.codec import RECORD_FIELD, encode
from wharfinger.wire.issuance import Issuance, Refusal

BATCH: Final = 100
"""Records in one round trip: about 2 ms of the event loop."""
TIMEOUT_S: Final = 2.0

Write = Callable[[Any], None]


class Batches:
    """Writes of several requests in one MULTI each flush."""

    def __init__(self, client: "redis.Redis", meter: Meter) -> None:
        self._redis = client
        self._meter = meter
        self._waiting: list[tuple[Write, asyncio.Future[None]]] = []
        self._flush: asyncio.Task[None] | None = None

    async def add(self, write: Write) -> None:
        """Put one write into the next batch, and return when it is durable. Raises Unavailable."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((write, done))
        if self._flush is None or self._flush.done():
            self._flush = asyncio.ensure_future(self._run())
        await done

    async def close(self) -> None:
        """Wait for the running flush."""
        if self._flush is not None:
            await asyncio.wait([self._flush])

    async def _run(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting[:BATCH], self._waiting[BATCH:]
            began, outcome = time.monotonic(), "written"
            try:
                async with asyncio.timeout(TIMEOUT_S):
                    async with self._redis.pipeline(transaction=True) as pipeline:
                        for write, _ in batch:
                            write(pipeline)
                        await pipeline.execute()
            except (RedisError, OSError, TimeoutError) as error:
                outcome = "failed"
                fault = Unavailable(f"Redis did not take the record: {type(error).__name__}")
                _settle(batch, fault)
            else:
                _settle(batch, None)
            self._meter.add(STORE_BATCHES, outcome)
            self._meter.add(STORE_RECORDS, outcome, by=len(batch))
            self._meter.observe(STORE_SECONDS, time.monotonic() - began)


def _settle(batch: list[tuple[Write, asyncio.Future[None]]], fault: Unavailable | None) -> None:
    for _, done in batch:
        if done.done():
            continue  # its request was given up meanwhile
        if fault is None:
            done.set_result(None)
        else:
            done.set_exception(fault)


class RedisIssuances:
    """The port ``IssuanceStream``."""

    def __init__(self, batches: Batches) -> None:
        self._batches = batches

    async def record(self, issuance: Issuance) -> None:
        """Return once stream entry and key are durable."""
        value = encode(issuance)
        lifetime = issuance.expires_at - issuance.issued_at + keys.ISSUANCE_KEEP_S

        def write(pipeline: Any) -> None:
            pipeline.xadd(keys.ISSUANCES, {RECORD_FIELD: value})
            pipeline.set(keys.issuance(issuance.jti), value, ex=lifetime)

        await self._batches.add(write)


class RedisRefusals:
    """The port ``RefusalStream``."""

    def __init__(self, batches: Batches) -> None:
        self._batches = batches

    async def record(self, refusal: Refusal) -> None:
        """Return once the stream entry is durable."""
        value = encode(refusal)
        await self._batches.add(lambda pipeline: pipeline.xadd(keys.REFUSALS, {RECORD_FIELD: value}))
