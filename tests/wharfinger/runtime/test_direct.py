"""Plain requests answered without aiohttp: the same connection's bounds, and where it is handed over."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from tests.raw_http import Peer, Served, serving
from tests.waiting import until
from wharfinger.runtime.bounded import DIRECT
from wharfinger.runtime.connections import Bounds
from wharfinger.runtime.direct import Reply
from wharfinger.runtime.plain import PlainGet

LONG = 3_600.0
SHORT = 0.05
PATIENT: dict[str, Any] = {"head_s": LONG, "idle_s": LONG, "linger_s": SHORT, "answer_s": LONG}
GET = b"GET /direct HTTP/1.1\r\nHost: h\r\n\r\n"
WAIT = b"GET /wait HTTP/1.1\r\nHost: h\r\n\r\n"
OTHER = b"GET /other HTTP/1.1\r\nHost: h\r\n\r\n"
MUCH = b"GET /much HTTP/1.1\r\nHost: h\r\n\r\n"


class House:
    """An application that answers some paths directly, and everything by aiohttp."""

    def __init__(self) -> None:
        self.served: Served
        self.logged: list[tuple[str, dict[str, Any]]] = []
        self.go = asyncio.Event()
        self.begun: list[str] = []
        self.ended: list[str] = []
        self.peers: list[str | None] = []

    def log(self, event: str, /, **fields: object) -> None:
        """Keep what is logged."""
        self.logged.append((event, fields))

    async def direct(self, asked: PlainGet, peer: str) -> Reply:
        """By its path."""
        self.peers.append(peer)
        self.begun.append(asked.path)
        if asked.path == "/wait":
            await self.go.wait()
        if asked.path == "/mistake":
            raise ValueError(asked.query)
        self.ended.append(asked.path)
        body = b"x" * 5_000_000 if asked.path == "/much" else b"direct\n"
        return Reply(200, (("Content-Type", "text/plain"), ("X-Query", asked.query)), body)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """By aiohttp."""
        self.peers.append(request.remote)
        self.begun.append("aiohttp" + request.path)
        return web.Response(text="aiohttp\n")

    async def connect(self, *sent: bytes) -> Peer:
        """A connection on which something was sent."""
        peer = await self.served.connect()
        await peer.send(*sent)
        return peer

    async def moment(self) -> None:
        """Longer than any deadline of this house that began before."""
        assert await (await self.connect()).closed() == []


@asynccontextmanager
async def house(**changed: float) -> AsyncIterator[House]:
    """One within patient bounds, but for some."""
    made = House()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", made.answer)
    app[DIRECT] = dict.fromkeys(("/direct", "/wait", "/mistake", "/much"), made.direct)
    async with serving(app, Bounds(**PATIENT | changed), made.log) as made.served:
        yield made
        made.go.set()


async def test_a_plain_request() -> None:
    """Is answered with its headers, its length and the date, and the connection goes on."""
    async with house() as one:
        peer = await one.connect(GET.replace(b"/direct", b"/direct?a=b"))
        assert await peer.answers(1) == [200]
        head, _, body = bytes(peer.got).partition(b"\r\n\r\n")
        status, *lines = head.decode().split("\r\n")
        headers = dict(line.split(": ") for line in lines)
        assert (status, body) == ("HTTP/1.1 200 OK", b"direct\n")
        assert parsedate_to_datetime(headers.pop("Date")).tzinfo is not None
        assert headers == {"Content-Type": "text/plain", "X-Query": "a=b", "Content-Length": "7"}
        await peer.send(GET)
        assert await peer.answers(2) == [200, 200]
        assert one.begun == ["/direct", "/direct"]


@pytest.mark.parametrize("name", ["192.0.2.1", "\0192.0.2.1", "a"])
async def test_who_names_itself(tmp_path: Path, name: str) -> None:
    """On a unix socket there is no address, whatever a client binds its own end to: nobody comes by another's so."""
    async with house() as one:
        with contextlib.chdir(tmp_path):
            peer = await one.served.connect(name)
        await peer.send(GET)
        assert await peer.answers(1) == [200]
        await peer.send(OTHER)
        assert await peer.answers(2) == [200, 200]
        assert one.peers == ["", ""]


