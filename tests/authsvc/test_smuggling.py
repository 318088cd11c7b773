"""The token service on raw bytes: where one request ends is never in doubt, and no token is minted but for what was asked."""

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
from aiohttp import web

from authsvc.decide.request import MAX_TEXT
from authsvc.endpoints import Endpoints, Serving
from authsvc.metrics import TABLE
from tests.authsvc.test_guessing import NAMES, House
from tests.raw_http import NONE, ROWS, Row, Served, pieces, serving, statuses
from wharfinger.runtime.bounded import DIRECT
from wharfinger.runtime.connections import Bounds
from wharfinger.runtime.metrics import Board
from wharfinger.runtime.settings import Address, ServerSettings

METER = Board(TABLE).meter()
LINE = b"POST /auth"
BODY = b"service=first&scope=repository:a:pull"
BEHIND = b"GET /auth?service=behind HTTP/1.1\r\nHost: h\r\n"


def credentials(name: str) -> bytes:
    """A user's Authorization header."""
    return b"Authorization: Basic " + base64.b64encode(f"{name}:right".encode()) + b"\r\n"


SECOND = credentials(NAMES[1])
FIRST = credentials(NAMES[0]) + b"Content-Type: application/x-www-form-urlencoded\r\n"
BEHIND_IT = BEHIND + SECOND + b"\r\n"


@dataclass
class Auth:
    """The token service, served."""

    house: House
    served: Served
    logged: list[tuple[str, dict[str, object]]]

    def minted(self) -> list[tuple[str, str]]:
        """For whom, and for which service, in order."""
        return [(one.account, one.service) for one in self.house.issuances.recorded]


@asynccontextmanager
async def serve(body_timeout_s: float = 3_600) -> AsyncIterator[Auth]:
    """One."""
    house = House()
    key_set: dict[str, object] = {"keys": []}
    kept = Serving(house.issue, ServerSettings(Address()), key_set)
    logged: list[tuple[str, dict[str, object]]] = []

    def log(event: str, /, **fields: object) -> None:
        logged.append((event, fields))

    app = web.Application(client_max_size=0)
    endpoints = Endpoints(kept, pings={}, meter=METER, log=log, body_timeout_s=body_timeout_s)
    app.add_routes(endpoints.routes())
    app[DIRECT] = endpoints.direct()
    async with serving(app, Bounds(linger_s=0.2), log) as served:
        yield Auth(house, served, logged)
    house.passwords.close()


@pytest.fixture
async def auth() -> AsyncIterator[Auth]:
    """One for a test."""
    async with serve() as one:
        yield one


@pytest.mark.parametrize("how", ["whole", "head and body", "bit by bit"])
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
async def test_where_a_request_ends(auth: Auth, row: Row, how: str) -> None:
    """A proxy sends somebody else's request right behind: it is answered as itself, or not at all."""
    outcome = row.outcome if how == "whole" else row.apart
    first = row.request(LINE, FIRST, BODY)
    peer = await auth.served.exchange(*pieces(first + BEHIND_IT, how), answers=len(outcome.answers))
    assert auth.minted() == [[(NAMES[0], "first"), (NAMES[1], "behind")][one] for one in outcome.taken]
    # A body that breaks off while it is read has nobody who could be answered any more.
    assert statuses(peer.got) == list(outcome.answers) or (how != "whole" and outcome == NONE and not peer.got)
    assert "right" not in str(auth.logged)
    assert "Authorization" not in str(auth.logged)


