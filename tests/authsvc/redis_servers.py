"""Redis for tests of what speaks to it: in this process (fakeredis), Debian's redis-server, and the embedded Valkey.

The first needs no socket and runs with the unit tests; the others are real programs. Each gives clients as the services have
them, and can be taken away and brought back.
"""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import fakeredis
import pytest

from authsvc.adapters.streams import connect, once_more
from tests.real.conftest import need, wait_until
from wharfinger.runtime import embedded
from wharfinger.runtime.embedded import die_with_parent

KINDS = (
    pytest.param("fakeredis"),
    pytest.param("redis-server", marks=pytest.mark.real),
    pytest.param("valkey", marks=pytest.mark.real),
)
REAL_KINDS = KINDS[1:]


class Server(Protocol):
    """One of them."""

    def client(self) -> Any:
        """A client of this loop."""

    def take_away(self) -> None:
        """Nobody answers any more."""

    def bring_back(self) -> None:
        """It answers again, with what it had."""


class FakeServer:
    """In this process."""

    def __init__(self) -> None:
        self._server = fakeredis.FakeServer()

    def client(self) -> Any:
        """A client of this loop."""
        return fakeredis.FakeAsyncRedis(server=self._server, retry=once_more())

    def take_away(self) -> None:
        """Nobody answers any more."""
        self._server.connected = False

    def bring_back(self) -> None:
        """It answers again, with what it had."""
        self._server.connected = True


class RealServer:
    """A program at a unix socket, which writes each command to disk before it answers."""

    def __init__(self, binary: Path | str, folder: Path) -> None:
        self._command = [str(binary), *embedded.configuration(folder, folder / "valkey.sock")]
        self.socket = folder / "valkey.sock"
        self._process: subprocess.Popen[bytes] | None = None
        self.bring_back()

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"unix://{self.socket}"

    def client(self) -> Any:
        """A client of this loop."""
        return connect(self.url)

    def take_away(self) -> None:
        """Kill it."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def bring_back(self) -> None:
        """Start it on what it wrote."""
        parent = os.getpid()
        self._process = subprocess.Popen(
            self._command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=lambda: die_with_parent(parent),
        )
        wait_until("the store", lambda: embedded._ping(self.socket))

    def hang(self) -> None:
        """It holds its connections, and says nothing more."""
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGSTOP)

    def wake(self) -> None:
        """It goes on."""
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGCONT)


@contextmanager
def running(kind: str, folder: Path) -> Iterator[Server]:
    """One of them, empty, until the block ends."""
    if kind == "fakeredis":
        yield FakeServer()
        return
    if kind == "redis-server":
        need("redis-server")
    binary = "redis-server" if kind == "redis-server" else embedded.binary()
    server = RealServer(binary, folder)
    try:
        yield server
    finally:
        server.wake()
        server.take_away()