async def test_the_client_closes() -> None:
    """It is told so, answered, and closed."""
    async with house() as one:
        peer = await one.connect(GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        assert await peer.closed() == [200]
        assert b"\r\nConnection: close\r\n" in peer.got


@pytest.mark.parametrize(
    "sent",
    [
        (OTHER,),
        (GET.replace(b"GET", b"POST"),),
        (GET.replace(b"HTTP/1.1", b"HTTP/1.0"),),
        (GET[:10], GET[10:]),
        (b"\r\n" + GET,),
        (GET.replace(b"\r\n\r\n", b"\r\nContent-Length: 2\r\n\r\nab"),),
    ],
    ids=["another path", "another method", "an old version", "in two pieces", "an empty line", "with a body"],
)
async def test_any_other_is_handed_over(sent: tuple[bytes, ...]) -> None:
    """To aiohttp, with every byte of it, and all that follow on its connection."""
    async with house() as one:
        peer = await one.connect(*sent)
        assert await peer.answers(1) == [200]
        if b"HTTP/1.0" not in sent[0]:
            await peer.send(GET)
            assert await peer.answers(2) == [200, 200]
        assert {path.partition("/")[0] for path in one.begun} == {"aiohttp"}
        assert b"direct" not in peer.got


async def test_from_one_to_the_other() -> None:
    """What was answered directly stays so; then the connection is aiohttp's, in its one place."""
    async with house(connections=1) as one:
        peer = await one.connect(GET)
        assert await peer.answers(1) == [200]
        await peer.send(OTHER)
        assert await peer.answers(2) == [200, 200]
        await peer.send(GET)
        assert await peer.answers(3) == [200, 200, 200]
        assert one.begun == ["/direct", "aiohttp/other", "aiohttp/direct"]
        assert one.logged == []


async def test_what_comes_too_early() -> None:
    """Requests behind one that is not answered wait for it, and are aiohttp's."""
    async with house() as one:
        peer = await one.connect(WAIT)
        await until("the first", lambda: one.begun == ["/wait"])
        await peer.send(GET, OTHER, GET)
        one.go.set()
        assert await peer.answers(4) == [200] * 4
        assert bytes(peer.got).count(b"aiohttp\n") == 3
        assert one.begun == ["/wait", "aiohttp/direct", "aiohttp/other", "aiohttp/direct"]


async def test_what_is_behind_it_is_bounded() -> None:
    """No more is read of it than a socket's buffers hold, however much is sent."""
    async with house() as one:
        peer = await one.connect(WAIT)
        await until("the first", lambda: one.begun == ["/wait"])
        sending = asyncio.create_task(peer.send(b"x" * 50_000_000))
        for _ in range(50):
            await asyncio.sleep(0)
        assert not sending.done()
        one.go.set()
        assert (await peer.closed())[:2] == [200, 400]
        await sending


async def test_a_silent_connection_is_closed() -> None:
    """Nothing was asked in time."""
    async with house(head_s=SHORT) as one:
        assert await (await one.connect()).closed() == []


async def test_an_idle_connection_is_closed() -> None:
    """After an answer it may be silent for longer, but not for ever."""
    async with house(head_s=LONG, idle_s=SHORT) as one:
        peer = await one.connect(GET)
        assert await peer.answers(1) == [200]
        assert await peer.closed() == [200]


async def test_an_answer_has_its_time() -> None:
    """No deadline of a connection ends a request that is being answered."""
    async with house(head_s=SHORT, idle_s=SHORT) as one:
        peer = await one.connect(WAIT)
        await until("the first", lambda: one.begun == ["/wait"])
        for _ in range(3):
            await one.moment()
        one.go.set()
        assert await peer.answers(1) == [200]


async def test_no_more_connections_than_there_are_places() -> None:
    """Who has asked nothing for longest makes room; who is being answered does not."""
    async with house(connections=2) as one:
        busy = await one.connect(WAIT)
        await until("the first", lambda: one.begun == ["/wait"])
        idle = await one.connect(GET)
        assert await idle.answers(1) == [200]
        new = await one.connect(GET)
        assert await new.answers(1) == [200]
        assert await idle.closed() == [200]
        one.go.set()
        assert await busy.answers(1) == [200]
        assert [event for event, _ in one.logged] == ["connections.full"]


@pytest.mark.parametrize("behind", [b"", GET * 3], ids=["nothing behind", "more behind"])
async def test_an_answer_that_nobody_takes(behind: bytes) -> None:
    """Is kept for a while only."""
    async with house(answer_s=SHORT) as one:
        peer = await one.connect(MUCH)
        await until("the answer", lambda: one.ended == ["/much"])
        await peer.send(behind)
        await one.served.idle()


async def test_an_answer_that_is_taken_late() -> None:
    """What was sent behind it is answered after it."""
    async with house() as one:
        peer = await one.connect(MUCH, GET, OTHER)
        await until("the answer", lambda: one.ended == ["/much"])
        assert await peer.answers(3) == [200, 200, 200]
        assert len(peer.got) > 5_000_000
        await peer.send(GET)
        assert await peer.answers(4) == [200] * 4


async def test_a_client_that_goes_away() -> None:
    """Its request is finished, for what it records, and answered to nobody."""
    async with house() as one:
        peer = await one.connect(WAIT)
        await until("the first", lambda: one.begun == ["/wait"])
        peer.close()
        await one.served.idle()
        one.go.set()
        await until("its end", lambda: one.ended == ["/wait"])
        assert one.logged == []


async def test_a_mistake_of_ours() -> None:
    """500, and where it was; nothing of what was sent, in answer or log; the connection goes on."""
    async with house() as one:
        peer = await one.connect(b"GET /mistake?s3cret HTTP/1.1\r\nHost: h\r\n\r\n")
        assert await peer.answers(1) == [500]
        ((event, fields),) = one.logged
        assert (event, fields["error"]) == ("request.failed", "ValueError")
        assert fields["file"] == __file__
        assert "s3cret" not in str(one.logged) + str(bytes(peer.got))
        await peer.send(GET)
        assert await peer.answers(2) == [500, 200]


async def test_the_end() -> None:
    """Who waits is closed at once; who is being answered gets its answer, and is told that it is the last."""
    async with house() as one:
        idle, busy = await one.connect(GET), await one.connect(WAIT)
        assert await idle.answers(1) == [200]
        await until("the second", lambda: "/wait" in one.begun)
        stopping = asyncio.create_task(one.served.stop())
        assert await idle.closed() == [200]
        one.go.set()
        assert await busy.closed() == [200]
        assert b"\r\nConnection: close\r\n" in busy.got
        await stopping


async def test_the_end_does_not_wait_for_ever() -> None:
    """An answer that does not come in the time of grace is broken off."""
    async with house() as one:
        peer = await one.connect(WAIT)
        await until("the first", lambda: one.begun == ["/wait"])
        await one.served.stop()
        assert await peer.closed() == []
        assert one.ended == []
