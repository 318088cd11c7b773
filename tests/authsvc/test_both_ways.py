"""One request, by the way of plain ones and by aiohttp's: the same answer, the same record, the same told of it.

aiohttp is given it by an empty line before it, which every reader skips (RFC 9112 section 2.2) and which is not plain.
"""

import asyncio
import base64
import re
from dataclasses import dataclass

import pytest
from aiohttp import web
from hypothesis import given, settings
from hypothesis import strategies as st

from authsvc.endpoints import Endpoints, Serving
from authsvc.metrics import TABLE
from tests.authsvc.test_guessing import NAMES, House
from tests.raw_http import serving
from wharfinger.runtime.bounded import DIRECT
from wharfinger.runtime.metrics import Board
from wharfinger.runtime.plain import plain_get
from wharfinger.runtime.settings import Address, RealIp, ServerSettings
from wharfinger.wire.issuance import Issuance, Refusal

REAL_IP = RealIp("X-Real-IP")
SERVERS = (
    ServerSettings(Address()),
    ServerSettings(Address(), hsts=True, real_ip=REAL_IP),
    ServerSettings(Address(), real_ip=RealIp("x-forwarded-for", -2)),
)
_OWN_WORDS = re.compile(rb"(?m)^(Date|Server): [^\r\n]*\r\n")
"""When it was, and who answers: nothing that was asked changes them."""
_TOOK = "ms"
_WHERE = ("file", "line")


@dataclass(frozen=True)
class Outcome:
    """All that can be seen of one request: what came back, what was recorded and what was logged."""

    answer: bytes
    issued: tuple[Issuance, ...]
    refused: tuple[Refusal, ...]
    logged: tuple[tuple[str, dict[str, object]], ...]


def basic(account: str, password: str) -> bytes:
    """Credentials as they are sent."""
    return b"Authorization: Basic " + base64.b64encode(f"{account}:{password}".encode()) + b"\r\n"


RIGHT = basic(NAMES[0], "right")


async def outcome(server: ServerSettings, *sent: bytes, broken: bool = False) -> Outcome:
    """Of one request to a service that nobody asked anything before. ``broken``: it makes a mistake of its own."""
    house = House()
    logged: list[tuple[str, dict[str, object]]] = []

    def log(event: str, /, **fields: object) -> None:
        logged.append((event, {name: value for name, value in fields.items() if name not in {_TOOK, *_WHERE}}))

    if broken:
        house.now_ms = -1  # no token's time
    app = web.Application(client_max_size=0)
    endpoints = Endpoints(Serving(house.issue, server, {}), pings={}, meter=Board(TABLE).meter(), log=log)
    app.add_routes(endpoints.routes())
    app[DIRECT] = endpoints.direct()
    async with serving(app, log=log) as served:
        peer = await served.exchange(*sent, answers=1)
    house.passwords.close()
    return Outcome(
        b"\n".join(sorted(_OWN_WORDS.sub(b"", bytes(peer.got)).split(b"\n"))),
        tuple(house.issuances.recorded),
        tuple(house.refusals.recorded),
        tuple(logged),
    )