GETS = {
    "plain": (b"GET /auth?service=first HTTP/1.1\r\nHost: h\r\n", (200, 200), ["first", "behind"]),
    "with a body that is a request": (
        b"GET /auth?service=first HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n" % len(BEHIND_IT), (200, 200), ["first", "behind"],
    ),
    "absolute": (b"GET http://other/auth?service=first HTTP/1.1\r\nHost: h\r\n", (200, 200), ["first", "behind"]),
    "absolute with a user": (b"GET http://u:p@other/auth?service=first HTTP/1.1\r\nHost: h\r\n", (200, 200), ["first", "behind"]),
    "authority": (b"GET other:80 HTTP/1.1\r\nHost: h\r\n", (400,), []),
    "asterisk": (b"OPTIONS * HTTP/1.1\r\nHost: h\r\n", (404, 200), ["behind"]),
    "connect": (b"CONNECT h:80 HTTP/1.1\r\nHost: h\r\n", (404,), []),
    "a semicolon in the query": (b"GET /auth?service=first;scope=x HTTP/1.1\r\nHost: h\r\n", (200, 200), ["", "behind"]),
    "a fragment": (b"GET /auth?service=first#&service=second HTTP/1.1\r\nHost: h\r\n", (200, 200), ["first", "behind"]),
    "a line's end, encoded": (b"GET /auth?service=first%0d%0aX: HTTP/1.1\r\nHost: h\r\n", (400, 200), ["behind"]),
    "dots": (b"GET /x/../auth?service=first HTTP/1.1\r\nHost: h\r\n", (404, 200), ["behind"]),
    "encoded dots": (b"GET /x/%2e%2e/auth?service=first HTTP/1.1\r\nHost: h\r\n", (404, 200), ["behind"]),
    "a NUL": (b"GET /auth\x00?service=first HTTP/1.1\r\nHost: h\r\n", (400,), []),
    "tabs": (b"GET\t/auth?service=first\tHTTP/1.1\r\nHost: h\r\n", (400,), []),
    "bare line feeds": (b"GET /auth?service=first HTTP/1.1\nHost: h\n", (400,), []),
    "no host": (b"GET /auth?service=first HTTP/1.1\r\n", (400,), []),
    "HTTP/0.9": (b"GET /auth?service=first\r\n", (400,), []),
    "HTTP/2's preface": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n", (400,), []),
    "a method in small letters": (b"get /auth?service=first HTTP/1.1\r\nHost: h\r\n", (400,), []),
    "a method nobody knows": (b"MINT /auth?service=first HTTP/1.1\r\nHost: h\r\n", (400,), []),
    "HEAD": (b"HEAD /auth?service=first HTTP/1.1\r\nHost: h\r\n", (405, 200), ["behind"]),
    "DELETE": (b"DELETE /auth?service=first HTTP/1.1\r\nHost: h\r\n", (405, 200), ["behind"]),
    "a line too long": (b"GET /auth?service=first&" + b"x" * 40_000 + b" HTTP/1.1\r\nHost: h\r\n", (400,), []),
    "TLS to a plain port": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", (400,), []),
}  # fmt: skip


@pytest.mark.parametrize("how", ["whole", "bit by bit"])
@pytest.mark.parametrize("name", GETS)
async def test_what_is_asked(auth: Auth, name: str, how: str) -> None:
    """Odd request lines and what is right behind them."""
    head, expected, services = GETS[name]
    body = BEHIND_IT if b"Content-Length" in head else b""
    answered = await auth.served.exchange(*pieces(head + FIRST + b"\r\n" + body + BEHIND_IT, how), answers=len(expected))
    assert [service for _, service in auth.minted()] == services
    assert statuses(answered.got) == ([505] if name == "HTTP/0.9" and how == "bit by bit" else list(expected))


async def test_an_old_client(auth: Auth) -> None:
    """HTTP/1.0 without a host, by itself: answered, and closed."""
    peer = await auth.served.connect()
    await peer.send(b"GET /auth?service=first HTTP/1.0\r\n" + FIRST + b"\r\n")
    assert await peer.closed() == [200]
    assert auth.minted() == [(NAMES[0], "first")]


async def test_100_continue(auth: Auth) -> None:
    """A client that waits to be told to go on is told so, and then answered."""
    peer = await auth.served.connect()
    head = LINE + b" HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: %d\r\n" % len(BODY)
    await peer.send(head + FIRST + b"\r\n")
    assert await peer.answers(1) == [100]
    await peer.send(BODY)
    assert await peer.answers(2) == [100, 200]
    assert auth.minted() == [(NAMES[0], "first")]


