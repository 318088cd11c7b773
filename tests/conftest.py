"""Counts loudly what could not run here, and gives tests the stores of :mod:`tests.stores`."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from tests.real.conftest import need, spawn, wait_until
from tests.stores import STORES, Store, at_socket, in_process
from wharfinger.runtime import embedded

pytest_plugins = ["tests.postgresql"]

NOT_RUN = "NOT RUN"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how many tests needed programs or rights that this machine does not give."""
    skipped = [report for report in terminalreporter.stats.get("skipped", []) if NOT_RUN in str(report.longrepr)]
    if skipped:
        terminalreporter.section(f"{len(skipped)} TESTS WERE NOT RUN: programs or root are missing", red=True)


def _answers(socket: Path) -> bool:
    client = redis.Redis(unix_socket_path=str(socket))
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False
    finally:
        client.close()


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Debian's redis-server, set as durable as ours."""
    need("redis-server")
    folder = tmp_path_factory.mktemp("redis")
    socket = folder / "r.sock"
    command: list[str | Path] = ["redis-server", "--port", "0", "--unixsocket", socket, "--dir", folder, "--save", ""]
    program = spawn([*command, "--appendonly", "yes", "--appendfsync", "always"], folder / "redis.log")
    wait_until("redis-server", lambda: _answers(socket))
    yield at_socket("redis", socket)
    program.stop()


@pytest.fixture(scope="session")
def valkey_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """The embedded store, started as `up` does."""
    running = embedded.start(tmp_path_factory.mktemp("valkey"))
    yield at_socket("valkey", running.store.socket)
    running.stop()


@pytest.fixture
def store_of(request: pytest.FixtureRequest) -> Callable[[str], Store]:
    """A kind of store by its name, empty."""

    def find(name: str) -> Store:
        if name == "fakeredis":
            return in_process()
        server: Store = request.getfixturevalue(f"{name}_server")
        client = server.client()
        client.flushall()
        client.close()
        return server

    return find


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest, store_of: Callable[[str], Store]) -> Store:
    """Each kind of store, empty."""
    return store_of(request.param)
