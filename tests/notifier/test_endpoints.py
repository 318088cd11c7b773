"""HTTP of the notifier, as it is served: a registry is refused for its secret, its method or our own trouble, and for nothing else.

A registry repeats what was refused for ever and sends nothing else meanwhile; what it is told 2xx for, it forgets.
"""

import asyncio
import gzip
import hashlib
import io
import json
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from notifier.endpoints import MAX_CONTENT_TYPE, Endpoints
from notifier.errors import Unavailable
from notifier.metrics import POSTS, TABLE
from tests.notifier.test_ingest import House
from tests.real.conftest import wait_until
from tests.servers import Served, served
from wharfinger.runtime.metrics import CONTENT_TYPE, Board
from wharfinger.runtime.settings import Secret, Source
from wharfinger.wire.event import RegistryEvent, parse_envelope
from wharfinger.wire.notification import MAX_BODY, MAX_INLINE, decompress

pytestmark = pytest.mark.real
SECRET, OLD, EDGE = b"s3cret-of-the-main-registry", b"s3cret-that-was", b"s3cret-of-the-edge"
SOURCES = (
    Source("main", (Secret(SECRET), Secret(OLD)), "http://r", "r", "", None),
    Source("edge", (Secret(EDGE),), "http://e", "e", "", None, (ip_network("192.0.2.0/24"),)),
    Source("near", (Secret(b"s3cret-of-the-near"),), "http://n", "n", "", None, (ip_network("127.0.0.0/8"),)),
)
AUTH = {"Authorization": f"Bearer {SECRET.decode()}"}
HEAD = b"POST /events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + SECRET + b"\r\n"


@dataclass
class Service:
    """A notifier on fakes, being served. ``down``: the things beside it that do not answer."""

    house: House
    at: Served
    session: aiohttp.ClientSession
    down: set[str]
    logged: list[tuple[str, dict[str, object]]]

    async def ask(self, method: str, path: str = "/events", **options: Any) -> tuple[int, dict[str, str], str]:
        """Status, headers and body of an answer."""
        async with self.session.request(method, self.at.url + path, allow_redirects=False, **options) as answer:
            return answer.status, {name.lower(): value for name, value in answer.headers.items()}, await answer.text()

    async def post(self, data: bytes | AsyncIterator[bytes] = b"{}", path: str = "/events", **options: Any) -> int:
        """The status of a post, by default with the right secret."""
        sent = io.BytesIO(data) if isinstance(data, bytes) else data
        status, headers, body = await self.ask("POST", path, data=sent, **{"headers": AUTH} | options)
        assert (headers["cache-control"], body) == ("no-store", "")
        return status

    def body(self) -> bytes:
        """What the last one was stored as."""
        entry = self.house.stream.entries[-1]
        spill = entry.notification.spill
        return decompress(self.house.spill.files[spill] if spill else entry.compressed)


async def serve(*, body_timeout_s: float = 60, budget: int = 1 << 30) -> AsyncIterator[Service]:
    """Serve a house."""
    house, down = House(budget=budget), set[str]()
    logged: list[tuple[str, dict[str, object]]] = []

    def log(event: str, /, **fields: object) -> None:
        logged.append((event, fields))

    async def ping() -> None:
        if "redis" in down:
            raise Unavailable("redis")

    app = web.Application()
    meter = Board(TABLE).meter(0)
    endpoints = Endpoints(house.ingest, SOURCES, pings={"redis": ping}, meter=meter, log=log, body_timeout_s=body_timeout_s)
    app.add_routes(endpoints.routes())
    async with served(app, log) as at, aiohttp.ClientSession() as session:
        yield Service(house, at, session, down, logged)


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    """Served."""
    async for built in serve():
        yield built


async def test_a_notification_is_taken(service: Service) -> None:
    """202, after it was stored: as it came, with who sent it for which source."""
    body = b'{"events": [ ]}\n'
    headers = AUTH | {"Content-Type": "application/vnd.docker.distribution.events.v2+json"}
    assert await service.post(body, headers=headers) == 202
    record = service.house.stored().notification
    assert (record.source, record.peer, record.size) == ("main", "127.0.0.1", len(body))
    assert (record.content_type, service.body()) == ("application/vnd.docker.distribution.events.v2+json", body)


