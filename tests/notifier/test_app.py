"""The notifier joined: on a real store that goes and comes back, with real files."""

import json
import random
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest
import redis

from notifier.app import build, serve
from notifier.metrics import TABLE
from tests.servers import Served, served
from tests.stores import entries_now
from wharfinger.runtime import embedded
from wharfinger.runtime.log import discard
from wharfinger.runtime.metrics import Board
from wharfinger.runtime.settings import Address, NotifierSettings, Secret, Source
from wharfinger.wire import keys
from wharfinger.wire.notification import decompress, from_fields

pytestmark = pytest.mark.real
SECRET = "s3cret-of-the-registry"
NOISE = random.Random(5).randbytes(500_000)


def settings(url: str, spill: Path, port: int = 1) -> NotifierSettings:
    """One source."""
    source = Source("main", (Secret(SECRET.encode()),), "http://r", "r", "", None)
    return NotifierSettings(Address("127.0.0.1", port), (source,), spill, url)


@dataclass
class House:
    """The service on a store of its own."""

    at: Served
    session: aiohttp.ClientSession
    store: embedded.Running
    data: Path

    async def post(self, body: bytes) -> int:
        """The status of a post."""
        headers = {"Authorization": f"Bearer {SECRET}"}
        async with self.session.post(f"{self.at.url}/events/main", data=body, headers=headers) as answer:
            return answer.status

    async def get(self, path: str) -> int:
        """The status of an answer."""
        async with self.session.get(self.at.url + path) as answer:
            return answer.status

    def client(self) -> redis.Redis:
        """The store."""
        return redis.Redis.from_url(self.store.store.url)

    def files(self) -> list[Path]:
        """What was spilled."""
        return list((self.data / "spill").iterdir()) if (self.data / "spill").exists() else []


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    """A running one."""
    store = embedded.start(tmp_path)
    app = build(settings(store.store.url, tmp_path / "spill"), Board(TABLE).meter(0), discard)
    async with served(app) as at, aiohttp.ClientSession() as session:
        built = House(at, session, store, tmp_path)
        yield built
    built.store.stop()


async def test_events_are_stored_and_settle_is_woken(house: House) -> None:
    """Small ones in the stream, big ones in files that their entries name."""
    assert [await house.post(body) for body in (b"{}", NOISE)] == [202, 202]
    client = house.client()
    small, big = (from_fields(fields) for fields in entries_now(client, keys.EVENTS))
    assert decompress(small.compressed) == b"{}"
    (file,) = house.files()
    assert (file.name, big.compressed) == (big.notification.spill, b"")
    assert decompress(file.read_bytes()) == NOISE
    assert client.exists(keys.WAKE)
    client.close()


async def test_the_store_goes_and_comes_back(house: House) -> None:
    """503 meanwhile, and no file is left of a big body that was refused; then as before, without anybody's help."""
    assert await house.post(b"{}") == 202
    house.store.stop()
    assert [await house.post(body) for body in (b"{}", NOISE, NOISE)] == [503, 503, 503]
    assert house.files() == []
    assert [await house.get(path) for path in ("/readyz", "/healthz")] == [503, 200]
    house.store = embedded.start(house.data)
    assert [await house.post(body) for body in (b"{}", NOISE)] == [202, 202]
    assert await house.get("/readyz") == 200
    assert len(house.files()) == 1


async def test_a_store_that_hangs(house: House) -> None:
    """It is waited for no longer than for one that is gone."""
    client = house.client()
    client.client_pause(60_000)
    assert await house.post(b"{}") == 503
    assert await house.get("/readyz") == 503
    client.close()


async def test_a_full_store(house: House) -> None:
    """It forgets nothing for something new: the registry must wait, and what is big leaves no file behind."""
    client = house.client()
    client.config_set("maxmemory", "1")
    assert [await house.post(body) for body in (b"{}", NOISE)] == [503, 503]
    assert house.files() == []
    client.config_set("maxmemory", "0")
    assert await house.post(b"{}") == 202
    client.close()


def test_a_port_that_is_taken(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The setting is named, and the exit code says that starting again is of no use."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        assert serve(settings("unix:///nowhere", tmp_path, other.getsockname()[1]), Board(TABLE).meter(0)) == 2
    record = json.loads(capfd.readouterr().err.splitlines()[-1])
    assert record["event"] == "service.misconfigured"
    assert record["problem"].startswith("notifier.addr: 127.0.0.1:")
