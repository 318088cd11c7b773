"""What stands beside us goes away, is full, or is held by others: the services say so and come back by themselves.

Here the store is Debian's redis-server, named in the configuration, as an operator would run it.
"""

import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.faults.conftest import Tell
from tests.faults.station import Station, assert_nothing_lost, ledger_locked, pushing, station_in
from tests.real.conftest import Program, free_port, kill9, need, spawn, wait_until
from wharfinger.cli.pusher import make_image
from workers.adapters.http import Answer, request
from workers.adapters.registry import endpoint_of
from workers.decide.challenge import basic

pytestmark = pytest.mark.real

OUTAGE_S = 8.0
"""Long enough for pauses that double to have grown past the five seconds that settling may be late."""


@dataclass
class RedisServer:
    """A redis-server of our own, which keeps what it answered."""

    folder: Path
    port: int = field(default_factory=free_port)
    program: Program | None = None

    def start(self) -> None:
        """Start it on what it kept, and wait until it can be used."""
        need("redis-server")
        options = {"port": self.port, "bind": "127.0.0.1", "dir": self.folder, "appendonly": "yes", "appendfsync": "always"}
        arguments = [str(part) for name, value in options.items() for part in (f"--{name}", value)]
        self.program = spawn(["redis-server", *arguments, "--save", ""], self.folder / "redis.log")
        wait_until("redis-server", self._answers)

    def kill(self) -> None:
        """SIGKILL."""
        assert self.program is not None
        kill9(self.program.process.pid)
        self.program.process.wait()

    def client(self) -> redis.Redis:
        """A client that does not try twice."""
        return redis.Redis(port=self.port, retry=Retry(NoBackoff(), 0))

    def _answers(self) -> bool:
        try:
            with self.client() as client:
                return bool(client.ping())
        except redis.RedisError:
            return False


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    """A redis-server."""
    (tmp_path / "redis").mkdir()
    server = RedisServer(tmp_path / "redis")
    server.start()
    yield server
    assert server.program is not None
    server.program.stop()


@pytest.fixture
def station(tmp_path: Path, server: RedisServer) -> Iterator[Station]:
    """The whole house, on that server."""
    with station_in(tmp_path / "house", extra=f'\nredis: {{url: "redis://127.0.0.1:{server.port}"}}\n') as built:
        yield built


def ask(station: Station) -> tuple[Answer, Answer]:
    """A token from authsvc, and a place for a notification at the notifier."""
    credentials = {"Authorization": basic("hussein", station.password("hussein").encode())}
    auth = endpoint_of(f"http://127.0.0.1:{station.ports.auth}")
    token = request(auth, "GET", "/auth?service=registry&scope=repository:ubuntu:pull", headers=credentials)
    secret = {"Authorization": f"Bearer {station.secret()}"}
    notifier = endpoint_of(f"http://127.0.0.1:{station.ports.notifier}")
    return token, request(notifier, "POST", "/events", headers=secret, body=b'{"events": []}')


def statuses(station: Station) -> tuple[int, int]:
    """How both answered."""
    token, posted = ask(station)
    return token.status, posted.status


def assert_unavailable(station: Station) -> None:
    """Both answer 503 and say when to come again."""
    for answer in ask(station):
        assert (answer.status, answer.headers["retry-after"]) == (503, "1")


def test_redis_gone(station: Station, server: RedisServer, tell: Tell) -> None:
    """Killed while nothing happens, and during a stream: 503 meanwhile; then all goes on, in the same processes of the services."""
    before = {name: station.pid(name) for name in ("auth", "notifier")}
    server.kill()
    assert_unavailable(station)
    time.sleep(OUTAGE_S)
    assert_unavailable(station)
    with pushing(station, 60) as stream:
        tell(f"after {OUTAGE_S:.0f} s what was taken was settled {back(station, server)} ms after Redis was back")
        stream.reach(20)
        server.kill()
        assert_unavailable(station)
        tell(f"in a stream, what was taken was settled {back(station, server)} ms after Redis was back")
    tell(assert_nothing_lost(station, stream))
    assert {name: station.pid(name) for name in before} == before


def back(station: Station, server: RedisServer) -> int:
    """Start Redis again; milliseconds until something new was settled."""
    server.start()
    moment = time.time_ns() // 1_000_000
    wait_until("tokens and events", lambda: statuses(station) == (200, 202))
    return station.went_on_after(moment)


def test_redis_out_of_memory(station: Station, server: RedisServer, tell: Tell) -> None:
    """Full and with nothing that may be forgotten: 503, and what was taken before is settled all the same."""
    settle = station.pid("settle")
    os.kill(settle, signal.SIGSTOP)
    with pushing(station, 20) as stream:
        stream.reach(20)
    wait_until("the events", lambda: station.queued() == 0)
    with server.client() as client:
        client.config_set("maxmemory", 1)
        assert_unavailable(station)
        os.kill(settle, signal.SIGCONT)
        wait_until("settling while it is full", station.settled_all)
        assert_unavailable(station)
        client.config_set("maxmemory", 0)
    assert statuses(station) == (200, 202)
    tell(assert_nothing_lost(station, stream))


@pytest.mark.parametrize("seconds", [4, pytest.param(15, marks=pytest.mark.slow)])
def test_the_ledger_is_locked_by_somebody_else(station: Station, seconds: int, tell: Tell) -> None:
    """For less and for more than workers wait for it: events are taken meanwhile, and settled afterwards."""
    with pushing(station, 60) as stream:
        stream.reach(20)
        with ledger_locked(station):
            time.sleep(seconds)
            station.pusher().push(make_image(b"meanwhile"), "ubuntu", "meanwhile")
            moment = time.time_ns() // 1_000_000
        tell(f"what was taken after {seconds} s of a locked ledger was settled {station.went_on_after(moment)} ms after it")
    tell(assert_nothing_lost(station, stream))
