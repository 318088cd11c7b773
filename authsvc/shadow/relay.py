"""A relay between clients and one upstream: every byte goes through as it came, and what went through is told afterwards.

It reads no more of a message than where it ends. What cannot be read for certain goes through without being looked at. Each
client connection has one of its own to the upstream: where that one closes, the client's closes, and it tries again as it would
have. Where the upstream gives no answer to a first request the client is told so: 502 when it cannot be reached or says nothing
before it closes, 504 when it says nothing in time; an answer that breaks off breaks off for the client too.
"""

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final

from authsvc.decide.framing import Body, Ends, RequestHead, ResponseHead, request_head, response_head
from authsvc.shadow.side import BrokenOff, Side, Unreadable, pump

IDLE_S: Final = 75.0
"""A client that asks nothing more is let go."""
CONNECT_S: Final = 5.0
ANSWER_S: Final = 60.0
"""Longer than any client waits."""
MAX_CONNECTIONS: Final = 1_000
MAX_KEPT: Final = 64 * 1024
"""Bytes of a body that are kept to compare; the rest goes through alone."""


@dataclass(frozen=True, slots=True)
class Upstream:
    """Where the server behind is. ``tls``: how HTTPS is spoken with it; None: plain HTTP."""

    host: str
    port: int
    tls: ssl.SSLContext | None


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request and what became of it. ``status`` 0: the upstream gave no answer, and ``failure`` says why.

    ``whole``: neither body was longer than what is kept.
    """

    request: RequestHead
    form: bytes = field(repr=False)
    peer: str
    status: int
    body: bytes = field(repr=False)
    took_s: float
    failure: str
    whole: bool


@dataclass(frozen=True, slots=True)
class Own:
    """An answer of our own."""

    status: int
    body: bytes
    content_type: str = "text/plain; charset=utf-8"


Sink = Callable[[Exchange], None]
"""Takes an exchange after its answer was given; must not wait."""
Answer = Callable[[RequestHead, str], Awaitable[Own | None]]
"""Our own answer to a request from a peer, or None: it is the upstream's to answer."""


