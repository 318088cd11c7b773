"""What one connection may cost, on an application of its own: slow, silent, many, greedy ones, and mistakes of ours."""

import asyncio
import itertools
import resource
import subprocess
import sys
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from tests.raw_http import Peer, Served, serving, statuses
from wharfinger.runtime.connections import MAX_LINE, RESERVED_FILES, Bounds, within_open_files

LONG = 3_600.0
"""Never, as far as a test is concerned."""
SHORT = 0.05
PATIENT = Bounds(head_s=LONG, idle_s=LONG, linger_s=SHORT, answer_s=LONG)
GET = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"


class House:
    """An application that answers at once, when it is let to, or with more than a socket holds."""

    def __init__(self) -> None:
        self.served: Served
        self.logged: list[tuple[str, dict[str, Any]]] = []
        self.go = asyncio.Event()
        self.begun: list[str] = []
        self.ended: list[str] = []

    def log(self, event: str, /, **fields: object) -> None:
        """Keep what is logged."""
        self.logged.append((event, fields))

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """By its path."""
        self.begun.append(request.path)
        try:
            match request.path:
                case "/wait":
                    await self.go.wait()
                case "/much":
                    return web.Response(body=b"x" * 5_000_000)
                case "/mistake":
                    raise ValueError(request.path_qs)
                case "/late":
                    response = web.StreamResponse()
                    await response.prepare(request)
                    raise ValueError("after the head of an answer")
            body = await request.content.read() if request.can_read_body else b""
            return web.Response(text=f"{len(body)}\n")
        finally:
            self.ended.append(request.path)

    async def connect(self, *sent: bytes) -> Peer:
        """A connection on which something was sent."""
        peer = await self.served.connect()
        await peer.send(*sent)
        return peer

    async def moment(self) -> None:
        """As long as a silent connection lives: longer than any deadline of this house that began before."""
        assert await (await self.connect()).closed() == []


@asynccontextmanager
async def house(bounds: Bounds) -> AsyncIterator[House]:
    """One within bounds."""
    made = House()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", made.answer)
    async with serving(app, bounds, made.log) as made.served:
        yield made
        made.go.set()


def bounds(**changed: Any) -> Bounds:
    """Patient ones, but for some."""
    return Bounds(**{name: getattr(PATIENT, name) for name in Bounds.__slots__} | changed)


async def test_a_silent_connection_is_closed() -> None:
    """Nothing was asked in time: no answer, and the place is free."""
    async with house(bounds(head_s=SHORT)) as one:
        assert await (await one.connect()).closed() == []
        assert one.begun == []


@pytest.mark.parametrize("start", [b"G", b"GET / HTTP/1.1\r\n", GET[:-2], b"\r\n\r\n\r\n"])
async def test_a_head_that_does_not_end_is_closed(start: bytes) -> None:
    """However much of it came; also when it goes on coming, a byte at a time."""
    async with house(bounds(head_s=SHORT)) as one:
        peer = await one.connect(start)

        async def trickle() -> None:
            while True:
                await peer.send(b"X")
                await asyncio.sleep(SHORT / 10)

        trickling = asyncio.create_task(trickle())
        assert await peer.closed() in ([], [400])
        trickling.cancel()
        assert one.begun == []


async def test_a_head_within_its_time() -> None:
    """Byte by byte, as over a bad line: answered."""
    async with house(PATIENT) as one:
        peer = await one.connect(*(bytes([byte]) for byte in GET))
        assert await peer.answers(1) == [200]


async def test_a_second_head_has_its_time_too() -> None:
    """It begins with its first byte: a connection may be idle for longer, but not stop in the middle of a request."""
    async with house(bounds(head_s=SHORT)) as one:
        idle, stops = await one.connect(GET), await one.connect(GET)
        assert [await idle.answers(1), await stops.answers(1)] == [[200], [200]]
        await one.moment()
        await stops.send(GET[:-2])
        assert await stops.closed() == [200]
        await idle.send(GET)
        assert await idle.answers(2) == [200, 200]
        await one.moment()
        await idle.send(GET[:10], GET[10:])
        assert await idle.answers(3) == [200, 200, 200]


async def test_a_second_head_that_comes_too_early() -> None:
    """Its time runs while the first request is answered, but does not end that: first the answer, then the end."""
    async with house(bounds(head_s=SHORT)) as one:
        peer = await one.connect(b"GET /wait HTTP/1.1\r\nHost: h\r\n\r\n", GET[:10])
        for _ in range(3):
            await one.moment()
        one.go.set()
        assert await peer.closed() == [200]
        assert one.begun == ["/wait"]


