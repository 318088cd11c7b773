"""Issuances and refusals into Redis, many at once in one round trip (redis-py, asyncio). Decides nothing about them.

Commands are put into the protocol's form (RESP) here, once for each record: redis-py's own way through a pipeline, with a
dictionary of options and a callback for each command, took a seventh of what a token costs.

Whoever records first starts a flush; what comes meanwhile goes with the next one. An issuance is two writes in one MULTI: the
stream entry that settle reads, and the record under its own key. Crash before EXEC: neither exists, and no token left. After:
both are on disk (the server answers after its fsync), and the token may leave.
"""

import asyncio
import time
from collections.abc import Sequence
from typing import Final, NamedTuple

import redis.asyncio as redis
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as ConnectionBroken
from redis.exceptions import ReadOnlyError, RedisError, ResponseError

from authsvc.errors import Unavailable
from authsvc.metrics import STORE_BATCHES, STORE_RECORDS, STORE_SECONDS
from wharfinger.runtime.metrics import Meter
from wharfinger.wire import keys
from wharfinger.wire.codec import RECORD_FIELD, encode
from wharfinger.wire.issuance import Issuance, Refusal

BATCH: Final = 100
"""Records in one round trip: about 2 ms of the event loop."""
APART_S: Final = 0.002
"""From one batch's start to the next one's, where they come so often: a round trip costs as much as a token, so few tokens
in it would be dear, as when each comes on a connection of its own. Where they come more seldom nothing waits."""
TIMEOUT_S: Final = 2.0


class Write(NamedTuple):
    """What records something: commands in RESP, one behind the other, and how many."""

    resp: bytes
    commands: int


_MULTI: Final = b"*1\r\n$5\r\nMULTI\r\n"
_EXEC: Final = b"*1\r\n$4\r\nEXEC\r\n"


def once_more() -> Retry:
    """A command is sent again when its connection broke, as all do when Redis was restarted; never when it did not answer."""
    return Retry(NoBackoff(), 1, supported_errors=(ConnectionBroken,))


def connect(url: str, *, waits: bool = False) -> "redis.Redis":
    """A client that gives up after TIMEOUT_S, or ``waits`` for each reply: its caller bounds all of them at once, for less."""
    timeout_s = None if waits else TIMEOUT_S
    return redis.Redis.from_url(url, socket_timeout=timeout_s, socket_connect_timeout=TIMEOUT_S, retry=once_more())


class Batches:
    """Writes of several requests in one MULTI each flush. ``client``: one that waits. Made on the loop that it serves."""

    def __init__(self, client: "redis.Redis", meter: Meter) -> None:
        # Kept: asking for the running loop is a system call each time, in Python 3.11.
        self._loop = asyncio.get_running_loop()
        self._redis = client
        self._meter = meter
        self._waiting: list[tuple[Write, asyncio.Future[None]]] = []
        self._flush: asyncio.Task[None] | None = None
        self._not_before = 0.0

    async def add(self, write: Write) -> None:
        """Put one write into the next batch, and return when it is durable. Raises Unavailable."""
        done: asyncio.Future[None] = self._loop.create_future()
        self._waiting.append((write, done))
        if self._flush is None or self._flush.done():
            self._flush = self._loop.create_task(self._run())
        await done

    async def together(self, writes: Sequence[Write]) -> None:
        """Put some writes into a batch of their own, in order. Raises Unavailable."""
        began, outcome = time.monotonic(), "failed"
        try:
            async with asyncio.timeout(TIMEOUT_S):
                await self._send(writes)
            outcome = "written"
        except (RedisError, OSError, TimeoutError) as error:
            raise Unavailable(f"Redis did not take the record: {type(error).__name__}") from error
        finally:
            self._meter.add(STORE_BATCHES, outcome)
            self._meter.add(STORE_RECORDS, outcome, by=len(writes))
            self._meter.observe(STORE_SECONDS, time.monotonic() - began)

    async def close(self) -> None:
        """Wait for the running flush."""
        if self._flush is not None:
            await asyncio.wait([self._flush])

    async def _send(self, writes: Sequence[Write]) -> None:
        sent = b"".join((_MULTI, *(one.resp for one in writes), _EXEC))
        count = sum(one.commands for one in writes)
        pool = self._redis.connection_pool
        connection = await pool.get_connection()  # type: ignore[no-untyped-call]  # redis-py's omission
        try:
            # A connection that broke is let go, and the batch sent once more on a new one.
            await connection.retry.call_with_retry(
                lambda: _exchange(connection, sent, count), lambda _: connection.disconnect(nowait=True)
            )
        finally:
            await pool.release(connection)

    async def _run(self) -> None:
        try:
            while self._waiting:
                if (early_s := self._not_before - self._loop.time()) > 0:
                    await asyncio.sleep(early_s)
                self._not_before = self._loop.time() + APART_S
                await self._flush_some()
        finally:
            # Whatever happened, nobody waits for ever.
            late, self._waiting = self._waiting, []
            _settle(late, Unavailable("the write was broken off"))

    async def _flush_some(self) -> None:
        batch, self._waiting = self._waiting[:BATCH], self._waiting[BATCH:]
        outcome: Unavailable | None = Unavailable("the write was broken off")
        try:
            await self.together([write for write, _ in batch])
            outcome = None
        except Unavailable as fault:
            # Those behind them would each wait as long for the same answer.
            outcome, late, self._waiting = fault, self._waiting, []
            batch += late
        finally:
            _settle(batch, outcome)


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
        await self._batches.add(issuance_write(issuance, encode(issuance)))


class RedisRefusals:
    """The port ``RefusalStream``."""

    def __init__(self, batches: Batches) -> None:
        self._batches = batches

    async def record(self, refusal: Refusal) -> None:
        """Return once the stream entry is durable."""
        await self._batches.add(refusal_write(encode(refusal)))


def issuance_write(issuance: Issuance, value: bytes) -> Write:
    """What records an issuance, encoded as ``value``."""
    lifetime = issuance.expires_at - issuance.issued_at + keys.ISSUANCE_KEEP_S
    entry = packed(b"XADD", keys.ISSUANCES.encode(), b"*", RECORD_FIELD.encode(), value)
    return Write(entry + packed(b"SET", keys.issuance(issuance.jti).encode(), value, b"EX", b"%d" % lifetime), 2)


def refusal_write(value: bytes) -> Write:
    """What records a refusal, encoded as ``value``."""
    return Write(packed(b"XADD", keys.REFUSALS.encode(), b"*", RECORD_FIELD.encode(), value), 1)


def packed(*parts: bytes) -> bytes:
    """A command in RESP: an array of bulk strings (redis.io, "Redis serialization protocol specification")."""
    return b"*%d\r\n%b" % (len(parts), b"".join([b"$%d\r\n%b\r\n" % (len(part), part) for part in parts]))


async def _exchange(connection: AbstractConnection, sent: bytes, count: int) -> None:
    """Send a MULTI of so many commands, and read every reply. Raises the first fault among them."""
    await connection.send_packed_command(sent)
    fault: ResponseError | None = None
    results: object = None
    for _ in range(count + 2):
        try:
            results = await connection.read_response()
        except ResponseError as error:
            fault = fault or error
    # The last one is EXEC's: what each command came to. Of another number, it is no reply to what was sent.
    came = results if isinstance(results, list) and len(results) == count else [ResponseError("EXEC gave no results")]
    fault = fault or next((one for one in came if isinstance(one, ResponseError)), None)
    if isinstance(fault, ReadOnlyError):
        # No master any more; its name may lead to the new one by now.
        await connection.disconnect()
    if fault is not None:
        raise fault
