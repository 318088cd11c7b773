"""Sends HTTP requests at a set rate over kept connections, and times each from the moment it was due. Reads no bodies' sense.

From the moment it was due, not from when it could be sent: a server that stalls is not asked less, and hides nothing.
"""

import asyncio
import re
import time
from collections import deque
from typing import cast

import uvloop

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.IGNORECASE)


class _Connection(asyncio.Protocol):
    """One kept connection, one request at a time."""

    def __init__(self) -> None:
        self._held = b""
        self._answer: asyncio.Future[int] | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's own is no subclass of it

    def connection_lost(self, error: Exception | None) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error or ConnectionError("closed before it answered"))

    def data_received(self, data: bytes) -> None:
        self._held += data
        head, end, body = self._held.partition(b"\r\n\r\n")
        found = _LENGTH.search(head + b"\r\n") if end else None
        if found is not None and len(body) >= int(found[1]):
            assert self._answer is not None
            self._held = b""
            self._answer.set_result(int(head.split(b" ", 2)[1]))

    async def ask(self, request: bytes) -> int:
        """The status of the answer."""
        assert self._transport is not None
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._answer


def at_rate(port: int, request: bytes, *, rate: float, seconds: float, connections: int) -> list[float]:
    """Seconds each request took, of those sent so often a second. Raises AssertionError for an answer that is not 200."""
    return uvloop.run(_at_rate(port, request, rate, seconds, connections))


async def _at_rate(port: int, request: bytes, rate: float, seconds: float, connections: int) -> list[float]:
    loop = asyncio.get_running_loop()
    free = deque([(await loop.create_connection(_Connection, "127.0.0.1", port))[1] for _ in range(connections)])
    freed = asyncio.Condition()
    taken: list[float] = []

    async def one(due: float) -> None:
        async with freed:
            await freed.wait_for(lambda: bool(free))
            connection = free.popleft()
        assert await connection.ask(request) == 200
        taken.append(time.perf_counter() - due)
        async with freed:
            free.append(connection)
            freed.notify()

    began = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for number in range(int(rate * seconds)):
            due = began + number / rate
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            group.create_task(one(due))
    return taken
