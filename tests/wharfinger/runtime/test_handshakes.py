"""TLS handshakes that are not gone through with: bounded in number as in time, on both event loops, and nobody else suffers."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest
import uvloop
from aiohttp import web

from tests.servers import Served, served
from tests.waiting import until
from wharfinger.cli.generate import new_certificate, new_key
from wharfinger.runtime.connections import Bounds
from wharfinger.runtime.handshakes import Handshake
from wharfinger.runtime.serving import tls_context
from wharfinger.runtime.settings import TlsPair, TlsSettings

LONG = 3_600.0
WAIT_S = 20.0
HALF = b"\x16\x03\x01"
"""The first bytes of a client's hello."""
GET = b"GET %b HTTP/1.1\r\nHost: h\r\n\r\n"


Loop = Callable[[], asyncio.AbstractEventLoop]
on_both = pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
"""Services run on uvloop; both order their callbacks differently."""


def told(loop: Loop, story: Coroutine[None, None, None]) -> None:
    """Run a test's story on a loop."""
    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(story)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> TlsPair:
    """What is served."""
    folder = tmp_path_factory.mktemp("pair")
    key = new_key()
    (folder / "key").write_bytes(key)
    (folder / "crt").write_bytes(new_certificate(key, ["localhost"], now=datetime.now(UTC)))
    return TlsPair(folder / "crt", folder / "key")


@dataclass
class House:
    """An application behind TLS that answers at once, or when it is let to."""

    served: Served
    pair: TlsPair
    go: asyncio.Event
    logged: list[str]
    begun: list[str]
    _open: list[asyncio.StreamWriter] = field(default_factory=list)

    async def half(self, sent: bytes = HALF) -> asyncio.StreamReader:
        """A connection on which no more than that is sent."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.served.port)
        self._open.append(writer)
        writer.write(sent)
        await writer.drain()
        return reader

    async def whole(self, path: bytes = b"/") -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A client's connection, on which something was asked."""
        trusting = ssl.create_default_context(cafile=str(self.pair.certificate))
        reader, writer = await asyncio.open_connection("127.0.0.1", self.served.port, ssl=trusting, server_hostname="localhost")
        self._open.append(writer)
        writer.write(GET % path)
        await writer.drain()
        return reader, writer

    async def busy(self) -> asyncio.StreamReader:
        """A client's connection, on which a request is being answered."""
        count = self.begun.count("/wait")
        reader, _ = await self.whole(b"/wait")
        await until("the request", lambda: self.begun.count("/wait") > count)
        return reader

    async def ask(self) -> bytes:
        """What a client is answered: the first line."""
        reader, _ = await self.whole()
        return await first_line(reader)

    def close(self) -> None:
        """Let every connection go."""
        for writer in self._open:
            writer.close()


async def first_line(reader: asyncio.StreamReader) -> bytes:
    """Of an answer; empty where none comes."""
    async with asyncio.timeout(WAIT_S):
        try:
            return (await reader.readline()).strip()
        except ConnectionError:
            return b""


async def closed(reader: asyncio.StreamReader) -> bool:
    """Wait until the other end has closed it."""
    async with asyncio.timeout(WAIT_S):
        with suppress(ConnectionError):
            await reader.read()
    return True


@asynccontextmanager
async def house(pair: TlsPair, bounds: Bounds) -> AsyncIterator[House]:
    """One within bounds."""
    go, logged, begun = asyncio.Event(), list[str](), list[str]()

    async def answer(request: web.Request) -> web.Response:
        begun.append(request.path)
        if request.path == "/wait":
            await go.wait()
        return web.Response(text="ok")

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    async with served(app, lambda event, /, **_: logged.append(event), bounds=bounds, tls=tls_context(TlsSettings(pair))) as at:
        made = House(at, pair, go, logged, begun)
        yield made
        go.set()
        made.close()


def bounds(*, connections: int, head_s: float = LONG) -> Bounds:
    """Patient ones, but for some."""
    return Bounds(head_s=head_s, idle_s=LONG, linger_s=0.05, answer_s=LONG, connections=connections)