REQUESTS = {
    "nothing but a name": b"GET /auth HTTP/1.1\r\nHost: h\r\n",
    "a token": b"GET /auth?service=s&scope=repository:a/b:pull,push HTTP/1.1\r\nHost: h\r\n" + RIGHT,
    "the other path": b"GET /auth/token?service=s HTTP/1.1\r\nHost: h\r\n" + RIGHT,
    "a path that is none": b"GET /auth/ HTTP/1.1\r\nHost: h\r\n" + RIGHT,
    "an encoded path": b"GET /%61uth?service=s HTTP/1.1\r\nHost: h\r\n" + RIGHT,
    "two slashes": b"GET //auth?service=s HTTP/1.1\r\nHost: h\r\n" + RIGHT,
    "an empty query": b"GET /auth? HTTP/1.1\r\nHost: h\r\n" + RIGHT,
    "two question marks": b"GET /auth??service=s&scope=? HTTP/1.1\r\nHost: h\r\n" + RIGHT,
    "escapes": b"GET /auth?service=%73%2B%2b+x&scope=repository%3Aa%2Fb%3Apull&client_id=%ff%00%c3 HTTP/1.1\r\nHost: h\r\n" + RIGHT,
    "broken escapes": b"GET /auth?service=%&scope=%zz&service=%7&service=s%25 HTTP/1.1\r\nHost: h\r\n" + RIGHT,
    "letters that browsers escape": b"GET /auth?service=\"<>\\^`{|}' HTTP/1.1\r\nHost: h\r\n" + RIGHT,
    "a bad scope": b"GET /auth?service=s&scope=a HTTP/1.1\r\nHost: h\r\n" + RIGHT,
    "a service no name is": b"GET /auth?service=%0d%0aX: HTTP/1.1\r\nHost: h\r\n" + RIGHT,
    "another account": b"GET /auth?account=zoe HTTP/1.1\r\nHost: h\r\n" + RIGHT,
    "a wrong password": b"GET /auth?service=s HTTP/1.1\r\nHost: h\r\n" + basic(NAMES[0], "wrong"),
    "nobody": b"GET /auth?service=s HTTP/1.1\r\nHost: h\r\n" + basic("nobody", "wrong"),
    "an account that is no text": b"GET /auth HTTP/1.1\r\nHost: h\r\nAuthorization: Basic "
    + base64.b64encode(b"\xff\xed\xa0\x80:x")
    + b"\r\n",
    "two authorizations": b"GET /auth HTTP/1.1\r\nHost: h\r\n" + RIGHT + basic(NAMES[1], "right"),
    "two of them in odd letters": b"GET /auth HTTP/1.1\r\nHost: h\r\naUTHORIZATION: Bearer x\r\n" + RIGHT,
    "spaces in it": b"GET /auth HTTP/1.1\r\nHost: h\r\n" + RIGHT.replace(b": ", b":\t  ").replace(b"\r\n", b" \t\r\n"),
    "two spaces in it": b"GET /auth HTTP/1.1\r\nHost: h\r\n" + RIGHT.replace(b"Basic ", b"Basic  "),
    "bytes beyond ASCII in it": b"GET /auth HTTP/1.1\r\nHost: h\r\nAuthorization: Basic \xff\xc3\xa9\r\n",
    "addresses": b"GET /auth HTTP/1.1\r\nHost: h\r\nX-Real-IP: 192.0.2.1\r\nX-Forwarded-For: 192.0.2.2, 192.0.2.3\r\n" + RIGHT,
    "addresses twice": b"GET /auth HTTP/1.1\r\nHost: h\r\nX-Real-IP: 192.0.2.1\r\nx-real-ip: 192.0.2.9\r\n"
    b"X-Forwarded-For: 192.0.2.2\r\nX-FORWARDED-FOR: 192.0.2.3, 192.0.2.4\r\n" + RIGHT,
    "empty addresses": b"GET /auth HTTP/1.1\r\nHost: h\r\nX-Real-IP:\r\nX-Real-IP: 192.0.2.9\r\nX-Forwarded-For: ,\r\n" + RIGHT,
    "an address by another name": b"GET /auth HTTP/1.1\r\nHost: h\r\nX_Real_IP: 192.0.2.1\r\nX-Real-IP-: 192.0.2.1\r\n" + RIGHT,
    "an address that is no text": b"GET /auth HTTP/1.1\r\nHost: h\r\nX-Real-IP: \xff\r\nX-Forwarded-For: \xed\xa0\x80, \xc2\x85\r\n" + RIGHT,
    "an address in other digits": "GET /auth HTTP/1.1\r\nHost: h\r\nX-Real-IP: １.2.3.4\r\n".encode() + RIGHT,
    "spaces that only Unicode knows": b"GET /auth HTTP/1.1\r\nHost: h\r\nX-Real-IP: \xc2\xa0192.0.2.1\xe3\x80\x80\r\n" + RIGHT,
    "an agent that is no text": b"GET /auth HTTP/1.1\r\nHost: h\r\nUser-Agent: \xff\xe2\x98\x83\xed\xa0\x80\xc2\x9b\r\n" + RIGHT,
    "two agents": b"GET /auth HTTP/1.1\r\nHost: h\r\nUser-Agent: a\r\nUSER-AGENT: b\r\n" + RIGHT,
    "a long agent": b"GET /auth HTTP/1.1\r\nHost: h\r\nUser-Agent: " + b"\xc3\xa9" * 3_000 + b"\r\n" + RIGHT,
    "the last": b"GET /auth HTTP/1.1\r\nHost: h\r\nConnection: Close\r\n" + RIGHT,
    "the last, to a proxy": b"GET /auth HTTP/1.1\r\nHost: h\r\nProxy-Connection: close\r\n" + RIGHT,
    "a cookie and a range": b"GET /auth HTTP/1.1\r\nHost: h\r\nCookie: a=b\r\nRange: bytes=0-1\r\nIf-None-Match: *\r\n" + RIGHT,
}  # fmt: skip