@pytest.mark.parametrize("size", [65_537, 10_000_000])
@pytest.mark.parametrize("framing", ["length", "chunked"])
async def test_a_form_too_large(auth: Auth, size: int, framing: str) -> None:
    """Told so, not read to its end, and nothing behind it is taken for a request."""
    head = LINE + b" HTTP/1.1\r\nHost: h\r\n" + FIRST
    body = b"x" * size
    if framing == "length":
        whole = head + b"Content-Length: %d\r\n\r\n" % size + body
    else:
        whole = head + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % size + body + b"\r\n0\r\n\r\n"
    answered = await auth.served.exchange(whole[:70_000], whole[70_000:] + BEHIND_IT, answers=2)
    assert statuses(answered.got)[0] == 400
    assert b"larger than" in answered.got
    assert auth.minted() in ([], [(NAMES[1], "behind")])


async def test_a_form_that_ends_early(auth: Auth) -> None:
    """The client is gone: nothing is minted."""
    peer = await auth.served.connect()
    await peer.send(LINE + b" HTTP/1.1\r\nHost: h\r\nContent-Length: 500\r\n" + FIRST + b"\r\n" + BODY)
    peer.end()
    assert await peer.closed() in ([], [400])
    assert auth.minted() == []


async def test_a_form_that_trickles() -> None:
    """It has its time, however little comes of it: then it is refused, the connection closed, and nothing minted."""
    async with serve(body_timeout_s=0.05) as auth:
        peer = await auth.served.connect()
        await peer.send(LINE + b" HTTP/1.1\r\nHost: h\r\nContent-Length: 500\r\n" + FIRST + b"\r\n" + BODY)
        assert await peer.closed() == [400]
        assert b"in time" in peer.got
        assert auth.minted() == []


async def test_many_requests_at_once(auth: Auth) -> None:
    """A thousand in one go: each is answered, in order, and none twice."""
    one = b"".join(b"GET /auth?service=s%d HTTP/1.1\r\nHost: h\r\n" % number + FIRST + b"\r\n" for number in range(1_000))
    answered = await auth.served.exchange(one, answers=1_000)
    assert statuses(answered.got) == [200] * 1_000
    assert auth.minted() == [(NAMES[0], f"s{number}") for number in range(1_000)]


async def test_nothing_is_repeated(auth: Auth) -> None:
    """What could not be read stands neither in the answer nor in the log."""
    answered = await auth.served.exchange(
        b"GET /auth HTTP/1.1\r\nHost: h\r\nAuthorization : Basic c3VwZXJzZWNyZXQ=\r\n\r\n", answers=1
    )
    assert statuses(answered.got) == [400]
    assert b"c3VwZXJzZWNyZXQ" not in answered.got
    assert [event for event, _ in auth.logged] == ["request.malformed"]
    assert "c3VwZXJzZWNyZXQ" not in str(auth.logged)


@pytest.mark.parametrize("value", [b"\xff\xfe", b"\xed\xa0\x80", b"docker\x7f\x9b", "dockér ☃".encode(), b"x" * 20_000])
@pytest.mark.parametrize("header", [b"User-Agent", b"X-Forwarded-For"])
async def test_headers_that_are_no_text(auth: Auth, header: bytes, value: bytes) -> None:
    """Whatever a client says of itself is recorded as far as it can be, and never in the way of its token."""
    peer = await auth.served.connect()
    await peer.send(b"GET /auth?service=first HTTP/1.1\r\nHost: h\r\n" + header + b": " + value + b"\r\n" + FIRST + b"\r\n")
    if b"\x7f" in value:
        assert await peer.closed() == [400]  # no header may hold that
        return
    assert await peer.answers(1) == [200]
    (issuance,) = auth.house.issuances.recorded
    assert (
        issuance.user_agent + issuance.claimed_addr
    ).isprintable() or "\ufffd" in issuance.user_agent + issuance.claimed_addr
    assert len(issuance.user_agent) <= MAX_TEXT