@pytest.mark.parametrize(
    ("path", "secret", "source"),
    [
        ("/events", SECRET, "main"),
        ("/events/main", SECRET, "main"),
        ("/events/main", OLD, "main"),
        ("/events/near", b"s3cret-of-the-near", "near"),
    ],
)
async def test_sources(service: Service, path: str, secret: bytes, source: str) -> None:
    """By the secret, or by name and secret; by either of two while they are rotated."""
    assert await service.post(path=path, headers={"Authorization": f"Bearer {secret.decode()}"}) == 202
    assert service.house.stored().notification.source == source


@pytest.mark.parametrize(
    ("path", "headers", "why"),
    [
        ("/events", {}, "no_secret"),
        ("/events", {"Authorization": "Basic " + SECRET.decode()}, "no_secret"),
        ("/events", {"Authorization": "Bearer "}, "no_secret"),
        ("/events", {"Authorization": "Bearer " + SECRET.decode()[:-1]}, "wrong_secret"),
        ("/events", {"Authorization": "Bearer wr\u00f6ng"}, "wrong_secret"),
        ("/events/edge", AUTH, "wrong_source"),
        ("/events/nobody", AUTH, "wrong_source"),
        ("/events/edge", {"Authorization": "Bearer " + EDGE.decode()}, "wrong_address"),
    ],
)
async def test_not_authorised(service: Service, path: str, headers: dict[str, str], why: str) -> None:
    """401 whatever it was; which it was is for the log. Nothing is stored, and the secret is told to nobody."""
    status, answered, body = await service.ask("POST", path, data=b"x" * 100_000, headers=headers)
    assert (status, answered["www-authenticate"], body) == (401, "Bearer", "")
    assert service.house.nothing_is_left()
    assert service.logged == [("notification.refused", {"why": why, "peer": "127.0.0.1"})]


async def test_two_secrets_in_one_post(service: Service) -> None:
    """Exactly one is asked for."""
    answer = await service.at.raw(HEAD + b"Authorization: Bearer " + SECRET + b"\r\nContent-Length: 2\r\n\r\n{}")
    assert answer.startswith(b"HTTP/1.1 401 ")


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS"])
@pytest.mark.parametrize("path", ["/events", "/events/main", "/events/nobody"])
async def test_other_methods(service: Service, method: str, path: str) -> None:
    """405 with or without the secret: a redirect that became a GET must fail loudly, not lose an event."""
    for headers in (AUTH, {}):
        status, answered, _ = await service.ask(method, path, headers=headers)
        assert (status, answered["allow"]) == (405, "POST")
    assert service.house.nothing_is_left()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b"\xff\xfe",
        b"<html>",
        b"\x00" * 10,
        b"[" * 100_000,
        b'{"events": 1}',
        b'{"events": [{"action": "push"}]}',
    ],
)
async def test_what_is_no_event(service: Service, body: bytes) -> None:
    """202: it is kept as it came, and looked at by somebody else."""
    assert await service.post(body) == 202
    assert service.body() == body


async def test_the_biggest_event_that_was_ever_seen(service: Service) -> None:
    """31 MB of a manifest's annotations: taken whole, and in little memory of the store."""
    event = {"id": "e1", "action": "push", "target": {"repository": "a", "tag": "v1", "x": "<" * 5_150_000}}
    body = json.dumps({"events": [event]}).replace("<", "\\u003c").encode()
    assert 30_000_000 < len(body) < MAX_BODY
    assert await service.post(body) == 202
    assert hashlib.sha256(service.body()).hexdigest() == hashlib.sha256(body).hexdigest()