class Relay:
    """Serves one client connection after the other. ``answer``: paths of ours; ``sink``: hears of everything else."""

    def __init__(self, upstream: Upstream, answer: Answer, sink: Sink, *, answer_s: float = ANSWER_S) -> None:
        self.upstream = upstream
        self.answer = answer
        self.sink = sink
        self.answer_s = answer_s
        self._connections: set[asyncio.Task[None] | None] = set()
        self._handing_on = 0
        self._quiet = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One client, until it or the upstream ends."""
        peer, task = writer.get_extra_info("peername"), asyncio.current_task()
        connection = _Connection(self, Side(reader, writer), str(peer[0]) if peer else "")
        self._connections.add(task)
        try:
            if len(self._connections) > MAX_CONNECTIONS:
                await connection.tell(Own(HTTPStatus.SERVICE_UNAVAILABLE, b"Too many connections.\n"))
                return
            while await connection.one():
                pass
        except (OSError, BrokenOff):
            return  # one end is gone: there is nobody to tell
        finally:
            self._connections.discard(task)
            await connection.close()

    @contextmanager
    def handing_on(self) -> Iterator[None]:
        """While a request is with the upstream."""
        self._handing_on += 1
        self._quiet.clear()
        try:
            yield
        finally:
            self._handing_on -= 1
            if not self._handing_on:
                self._quiet.set()

    async def stop(self, grace_s: float) -> None:
        """Let go of every client; those that wait for an answer get a moment."""
        if self._handing_on:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._quiet.wait(), grace_s)
        await ended(*(task for task in self._connections if task is not None))


class _Connection:
    """One client's connection, and the one to the upstream that goes with it."""

    def __init__(self, relay: Relay, client: Side, peer: str) -> None:
        self._relay = relay
        self._client = client
        self._peer = peer
        self._upstream: Side | None = None
        self._answers = 0
        self._farewell = False

    async def one(self) -> bool:
        """One request; whether another may follow."""
        try:
            head = await self._next()
        except Unreadable:
            return await self._unseen()
        if head is None:
            return False
        request = request_head(head)
        if request is None:
            self._client.buffer = head + self._client.buffer
            return await self._unseen()
        own = await self._relay.answer(request, self._peer)
        if own is not None:
            await self.tell(own, request)
            return request.goes_on and request.body == Body(Ends.LENGTH)
        with self._relay.handing_on():
            return await self._hand_on(request, head)

    async def tell(self, own: Own, request: RequestHead | None = None) -> None:
        """Give an answer of ours; without a request of its own the connection ends after it."""
        going_on = request is not None and request.goes_on and request.body == Body(Ends.LENGTH)
        lines = [
            f"HTTP/1.1 {own.status} {HTTPStatus(own.status).phrase}",
            f"Content-Type: {own.content_type}",
            f"Content-Length: {len(own.body)}",
            "Cache-Control: no-store",
            *([] if going_on else ["Connection: close"]),
        ]
        body = b"" if request is not None and request.method == "HEAD" else own.body
        await self._client.send("\r\n".join([*lines, "", ""]).encode() + body)

    async def close(self) -> None:
        """Let both go."""
        await self._client.close()
        if self._upstream is not None:
            await self._upstream.close()

    async def _next(self) -> bytes | None:
        """The next request's head; None when either end is done."""
        reading, watching = asyncio.ensure_future(self._client.head()), asyncio.ensure_future(self._said_unasked())
        try:
            done, _ = await asyncio.wait({reading, watching}, timeout=IDLE_S, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await ended(reading, watching)
        try:
            return reading.result() if done == {reading} and not self._farewell else None
        except BrokenOff:
            return None

    async def _said_unasked(self) -> None:
        """Until the upstream closes; what it says before is its farewell."""
        if self._upstream is None:
            await asyncio.Event().wait()
            return
        # It may come in pieces, like the head and body of a 408.
        while said := await self._upstream.some():
            self._farewell = True
            await self._client.send(said)

    async def _hand_on(self, request: RequestHead, head: bytes) -> bool:
        taking = _Taking(request, self._peer)
        try:
            upstream = await self._connected()
        except OSError:
            await self.tell(Own(HTTPStatus.BAD_GATEWAY, b"Bad gateway: docker_auth cannot be reached.\n"))
            self._relay.sink(taking.done("unreachable"))
            return False
        sending = asyncio.ensure_future(self._send(upstream, request, head, taking))
        giving = asyncio.ensure_future(self._give_back(upstream, request, taking))
        try:
            await asyncio.wait({sending, giving}, return_when=asyncio.FIRST_COMPLETED)
            if sending.done() and isinstance(sending.exception(), BrokenOff):
                return False  # the client is gone before it had said all
            failure, goes_on = await giving
            sent = sending.done() and sending.exception() is None
        finally:
            await ended(sending, giving)
        self._answers += 1
        self._relay.sink(taking.done(failure))
        return goes_on and sent and request.goes_on

    async def _connected(self) -> Side:
        if self._upstream is None:
            place = self._relay.upstream
            async with asyncio.timeout(CONNECT_S):
                self._upstream = Side(*await asyncio.open_connection(place.host, place.port, ssl=place.tls))
        return self._upstream

    async def _send(self, upstream: Side, request: RequestHead, head: bytes, taking: "_Taking") -> None:
        await upstream.send(head)
        try:
            async for raw, carried in self._client.body(request.body):
                await upstream.send(raw)
                taking.asked(carried)
        except Unreadable:
            await pump(self._client, upstream)

    async def _give_back(self, upstream: Side, request: RequestHead, taking: "_Taking") -> tuple[str, bool]:
        """Pass the answer on: what failed, and whether the upstream goes on after it."""
        try:
            answer = await self._last_head(upstream, request)
            if answer is None:
                return "broken_off", False
            taking.status = answer.status
            async for raw, carried in self._in_time(upstream.body(answer.body)):
                await self._client.send(raw)
                taking.answered(carried)
        except TimeoutError:
            if not taking.status:
                await self.tell(Own(HTTPStatus.GATEWAY_TIMEOUT, b"Gateway timeout: docker_auth does not answer.\n"))
            return "timeout", False
        except BrokenOff:
            await self._client.send(upstream.buffer)
            return "broken_off", False
        except Unreadable:
            # Whatever it is, it is what the upstream says.
            await pump(upstream, self._client)
            return "broken_off", False
        return "", answer.goes_on

    async def _last_head(self, upstream: Side, request: RequestHead) -> ResponseHead | None:
        """The head of the answer, after those that only announce it; None: there is no answer."""
        while True:
            try:
                async with asyncio.timeout(self._relay.answer_s):
                    head = await upstream.head()
            except (BrokenOff, ConnectionError):
                if upstream.buffer:
                    await self._client.send(upstream.buffer)
                elif not self._answers:
                    await self.tell(Own(HTTPStatus.BAD_GATEWAY, b"Bad gateway: docker_auth gave no answer.\n"))
                return None
            answer = response_head(head, method=request.method)
            if answer is None:
                upstream.buffer = head + upstream.buffer
                raise Unreadable
            await self._client.send(head)
            if answer.last:
                return answer

    async def _in_time(self, pieces: AsyncIterator[tuple[bytes, bytes]]) -> AsyncIterator[tuple[bytes, bytes]]:
        while True:
            try:
                async with asyncio.timeout(self._relay.answer_s):
                    piece = await anext(pieces)
            except StopAsyncIteration:
                return
            yield piece

    async def _unseen(self) -> bool:
        """Both directions as they come, until the upstream ends, or nothing comes any more."""
        try:
            upstream = await self._connected()
        except OSError:
            await self.tell(Own(HTTPStatus.BAD_GATEWAY, b"Bad gateway: docker_auth cannot be reached.\n"))
            return False
        there, back = (asyncio.ensure_future(pump(*ends)) for ends in ((self._client, upstream), (upstream, self._client)))
        try:
            await asyncio.wait({back}, timeout=self._relay.answer_s)
        finally:
            await ended(there, back)
        return False


async def ended(*tasks: asyncio.Future[Any]) -> None:
    """Cancel tasks, and wait for their end, whatever it is."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


class _Taking:
    """What is told of an exchange, while it goes through."""

    def __init__(self, request: RequestHead, peer: str) -> None:
        self.status = 0
        self._request = request
        self._peer = peer
        self._began = time.monotonic()
        self._form = bytearray()
        self._body = bytearray()
        self._whole = True

    def asked(self, piece: bytes) -> None:
        """A piece of the request's body."""
        self._keep(self._form, piece)

    def answered(self, piece: bytes) -> None:
        """A piece of the answer's body."""
        self._keep(self._body, piece)

    def done(self, failure: str) -> Exchange:
        """All of it; ``failure``: why there was no answer, or no whole one."""
        took_s = time.monotonic() - self._began
        status = 0 if failure else self.status
        form, body = bytes(self._form), bytes(self._body)
        return Exchange(self._request, form, self._peer, status, body, took_s, failure, self._whole)

    def _keep(self, kept: bytearray, piece: bytes) -> None:
        if len(kept) + len(piece) > MAX_KEPT:
            self._whole = False
        else:
            kept += piece