@on_both
def test_many_half_done_handshakes(loop: Loop, pair: TlsPair) -> None:
    """Ten times as many as there are places, none of which ends by itself: who goes through with one is served all the same."""

    async def story() -> None:
        async with house(pair, bounds(connections=20)) as one:
            halves = []
            for _ in range(10):
                halves += [await one.half() for _ in range(20)]
                assert await one.ask() == b"HTTP/1.1 200 OK"
            assert all([await closed(half) for half in halves[:160]])
            assert "connections.full" in one.logged

    told(loop, story())


@on_both
def test_all_at_once(loop: Loop, pair: TlsPair) -> None:
    """Many that are accepted in one go: each needs another to make room."""

    async def story() -> None:
        async with house(pair, bounds(connections=10)) as one:
            halves = await asyncio.gather(*(one.half() for _ in range(100)))
            assert await one.ask() == b"HTTP/1.1 200 OK"
            ends = [asyncio.create_task(closed(half)) for half in halves]
            await until(
                "as much room as there was before", lambda: sum(end.done() and not end.exception() for end in ends) >= 90
            )
            for end in ends:
                end.cancel()

    told(loop, story())


@on_both
def test_they_share_the_places(loop: Loop, pair: TlsPair) -> None:
    """Who is being answered keeps its place; a half-done handshake and an idle connection go by their age."""

    async def story() -> None:
        async with house(pair, bounds(connections=3)) as one:
            busy = await one.busy()
            half = await one.half()
            idle, asks = await one.whole()
            assert await first_line(idle) == b"HTTP/1.1 200 OK"
            assert await one.ask() == b"HTTP/1.1 200 OK"
            assert await closed(half)
            asks.write(GET % b"/")
            assert await idle.readuntil(b"ok") != b""
            one.go.set()
            assert await first_line(busy) == b"HTTP/1.1 200 OK"

    told(loop, story())


@on_both
def test_all_places_are_busy(loop: Loop, pair: TlsPair) -> None:
    """The new one is closed before it is given to TLS; those that are being answered are."""

    async def story() -> None:
        async with house(pair, bounds(connections=2)) as one:
            busy = [await one.busy() for _ in range(2)]
            assert await closed(await one.half())
            one.go.set()
            assert [await first_line(reader) for reader in busy] == [b"HTTP/1.1 200 OK"] * 2
            assert await one.ask() == b"HTTP/1.1 200 OK"

    told(loop, story())


@pytest.mark.parametrize("sent", [b"", HALF])
@on_both
def test_a_handshake_has_its_time(loop: Loop, pair: TlsPair, sent: bytes) -> None:
    """Also where there is room: it is closed then, and its place is free."""

    async def story() -> None:
        async with house(pair, bounds(connections=1, head_s=0.3)) as one:
            assert await closed(await one.half(sent))
            assert one.logged == []

    told(loop, story())


@pytest.mark.parametrize("sent", [GET % b"/", b"\x16\x03\x01\x00\x05hello", b"\x00" * 100])
@on_both
def test_what_is_no_handshake(loop: Loop, pair: TlsPair, sent: bytes) -> None:
    """It is closed at once, and nothing is logged of it."""

    async def story() -> None:
        async with house(pair, bounds(connections=1)) as one:
            assert await closed(await one.half(sent))
            assert await one.ask() == b"HTTP/1.1 200 OK"
            assert one.logged == []

    told(loop, story())


@on_both
def test_a_client_that_goes(loop: Loop, pair: TlsPair) -> None:
    """In the middle of it: the place is free for the next one."""

    async def story() -> None:
        async with house(pair, bounds(connections=1)) as one:
            for sent in (b"", HALF):
                with socket.create_connection(("127.0.0.1", one.served.port)) as gone:
                    gone.sendall(sent)
            assert await one.ask() == b"HTTP/1.1 200 OK"

    told(loop, story())


def test_it_asks_nothing() -> None:
    """So it makes room like a connection between two requests."""
    assert Handshake.waits(object.__new__(Handshake))