@pytest.mark.parametrize("server", SERVERS, ids=["by itself", "behind a proxy", "behind two"])
@pytest.mark.parametrize("name", REQUESTS)
async def test_the_same_of_both(server: ServerSettings, name: str) -> None:
    """Answer, record and log, whatever stands in query and headers."""
    sent = REQUESTS[name] + b"\r\n"
    assert await outcome(server, sent) == await outcome(server, b"\r\n" + sent)


async def test_the_same_mistake_of_both() -> None:
    """A mistake of ours is answered by both with the headers that every answer has, and logged once."""
    sent, server = REQUESTS["a token"] + b"\r\n", ServerSettings(Address(), hsts=True)
    one = await outcome(server, sent, broken=True)
    assert one == await outcome(server, b"\r\n" + sent, broken=True)
    assert b"HTTP/1.1 500" in one.answer
    assert [event for event, _ in one.logged] == ["request.failed"]


NAMED = st.sampled_from([
    b"Authorization", b"authorization", b"X-Real-IP", b"x-real-ip", b"X-Forwarded-For", b"User-Agent", b"Connection", b"Proxy-Connection", b"Keep-Alive",
    b"Content-Type", b"Accept-Encoding", b"TE", b"Via", b"X", b"Sec-WebSocket-Key", b"Range", b"Cookie",
])  # fmt: skip
VALUES = st.one_of(
    st.sampled_from([
        RIGHT[15:-2], b"Bearer x", b"192.0.2.1", b"192.0.2.1, 192.0.2.2:80", b"[2001:db8::1]:5", b"fe80::1%eth0", b"::ffff:192.0.2.1", b"close",
        b"keep-alive", b"upgrade", b"", b",", b"gzip, chunked",
    ]),
    st.binary(max_size=12).map(lambda data: bytes(one for one in data if one in range(0x20, 0x7F) or one > 0x7F)),
    st.text(max_size=6).filter(str.isprintable).map(str.encode),
)  # fmt: skip
QUERY = st.text("abs=&%+;:,/?@!$'()*-._~\"<>\\^`{|}0123fF", max_size=24).map(str.encode)
KNOWN = st.sampled_from(
    [b"service=s", b"scope=repository:a:pull", b"scope=", b"account=user0", b"client_id=c", b"offline_token=true"]
)


@given(
    path=st.sampled_from([b"/auth", b"/auth/token"]),
    query=st.lists(KNOWN | QUERY, max_size=5).map(b"&".join),
    fields=st.lists(st.tuples(NAMED, VALUES), max_size=5),
    server=st.sampled_from(SERVERS),
)
@settings(max_examples=150, deadline=None)
def test_the_same_of_both_whatever_comes(
    path: bytes, query: bytes, fields: list[tuple[bytes, bytes]], server: ServerSettings
) -> None:
    """Any plain request."""
    sent = (
        b"GET " + path + b"?" + query + b" HTTP/1.1\r\nHost: h\r\n" + b"".join(b"%b: %b\r\n" % one for one in fields) + b"\r\n"
    )
    if plain_get(sent) is None:
        return

    async def both() -> None:
        assert await outcome(server, sent) == await outcome(server, b"\r\n" + sent)

    asyncio.run(both())
