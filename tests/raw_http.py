"""Raw bytes against our applications as they are served: no client library in between to tidy them up."""

import asyncio
import re
import socket
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import cast

from aiohttp import web

from tests.waiting import until
from wharfinger.runtime.bounded import BoundedRunner
from wharfinger.runtime.connections import Bounds
from wharfinger.runtime.log import Log, discard

WAIT_S = 20.0
"""For what must come; nothing is asserted by it."""


class Peer:
    """The client's end of one connection. ``got``: all that came."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.got = bytearray()
        self._reader = reader
        self._writer = writer

    async def send(self, *pieces: bytes) -> None:
        """Some bytes, each piece by itself; a connection that is closed already takes them to nowhere."""
        try:
            for piece in pieces:
                self._writer.write(piece)
                await self._writer.drain()
                for _ in range(3):
                    await asyncio.sleep(0)
        except ConnectionError:
            return

    async def answers(self, count: int) -> list[int]:
        """The statuses of so many answers, or of fewer when the other end closes."""
        async with asyncio.timeout(WAIT_S):
            while len(statuses(self.got)) < count or not whole(self.got):
                if not await self._more():
                    break
        return statuses(self.got)

    async def closed(self) -> list[int]:
        """The statuses of all that comes until the other end closes."""
        async with asyncio.timeout(WAIT_S):
            while await self._more():
                pass
        return statuses(self.got)

    def end(self) -> None:
        """Nothing more will be sent."""
        if not self._writer.is_closing():
            self._writer.write_eof()

    def close(self) -> None:
        """Let go."""
        self._writer.close()

    async def _more(self) -> bool:
        try:
            data = await self._reader.read(65_536)
        except ConnectionError:
            return False
        self.got += data
        return bool(data)


def pieces(data: bytes, how: str) -> tuple[bytes, ...]:
    """A request's bytes as they arrive: ``whole``, ``head and body``, or ``bit by bit``."""
    head, end, rest = data.partition(b"\r\n\r\n")
    if how == "whole":
        return (data,)
    if how == "head and body":
        return (head + end, rest) if rest else (data,)
    size = max(1, len(data) // 150)
    return tuple(data[at : at + size] for at in range(0, len(data), size))


def whole(data: bytes | bytearray) -> bool:
    """Whether the last answer in some bytes is there to its end."""
    head, end, body = data.rpartition(b"HTTP/")[2].partition(b"\r\n\r\n")
    length = re.search(rb"(?i)content-length: (\d+)", head)
    return bool(end) and len(body) >= (int(length[1]) if length else 0)


class Served:
    """A served application, to be connected to."""

    def __init__(self, runner: BoundedRunner) -> None:
        self._runner = runner
        self._peers: list[Peer] = []
        self._newest: asyncio.Transport

    async def connect(self, name: str = "") -> Peer:
        """A new connection, without a network. ``name``: a path that its client's end is bound to."""
        ours, theirs = socket.socketpair()
        if name:
            ours.bind(name)
        self._newest, _ = await asyncio.get_running_loop().connect_accepted_socket(self._runner.accept, theirs)
        self._peers.append(peer := Peer(*await asyncio.open_connection(sock=ours)))
        return peer

    def burst(self, pieces: Iterable[bytes]) -> None:
        """What comes on the newest connection before anybody gets a turn to answer some of it."""
        for piece in pieces:
            cast("asyncio.Protocol", self._newest.get_protocol()).data_received(piece)

    async def exchange(self, *sent: bytes, answers: int) -> Peer:
        """Send pieces, one after the other; when so many answers came, nothing more. The connection, closed."""
        peer = await self.connect()
        sending = asyncio.create_task(peer.send(*sent))
        await peer.answers(answers)
        await sending
        peer.end()
        await peer.closed()
        return peer

    async def idle(self) -> None:
        """Wait until the server's end has let every connection go."""
        await until("the last connection's end", lambda: not len(self._runner.connections))

    async def stop(self) -> None:
        """As the service does in the end."""
        await self._runner.cleanup()

    def close(self) -> None:
        """Let every connection go."""
        for peer in self._peers:
            peer.close()


@asynccontextmanager
async def serving(app: web.Application, bounds: Bounds | None = None, log: Log = discard) -> AsyncIterator[Served]:
    """Serve an application to this process."""
    runner = BoundedRunner(app, bounds=bounds or Bounds(), log=log, grace_s=1)
    await runner.setup()
    served = Served(runner)
    try:
        yield served
    finally:
        served.close()
        await runner.cleanup()


def statuses(data: bytes | bytearray) -> list[int]:
    """Of all answers in some bytes."""
    return [int(found) for found in re.findall(rb"HTTP/\d\.\d (\d{3}) ", data)]


@dataclass(frozen=True)
class Row:
    """How a POST says where it ends, and what becomes of it and of the request right behind it.

    ``framing``: headers, ``body``: what follows them, both with ``%(n)d``, ``%(h)x`` and ``%(body)b`` for a body's length and
    bytes. ``answers``: the statuses, with 200 for whatever the service says to a good request; ``taken``: which of both it
    takes. ``apart``: the same when the bytes come piece by piece, where that differs: the second may find it closed.
    """

    name: str
    framing: bytes
    body: bytes
    outcome: "Outcome"
    apart: "Outcome"
    version: bytes = b"1.1"

    def request(self, line: bytes, headers: bytes, body: bytes) -> bytes:
        """The whole request."""
        fields: Mapping[bytes, object] = {b"n": len(body), b"h": len(body), b"body": body}
        framing = self.framing % fields if b"%" in self.framing else self.framing
        content = self.body % fields if b"%" in self.body else self.body
        return line + b" HTTP/" + self.version + b"\r\nHost: h\r\n" + headers + framing + b"\r\n" + content


@dataclass(frozen=True)
class Outcome:
    """What is answered, and which of the two requests was taken: 0 the first, 1 the one behind it."""

    answers: tuple[int, ...]
    taken: tuple[int, ...] = ()


BOTH, FIRST, NONE = Outcome((200, 200), (0, 1)), Outcome((200,), (0,)), Outcome((400,))
_CHUNKED = b"%(h)x\r\n%(body)b\r\n0\r\n\r\n"
_TE = b"Transfer-Encoding: chunked\r\n"
_CL = b"Content-Length: %(n)d\r\n"


def _row(
    name: str, framing: bytes, body: bytes, outcome: Outcome, *, apart: Outcome | None = None, version: bytes = b"1.1"
) -> Row:
    return Row(name, framing, body, outcome, apart or outcome, version)


ROWS = (
    _row("content length", _CL, b"%(body)b", BOTH),
    _row("chunked", _TE, _CHUNKED, BOTH),
    _row("chunked, in capitals", b"TRANSFER-ENCODING: CHUNKED\r\n", _CHUNKED, BOTH),
    _row("several chunks", _TE, b"0000%(h)x\r\n%(body)b\r\n000\r\n\r\n", BOTH),
    _row("a chunk's extension", _TE, b"%(h)x;a=b;c\r\n%(body)b\r\n0;d\r\n\r\n", BOTH),
    _row("a trailer", _TE, b"%(h)x\r\n%(body)b\r\n0\r\nX: y\r\n\r\n", BOTH),
    _row("empty lines before it", _CL, b"%(body)b\r\n", BOTH),
    _row("length by a tab", b"Content-Length:\t%(n)d\r\n", b"%(body)b", BOTH),
    _row("another header of that sound", b"Content_Length: 5\r\n" + _CL, b"%(body)b", BOTH),
    _row("length, then chunked", _CL + _TE, _CHUNKED, NONE),
    _row("chunked, then length", _TE + _CL, _CHUNKED, NONE),
    _row("length nought and chunked", b"Content-Length: 0\r\n" + _TE, _CHUNKED, NONE),
    _row("length twice", _CL + _CL, b"%(body)b", NONE),
    _row("two lengths", _CL + b"Content-Length: 1\r\n", b"%(body)b", NONE),
    _row("a list of lengths", b"Content-Length: %(n)d, %(n)d\r\n", b"%(body)b", NONE),
    _row("length with a sign", b"Content-Length: +%(n)d\r\n", b"%(body)b", NONE),
    _row("negative length", b"Content-Length: -%(n)d\r\n", b"%(body)b", NONE),
    _row("length in hex", b"Content-Length: 0x%(h)x\r\n", b"%(body)b", NONE),
    _row("length with an underscore", b"Content-Length: 1_0\r\n", b"%(body)b", NONE),
    _row("length in other digits", "Content-Length: ١\r\n".encode(), b"%(body)b", NONE),
    _row("length of nothing", b"Content-Length: \r\n", b"%(body)b", NONE),
    _row("length beyond all numbers", b"Content-Length: 99999999999999999999999\r\n", b"%(body)b", NONE),
    _row("space before the colon", b"Content-Length : %(n)d\r\n", b"%(body)b", NONE),
    _row("chunked with a space before the colon", b"Transfer-Encoding : chunked\r\n" + _CL, b"%(body)b", NONE),
    _row("chunked twice", _TE + _TE, _CHUNKED, NONE),
    _row("chunked, then identity", _TE + b"Transfer-Encoding: identity\r\n", _CHUNKED, NONE),
    _row("chunked, then gzip", b"Transfer-Encoding: chunked, gzip\r\n", _CHUNKED, NONE),
    _row("identity", b"Transfer-Encoding: identity\r\n" + _CL, b"%(body)b", NONE),
    _row("nearly chunked", b"Transfer-Encoding: xchunked\r\n" + _CL, b"%(body)b", NONE),
    _row("chunked in quotes", b'Transfer-Encoding: "chunked"\r\n', _CHUNKED, NONE),
    _row("chunked behind a vertical tab", b"Transfer-Encoding: \x0bchunked\r\n" + _CL, b"%(body)b", NONE),
    _row("chunked on a folded line", b"Transfer-Encoding:\r\n chunked\r\n", _CHUNKED, NONE),
    _row("a folded line", b"X: a\r\n b\r\n" + _CL, b"%(body)b", NONE),
    _row("a bare line feed", b"X: a\n" + _CL, b"%(body)b", NONE),
    _row("a bare carriage return", b"X: a\rY: b\r\n" + _CL, b"%(body)b", NONE),
    _row("NUL in a value", b"X: a\x00b\r\n" + _CL, b"%(body)b", NONE),
    _row("NUL in a name", b"X\x00: b\r\n" + _CL, b"%(body)b", NONE),
    _row("no colon", b"X\r\n" + _CL, b"%(body)b", NONE),
    _row("no name", b": x\r\n" + _CL, b"%(body)b", NONE),
    _row("a second host", b"Host: i\r\n" + _CL, b"%(body)b", NONE),
    _row("a chunk size without end", _TE, b"FFFFFFFFFFFFFFFFF\r\n%(body)b\r\n0\r\n\r\n", NONE),
    _row("a chunk size with 0x", _TE, b"0x%(h)x\r\n%(body)b\r\n0\r\n\r\n", NONE),
    _row("a negative chunk size", _TE, b"-%(h)x\r\n%(body)b\r\n0\r\n\r\n", NONE),
    _row("a space behind a chunk size", _TE, b"%(h)x \r\n%(body)b\r\n0\r\n\r\n", NONE),
    _row("a chunk size that ends in a line feed", _TE, b"%(h)x\n%(body)b\r\n0\r\n\r\n", NONE),
    _row("a chunk's extension with a line feed", _TE, b"%(h)x;a\n%(body)b\r\n0\r\n\r\n", NONE),
    _row("a chunk's extension with a quoted line's end", _TE, b'%(h)x;a="\r\n%(body)b\r\n0\r\n\r\n', NONE),
    _row("a chunk longer than its size", _TE, b"%(h)x\r\n%(body)bX\r\n0\r\n\r\n", NONE),
    _row("a length in a trailer", _TE, b"%(h)x\r\n%(body)b\r\n0\r\nContent-Length: 50\r\n\r\n", NONE),
    _row("chunked in HTTP/1.0", _TE + b"Connection: keep-alive\r\n", _CHUNKED, NONE, version=b"1.0"),
    _row("HTTP/1.0 kept open", b"Connection: keep-alive\r\n" + _CL, b"%(body)b", BOTH, version=b"1.0"),
    _row("HTTP/2.0 without its preface", _CL, b"%(body)b", NONE, apart=Outcome((505,)), version=b"2.0"),
    _row("HTTP/1.2", _CL, b"%(body)b", NONE, version=b"1.2"),
    _row("100-continue", b"Expect: 100-continue\r\n" + _CL, b"%(body)b", Outcome((100, 200, 200), (0, 1))),
    _row("another expectation", b"Expect: nothing\r\n" + _CL, b"%(body)b", Outcome((417, 200), (1,))),
    _row("the client closes", b"Connection: close\r\n" + _CL, b"%(body)b", NONE, apart=FIRST),
    _row("an upgrade", b"Connection: upgrade\r\nUpgrade: websocket\r\n" + _CL, b"%(body)b", FIRST),
    _row(
        "an upgrade to HTTP/2",
        b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMA\r\n" + _CL,
        b"%(body)b",
        FIRST,
    ),
    _row("more headers than there are", b"X: y\r\n" * 200 + _CL, b"%(body)b", NONE),
    _row("a long header", b"X: " + b"y" * 40_000 + b"\r\n" + _CL, b"%(body)b", NONE),
    _row(
        "a long head",
        b"".join(b"X%d: %b\r\n" % (number, b"y" * 30_000) for number in range(5)) + _CL,
        b"%(body)b",
        Outcome((431,)),
    ),
)
"""Every way we know to make two readers disagree on where a request ends, and the ways that must work."""
