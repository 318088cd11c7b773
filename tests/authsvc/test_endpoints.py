"""HTTP of the token service on fakes: bodies that come late, broken or too large, peers that write what they like, our own trouble.

What docker's, containerd's and skopeo's clients build upon is held on the whole program, in tests/real/test_http.py.
"""

import asyncio
import base64
import gzip
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import aiohttp
import pytest
from aiohttp import web

from authsvc.decide.request import FORM_TYPE, MAX_ACCOUNT, MAX_FIELDS, MAX_FORM, MAX_TEXT
from authsvc.endpoints import Endpoints, Serving
from authsvc.errors import Unavailable
from authsvc.metrics import REFUSALS, REQUESTS, TABLE
from tests.authsvc.fakes import claims_of
from tests.authsvc.test_issue import ANYBODY, OPEN, ZOE, House
from tests.servers import Served, served
from wharfinger.runtime.bounded import DIRECT
from wharfinger.runtime.connections import MAX_LINE
from wharfinger.runtime.metrics import CONTENT_TYPE, Board
from wharfinger.runtime.settings import Address, ServerSettings, User
from wharfinger.wire.scope import MAX_SCOPE_LENGTH, MAX_SCOPES

pytestmark = pytest.mark.real
SCOPE = "scope=repository:shop/cart:pull,push"


def basic(account: str, password: str) -> dict[str, str]:
    """The header of a client that has credentials."""
    return {"Authorization": aiohttp.encode_basic_auth(account, password)}


AUTH = basic("zoe", "s3cret")
FORM = {"Content-Type": FORM_TYPE}


@dataclass
class Service:
    """A token service on fakes, being served. ``down``: the things beside it that do not answer."""

    house: House
    at: Served
    session: aiohttp.ClientSession
    down: set[str]

    async def get(self, path: str = "/auth", **options: Any) -> tuple[int, dict[str, str], str]:
        """Status, headers and body of an answer."""
        return await self.ask("GET", path, **options)

    async def post(self, data: object = b"", path: str = "/auth", **options: Any) -> tuple[int, dict[str, str], str]:
        """The same of a POST."""
        return await self.ask("POST", path, data=data, **options)

    async def ask(self, method: str, path: str, **options: Any) -> tuple[int, dict[str, str], str]:
        """The same of any request."""
        async with self.session.request(method, self.at.url + path, allow_redirects=False, **options) as answer:
            return answer.status, {name.lower(): value for name, value in answer.headers.items()}, await answer.text()

    async def token(self, method: str = "GET", path: str = "/auth", **options: Any) -> dict[str, Any]:
        """The claims of a token that is given."""
        status, _, body = await self.ask(method, path, **options)
        assert status == 200, body
        return claims_of(json.loads(body)["token"])


@pytest.fixture(params=[(ZOE, OPEN, ANYBODY)])
async def service(request: pytest.FixtureRequest) -> AsyncIterator[Service]:
    """Served, with a user that has a password, one that has none, and anonymous access."""
    async for built in serve(*request.param):
        yield built


@pytest.fixture
async def closed() -> AsyncIterator[Service]:
    """The same without anonymous access."""
    async for built in serve(ZOE, OPEN):
        yield built


async def serve(*users: User, issuer: str = "wharfinger", body_timeout_s: float = 10) -> AsyncIterator[Service]:
    """Serve a house."""
    house, down = House(*users), set[str]()

    def ping(name: str) -> Any:
        async def answer() -> None:
            if name in down:
                raise Unavailable(name)

        return answer

    serving = Serving(house.issue_of(issuer), ServerSettings(Address("127.0.0.1", 0)), {})
    app = web.Application(client_max_size=0)
    pings = {name: ping(name) for name in ("redis", "other")}
    meter, log = Board(TABLE).meter(), house.issue.log
    endpoints = Endpoints(serving, pings=pings, meter=meter, log=log, body_timeout_s=body_timeout_s)
    app.add_routes(endpoints.routes())
    app[DIRECT] = endpoints.direct()
    async with served(app, house.issue.log) as at, aiohttp.ClientSession() as session:
        yield Service(house, at, session, down)