async def test_a_body_over_every_size(service: Service) -> None:
    """202 for a tombstone: read to its end, its size and hash kept; a 413 would stop the registry for ever."""
    body = random.Random(1).randbytes(1 << 20) * 33 + b"x"
    assert await service.post(body) == 202
    record = service.house.stored().notification
    assert (record.dropped, record.size, record.spill) == (True, MAX_BODY + 1, "")
    assert record.sha256 == hashlib.sha256(body).hexdigest()
    assert (service.house.spill.files, service.house.spill.open_files) == ({}, [])
    assert service.logged == [
        ("notification.dropped", {"source": "main", "peer": "127.0.0.1", "size": MAX_BODY + 1, "sha256": record.sha256})
    ]


async def test_many_long_agents_do_not_fill_the_store(service: Service) -> None:
    """One client sends 5 MB of User-Agent with each pull: every event is kept on disk, and hardly a byte of it in the store."""
    noise = random.Random(2).randbytes(2_500_000).hex()
    for number in range(4):
        event = {"id": f"e{number}", "action": "pull", "target": {"repository": "a"}, "request": {"useragent": noise}}
        assert await service.post(json.dumps({"events": [event]}).encode()) == 202
    assert [entry.compressed for entry in service.house.stream.entries] == [b""] * 4
    assert len(service.house.spill.files) == 4
    (read,) = parse_envelope(service.body())
    assert isinstance(read, RegistryEvent)
    assert read.event_id == "e3"


async def test_many_long_agents_that_compress(service: Service) -> None:
    """The same letter five million times is small wherever it is kept."""
    body = b'{"events": [{"a": "' + b"<" * 5_000_000 + b'"}]}'
    assert await service.post(body) == 202
    assert 0 < len(service.house.stored().compressed) < MAX_INLINE


async def test_a_packed_body_is_not_unpacked(service: Service) -> None:
    """A few bytes do not become gigabytes; what came is kept as it came."""
    packed = gzip.compress(bytes(1_000_000))
    assert await service.post(packed, headers=AUTH | {"Content-Encoding": "gzip"}) == 202
    assert service.body() == packed


async def test_a_body_in_chunks(service: Service) -> None:
    """Whose length nobody told."""

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b"x" * 1_000

    assert await service.post(pieces()) == 202
    assert service.body() == b"x" * 100_000


@pytest.mark.parametrize(
    ("lines", "kept"),
    [
        (b"Content-Type: application/one\r\nContent-Type: application/two\r\n", "application/one"),
        (b"", ""),
        (b"Content-Type: " + b"x" * 1_000 + b"\r\n", "x" * MAX_CONTENT_TYPE),
        (b"Content-Type: odd\xff\r\n", "odd\ufffd"),
    ],
    ids=["twice", "none", "long", "no text"],
)
async def test_content_types(service: Service, lines: bytes, kept: str) -> None:
    """A registry's configuration may add to its own: the first one is kept, and nothing depends on it."""
    answer = await service.at.raw(HEAD + lines + b"Connection: close\r\nContent-Length: 2\r\n\r\n{}")
    assert answer.startswith(b"HTTP/1.1 202 ")
    assert service.house.stored().notification.content_type == kept