async def test_an_idle_connection_is_closed() -> None:
    """After a while without a request."""
    async with house(bounds(idle_s=SHORT)) as one:
        peer = await one.connect(GET)
        assert await peer.closed() == [200]


async def test_a_body_is_no_head() -> None:
    """It may take longer than a head, and be larger: its time is the service's own."""
    async with house(bounds(head_s=SHORT, head_size=1_000)) as one:
        peer = await one.connect(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\n", b"x" * 300_000)
        await one.moment()
        await peer.send(b"x" * 700_000)
        assert await peer.answers(1) == [200]
        assert peer.got.endswith(b"1000000\n")


@pytest.mark.parametrize("apart", [False, True])
async def test_a_head_has_a_size(apart: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """Of all its lines together, whether it comes at once or never ends."""
    async with house(bounds(head_size=10_000)) as one:
        lines = [b"X%d: %b\r\n" % (number, b"y" * 1_000) for number in range(12)]
        head = [b"GET / HTTP/1.1\r\nHost: h\r\n", *lines]
        peer = await one.connect(*head[:11]) if apart else await one.connect(b"".join(head) + b"\r\n")
        assert await peer.closed() == [431]
        assert one.begun == []
        fits = await one.connect(*head[:9], b"\r\n", GET)
        assert await fits.answers(2) == [200, 200]


async def test_a_head_too_large_behind_a_request() -> None:
    """It is not answered where the first one's answer is awaited: the connection ends."""
    async with house(bounds(head_size=10_000)) as one:
        peer = await one.connect(b"GET /wait HTTP/1.1\r\nHost: h\r\n\r\n")
        await peer.send(GET[:-2], *(b"X%d: %b\r\n" % (number, b"y" * 1_000) for number in range(10)))
        assert await peer.closed() == []
        assert one.begun == ["/wait"]


async def test_one_line_has_a_size() -> None:
    """A request line or header that no client needs."""
    async with house(PATIENT) as one:
        for sent in (b"GET /" + b"x" * MAX_LINE + GET[5:], GET[:-2] + b"X: " + b"x" * (MAX_LINE + 1) + b"\r\n\r\n"):
            assert await (await one.connect(sent)).closed() == [400]
        assert await (await one.connect(b"GET /" + b"x" * (MAX_LINE - 10) + GET[5:])).answers(1) == [200]


async def test_no_more_connections_than_there_are_places() -> None:
    """A new one takes the place of the one that asked nothing for longest; who is being answered keeps it."""
    async with house(bounds(connections=4)) as one:
        busy = await one.connect(b"GET /wait HTTP/1.1\r\nHost: h\r\n\r\n")
        oldest, older = await one.connect(GET), await one.connect(GET)
        assert [await oldest.answers(1), await older.answers(1)] == [[200], [200]]
        silent = await one.connect()
        await oldest.send(GET)
        assert await oldest.answers(2) == [200, 200]
        newest = await one.connect(GET)
        assert await newest.answers(1) == [200]
        assert await older.closed() == [200]
        last = await one.connect(GET)
        assert await last.answers(1) == [200]
        assert await silent.closed() == []
        one.go.set()
        assert await busy.answers(1) == [200]
        await oldest.send(GET)
        assert await oldest.answers(3) == [200, 200, 200]
        assert one.logged == [("connections.full", {"more": 0, "most": 4})]


async def test_all_places_are_busy() -> None:
    """The new one is closed; those that are being answered are."""
    async with house(bounds(connections=2)) as one:
        busy = [await one.connect(b"GET /wait HTTP/1.1\r\nHost: h\r\n\r\n") for _ in range(2)]
        assert await (await one.connect(GET)).closed() == []
        one.go.set()
        assert [await peer.answers(1) for peer in busy] == [[200], [200]]
        assert await (await one.connect(GET)).answers(1) == [200]


async def test_many_idle_connections() -> None:
    """Ten times as many as there are places, all opened by somebody who asks nothing: who asks is answered all the same."""
    async with house(bounds(connections=50)) as one:
        silent = []
        for _ in range(10):
            silent += [await one.connect() for _ in range(50)]
            assert await (await one.connect(GET)).answers(1) == [200]
        assert sum([await peer.closed() == [] for peer in silent[:400]]) == 400


async def test_an_answer_that_nobody_takes() -> None:
    """The client reads nothing: its connection is closed, and the request's end is not waited for."""
    async with house(bounds(answer_s=SHORT)) as one:
        peer = await one.connect(b"GET /much HTTP/1.1\r\nHost: h\r\n\r\n")
        await one.served.idle()
        assert await peer.closed() == [200]
        assert len(peer.got) < 5_000_000


async def test_an_answer_that_is_taken_slowly() -> None:
    """Its time begins anew whenever some of it was taken."""
    async with house(bounds(answer_s=LONG)) as one:
        peer = await one.connect(b"GET /much HTTP/1.1\r\nHost: h\r\n\r\n")
        assert await peer.answers(1) == [200]
        assert len(peer.got) > 5_000_000


async def test_a_body_that_breaks_off() -> None:
    """What comes is no chunk: nobody waits for the rest of it."""
    async with house(PATIENT) as one:
        peer = await one.connect(
            b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", b"rubbish\r\n"
        )
        assert await peer.closed() == []
        await one.served.idle()
        assert one.ended == ["/"]
        assert one.logged == [("request.malformed", {"more": 0, "error": "BrokenBody"})]


async def test_what_is_behind_a_request_does_not_touch_it() -> None:
    """A good one is being answered when rubbish comes behind it: it is answered, then the connection is closed."""
    async with house(PATIENT) as one:
        peer = await one.connect(b"GET /wait HTTP/1.1\r\nHost: h\r\n\r\n", b"rubbish\r\n\r\n")
        one.go.set()
        assert await peer.closed() == [200, 400]


@pytest.mark.parametrize("begun", [b"GET / HTTP/1.1\r\nX: ", b"rubbish\r\n\r\n"])
async def test_what_is_behind_a_fault_is_not_kept(begun: bytes) -> None:
    """However much comes before it can be answered: else a thousand who do this at once fill gigabytes."""
    async with house(PATIENT) as one:
        peer = await one.connect()
        tracemalloc.start()
        one.served.burst(itertools.chain([begun], (b"y" * 200_000 for _ in range(50))))
        held, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert held < 200_000
        assert await peer.closed() == [400]


async def test_strangers_do_not_fill_the_log() -> None:
    """A hundred malformed requests are a line; nothing of them stands in it, or in their answers."""
    async with house(PATIENT) as one:
        for _ in range(100):
            peer = await one.connect(b"GET / HTTP/1.1\r\nHost: h\r\nAuthorization : s3cret\r\n\r\n")
            assert await peer.closed() == [400]
            assert b"s3cret" not in peer.got
        ((event, fields),) = one.logged
        assert event == "request.malformed"
        assert "s3cret" not in str(fields)


async def test_a_mistake_of_ours() -> None:
    """It is logged with where it was, without its text; the client is told 500, and the next one is served."""
    async with house(PATIENT) as one:
        peer = await one.connect(b"GET /mistake?s3cret HTTP/1.1\r\nHost: h\r\n\r\n")
        assert await peer.closed() == [500]
        assert b"s3cret" not in peer.got
        ((event, fields),) = one.logged
        assert (event, fields["error"]) == ("request.failed", "ValueError")
        assert "test_connections.py" in str(fields["file"])
        assert "s3cret" not in str(fields)
        assert await (await one.connect(GET)).answers(1) == [200]


async def test_a_mistake_within_an_answer() -> None:
    """Part of it has left already: the connection ends, so that the client does not take it for whole."""
    async with house(PATIENT) as one:
        peer = await one.connect(b"GET /late HTTP/1.1\r\nHost: h\r\n\r\n")
        assert await peer.closed() == [200]
        assert not peer.got.endswith(b"0\r\n\r\n")


@pytest.mark.parametrize("limit", [RESERVED_FILES + 50, 600])
def test_open_files(limit: int) -> None:
    """No more connections than the process may open files for, whatever is wanted."""
    code = f"""
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, ({limit}, {limit}))
from wharfinger.runtime.connections import Bounds, within_open_files
print(within_open_files(Bounds()).connections, resource.getrlimit(resource.RLIMIT_NOFILE))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.split(" ", 1) == [str(max(RESERVED_FILES, limit - RESERVED_FILES)), f"({limit}, {limit})\n"]


def test_open_files_are_asked_for() -> None:
    """A soft limit below what is wanted is raised, as far as it may be."""
    code = """
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, (300, 4000))
from wharfinger.runtime.connections import Bounds, within_open_files
print(within_open_files(Bounds()).connections, resource.getrlimit(resource.RLIMIT_NOFILE)[0])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == f"{Bounds().connections} {Bounds().connections + RESERVED_FILES}\n"


def test_nothing_is_changed_that_suffices() -> None:
    """Fewer connections than files: all stays as it is."""
    few = Bounds(connections=1)
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert within_open_files(few) == few
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == before


def test_the_bounds_fit_together() -> None:
    """An idle connection outlives the proxies' sixty seconds; a head may hold two of the longest lines."""
    usual = Bounds()
    assert usual.idle_s > 60
    assert usual.head_size > 2 * MAX_LINE
    assert statuses(b"") == []