async def test_two_authorizations(service: Service) -> None:
    """The first one counts, as Go reads it; the second is no second try."""
    lines = b"".join(b"Authorization: Basic %s\r\n" % base64.b64encode(one) for one in (b"zoe:wrong", b"zoe:s3cret"))
    answer = await service.at.raw(b"GET /auth HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + lines + b"\r\n")
    assert answer.startswith(b"HTTP/1.1 401 ")


async def test_basic_before_the_form(service: Service) -> None:
    """A form's credentials count only without the header."""
    body = urlencode({"username": "open", "password": "x"})
    assert (await service.token("POST", data=body, headers=AUTH | FORM))["sub"].startswith("zoe#")
    assert (await service.token("POST", data=body, headers=FORM))["sub"].startswith("open#")


async def test_not_authenticated(closed: Service) -> None:
    """The same for a wrong password, an unknown name and nobody."""
    wrong = [await closed.get(headers=basic(name, "wrong")) for name in ("zoe", "nobody")]
    nobody = await closed.get()
    for status, headers, body in (*wrong, nobody):
        assert (status, body) == (401, "Auth failed.\n")
        assert headers["www-authenticate"] == 'Basic realm="wharfinger"'
    assert [one.reason for one in closed.house.refusals.recorded] == ["wrong_password", "unknown_account", "anonymous_disabled"]


async def test_a_realm_is_quoted() -> None:
    """An issuer may be called anything."""
    async for quoted in serve(ZOE, issuer='a "b" \\c'):
        assert (await quoted.get())[1]["www-authenticate"] == 'Basic realm="a \\"b\\" \\\\c"'


async def test_headers_of_every_answer(service: Service) -> None:
    """A token is not kept by anything on its way, nor is its refusal; nothing is sniffed into a page."""
    service.house.issuances.gone = False
    for status, answer in (
        (200, await service.get(headers=AUTH)),
        (400, await service.get("/auth?scope=x")),
        (401, await service.get(headers=basic("zoe", "x"))),
        (400, await service.post("scope=x", headers=FORM)),
    ):
        assert answer[0] == status
        assert (answer[1]["cache-control"], answer[1]["x-content-type-options"]) == ("no-store", "nosniff")


async def test_when_it_cannot_be_recorded(service: Service) -> None:
    """503, and when to come again; afterwards everything is as before."""
    service.house.issuances.gone = True
    for answer in (await service.get(headers=AUTH), await service.post("", headers=AUTH)):
        assert (answer[0], answer[1]["retry-after"], answer[1]["cache-control"]) == (503, "1", "no-store")
        assert "token" not in answer[2]
    service.house.issuances.gone = False
    await service.token(headers=AUTH)


async def test_too_many_passwords(service: Service) -> None:
    """The same; and it is no refusal."""
    service.house.passwords.full = True
    status, headers, _ = await service.get(headers=AUTH)
    assert (status, headers["retry-after"], service.house.refusals.recorded) == (503, "1", [])


async def test_who_asks(service: Service) -> None:
    """The socket's address, and apart from it what a header claims; both and the agent only as texts that can be stored."""
    sent = b"GET /auth HTTP/1.1\r\nHost: x\r\nConnection: close\r\nUser-Agent: evil\xff\xc3\r\nX-Forwarded-For: 10.0.0.\xff, 1.1.1.1\r\n\r\n"
    assert (await service.at.raw(sent)).startswith(b"HTTP/1.1 200 ")
    await service.get(headers={"User-Agent": "x" * 5_000, "X-Forwarded-For": "9" * 500})
    odd, long = service.house.issuances.recorded
    assert (odd.client_addr, odd.claimed_addr, odd.user_agent) == ("127.0.0.1", "10.0.0.\ufffd", "evil\ufffd\ufffd")
    assert (len(long.user_agent), len(long.claimed_addr)) == (256, 64)


async def test_a_form_of_the_largest_size(service: Service) -> None:
    """Is read; a byte more is refused, told or not how much will come."""
    start = b"username=zoe&password=s3cret&x="
    assert (await service.token("POST", data=start + b"x" * (MAX_FORM - len(start)), headers=FORM))["sub"].startswith("zoe#")
    large = start + b"x" * (MAX_FORM - len(start) + 1)
    for data in (large, chunks(large), chunks(large + b"x" * 100_000)):
        status, _, body = await service.post(data, headers=FORM)
        assert (status, json.loads(body)["error_description"]) == (400, f"the form is larger than {MAX_FORM} bytes")


LARGE = {
    "scopes": ("/auth?" + "&".join(["scope=repository:a:pull"] * (MAX_SCOPES + 1)), AUTH, 400),
    "a scope": (f"/auth?scope=repository:{'a' * MAX_SCOPE_LENGTH}:pull", AUTH, 400),
    "fields": ("/auth?" + "&".join(["a=1"] * (MAX_FIELDS + 1)), AUTH, 400),
    "a service": ("/auth?service=" + "s" * (MAX_TEXT + 1), AUTH, 400),
    "an account": ("/auth", basic("z" * (MAX_ACCOUNT + 1), "x"), 400),
    "a request line": ("/auth?x=" + "x" * MAX_LINE, AUTH, 400),
    "a header": ("/auth", AUTH | {"X": "x" * (MAX_LINE + 1)}, 400),
    "a head": ("/auth", AUTH | {f"X{number}": "x" * 30_000 for number in range(4)}, 431),
}


@pytest.mark.parametrize(("path", "headers", "status"), LARGE.values(), ids=LARGE)
async def test_what_is_too_large(service: Service, path: str, headers: dict[str, str], status: int) -> None:
    """Refused, without a token, a wrong password or a word of what was sent; and the next client is served."""
    found, _, body = await service.get(path, headers=headers)
    assert found == status
    assert not {"xxx", "sss", "zzz", "aaa"} & {body[at : at + 3] for at in range(len(body))}
    assert (service.house.issuances.recorded, service.house.refusals.recorded) == ([], [])
    await service.token(headers=AUTH)


async def chunks(body: bytes) -> AsyncIterator[bytes]:
    """A body whose length is not told before."""
    for start in range(0, len(body), 10_000):
        yield body[start : start + 10_000]


async def test_a_form_in_chunks(service: Service) -> None:
    """It is a form like any other."""
    assert (await service.token("POST", data=chunks(b"username=zoe&password=s3cret"), headers=FORM))["sub"].startswith("zoe#")


async def test_a_packed_form(service: Service) -> None:
    """It is not unpacked, so it is no text."""
    body = gzip.compress(b"username=zoe&password=s3cret")
    status, _, text = await service.post(body, headers=FORM | {"Content-Encoding": "gzip"})
    assert (status, json.loads(text)["error_description"]) == (400, "the form is not UTF-8")


async def test_a_slow_form() -> None:
    """It is given up, and said to be."""
    async for slow in serve(ZOE, body_timeout_s=0.2):
        reader, writer = await asyncio.open_connection("127.0.0.1", slow.at.port)
        writer.write(
            b"POST /auth HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 100\r\n\r\nusername="
        )
        answer = await reader.readuntil(b"}")
        writer.close()
        await writer.wait_closed()
        assert answer.startswith(b"HTTP/1.1 400 ")
        assert b"did not arrive in time" in answer


@pytest.mark.parametrize(
    "sent",
    [
        b"POST /auth HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 100\r\n\r\nusername=zoe&password=s3cret",
        b"POST /auth HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1c\r\nusername=zoe&password=s3cret\r\n",
        b"POST /auth HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nusername=zoe&password=s3cret\r\n",
        b"POST /auth HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\nusername=zoe",
    ],
    ids=["cut", "cut chunk", "no chunk", "no length"],
)
async def test_a_form_that_does_not_come_whole(service: Service, sent: bytes) -> None:
    """No token is made of half of it, it is no fault of ours, and the next client is served."""
    answer = await service.at.raw(sent, end=True)
    assert not answer or answer.startswith(b"HTTP/1.1 400 "), answer
    assert {fields["error"] for _, fields in service.house.logged} <= {"BadHttpMessage"}
    assert service.house.issuances.recorded == []
    await service.token(headers=AUTH)


async def test_a_client_that_goes_away(service: Service) -> None:
    """In the middle of its form: nothing is left of it, and nothing is said of it but that."""
    _, writer = await asyncio.open_connection("127.0.0.1", service.at.port)
    writer.write(
        b"POST /auth HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 100\r\n\r\nusername=zoe"
    )
    await writer.drain()
    writer.transport.abort()
    await service.token(headers=AUTH)
    assert (len(service.house.issuances.recorded), service.house.logged) == (1, [])


async def test_many_at_once(service: Service) -> None:
    """Each has a token of its own."""
    claims = await asyncio.gather(*(service.token(path=f"/auth?{SCOPE}", headers=AUTH) for _ in range(50)))
    assert len({one["jti"] for one in claims}) == 50


async def test_alive_and_ready(service: Service) -> None:
    """Alive is always; ready is when everything beside it answers, each by its name."""
    assert (await service.get("/healthz"))[::2] == (200, "ok\n")
    status, _, body = await service.get("/readyz")
    assert (status, json.loads(body)) == (200, {"redis": True, "other": True})
    service.down.add("redis")
    status, _, body = await service.get("/readyz")
    assert (status, json.loads(body)) == (503, {"redis": False, "other": True})
    assert (await service.get("/healthz"))[0] == 200


async def test_metrics(service: Service) -> None:
    """How often what was answered, in Prometheus' text format, without anybody's name."""
    for path in ("/auth", "/auth", "/auth?scope=x"):
        await service.get(path, headers=AUTH)
    await service.get(headers=basic("zoe", "x"))
    status, headers, body = await service.get("/metrics")
    assert (status, headers["content-type"]) == (200, CONTENT_TYPE)
    counted = [
        line for line in body.splitlines() if line.startswith((REQUESTS.name, REFUSALS.name)) and not line.endswith(" 0")
    ]
    assert sorted(counted) == [
        f'{REFUSALS.name}{{reason="wrong_password"}} 1',
        f'{REQUESTS.name}{{outcome="bad_request"}} 1',
        f'{REQUESTS.name}{{outcome="issued"}} 2',
        f'{REQUESTS.name}{{outcome="refused"}} 1',
    ]


async def test_what_is_logged(closed: Service) -> None:
    """A refusal by its reason, never who it was or what was sent."""
    await closed.get(f"/auth?{SCOPE}", headers=basic("pa55w0rd", "s3cret"))
    assert closed.house.logged == [
        ("token.denied", {"reason": "unknown_account", "account": "", "aud": "", "addr": "127.0.0.1"})
    ]