@pytest.mark.parametrize(
    "sent",
    [
        b"Content-Length: 100\r\n\r\n{",
        b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n5\r\n{",
        b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\nzz\r\n",
    ],
    ids=["cut", "no end", "cut chunk", "no chunk"],
)
async def test_a_body_that_breaks_off(service: Service, sent: bytes) -> None:
    """It is not taken for a whole one, and the registry's next try is."""
    answer = await service.at.raw(HEAD + sent, end=True)
    assert not answer or answer.startswith((b"HTTP/1.1 503 ", b"HTTP/1.1 400 ")), answer
    assert service.house.nothing_is_left()
    assert await service.post() == 202


async def test_a_big_body_that_breaks_off(service: Service) -> None:
    """The file that was begun for it is gone, too."""
    _, writer = await asyncio.open_connection("127.0.0.1", service.at.port)
    writer.write(HEAD + b"Content-Length: 99999999\r\n\r\n" + random.Random(3).randbytes(1_000_000))
    await writer.drain()
    await asyncio.to_thread(wait_until, "its file", lambda: service.house.spill.open_files)
    writer.transport.abort()
    await asyncio.to_thread(wait_until, "its end", lambda: not service.house.spill.open_files)
    assert service.house.nothing_is_left()
    assert service.logged == []


async def test_a_slow_body() -> None:
    """It is given up after a while, with 503: the registry keeps the event."""
    async for slow in serve(body_timeout_s=0.2):
        reader, writer = await asyncio.open_connection("127.0.0.1", slow.at.port)
        writer.write(HEAD + b"Content-Length: 100\r\n\r\n{")
        answer = await reader.readuntil(b"\r\n\r\n")
        writer.close()
        await writer.wait_closed()
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b"Retry-After: 1" in answer
        assert slow.house.nothing_is_left()


async def test_the_store_is_gone(service: Service) -> None:
    """503 and when to come again; then the same event is taken."""
    service.house.stream.gone = True
    status, headers, _ = await service.ask("POST", data=b"{}", headers=AUTH)
    assert (status, headers["retry-after"], headers["cache-control"]) == (503, "1", "no-store")
    assert service.logged == [("notification.unavailable", {"source": "main", "problem": "the store is gone"})]
    service.house.stream.gone = False
    assert await service.post() == 202


async def test_the_disk_is_full() -> None:
    """503 for what is too big for the store; what is not is taken."""
    async for full in serve(budget=1_000):
        assert await full.post(random.Random(4).randbytes(200_000)) == 503
        assert await full.post() == 202


@pytest.mark.parametrize("path", ["/", "/events/", "/events/main/x", "/event"])
async def test_other_paths(service: Service, path: str) -> None:
    """Nothing is there: a wrong URL is found out at once."""
    assert (await service.ask("POST", path, data=b"{}", headers=AUTH))[0] == 404


async def test_a_connection_after_a_refusal(service: Service) -> None:
    """It is closed: for a body that nobody wants is not read."""
    reader, writer = await asyncio.open_connection("127.0.0.1", service.at.port)
    writer.write(b"POST /events HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n")
    answer = await reader.readuntil(b"\r\n\r\n")
    writer.close()
    await writer.wait_closed()
    assert answer.startswith(b"HTTP/1.1 401 ")
    assert b"Connection: close" in answer


async def test_many_at_once(service: Service) -> None:
    """A registry empties its queue after an outage; each is there once."""
    bodies = [b'{"n": %d}' % number for number in range(100)]
    assert set(await asyncio.gather(*map(service.post, bodies))) == {202}
    assert {decompress(entry.compressed) for entry in service.house.stream.entries} == set(bodies)
    assert len(service.house.stream.entries) == 100


async def test_alive_and_ready(service: Service) -> None:
    """Alive is always; ready is when the store answers."""
    assert (await service.ask("GET", "/healthz"))[::2] == (200, "ok\n")
    status, _, body = await service.ask("GET", "/readyz")
    assert (status, json.loads(body)) == (200, {"redis": True})
    service.down.add("redis")
    status, _, body = await service.ask("GET", "/readyz")
    assert (status, json.loads(body)) == (503, {"redis": False})
    assert (await service.ask("GET", "/healthz"))[0] == 200


async def test_metrics(service: Service) -> None:
    """How often what was answered and why, in Prometheus' text format."""
    await service.post()
    await service.post()
    await service.ask("POST", data=b"{}")
    await service.ask("GET")
    service.house.stream.gone = True
    await service.post()
    status, headers, body = await service.ask("GET", "/metrics")
    assert (status, headers["content-type"]) == (200, CONTENT_TYPE)
    counted = [line for line in body.splitlines() if line.startswith(POSTS.name) and not line.endswith(" 0")]
    assert sorted(counted) == [
        f'{POSTS.name}{{outcome="{what}"}} {count}'
        for what, count in (("method", 1), ("no_secret", 1), ("stored", 2), ("unavailable", 1))
    ]
