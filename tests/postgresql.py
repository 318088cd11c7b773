"""A real PostgreSQL for tests: its own cluster in its own folder, on loopback, stopped by its own process id."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from tests.real.conftest import Program, free_port, need, spawn

_BINARIES = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
BINARIES = _BINARIES[-1] if _BINARIES else Path("/usr/bin")
"""Where its programs are."""


@dataclass(frozen=True)
class Server:
    """A running server."""

    port: int

    def url(self, database: str) -> str:
        """SQLAlchemy's URL of one of its databases."""
        return f"postgresql+psycopg://postgres@127.0.0.1:{self.port}/{database}"

    def new(self, name: str) -> str:
        """The URL of a new database."""
        engine = create_engine(self.url("postgres"), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        engine.dispose()
        return self.url(name)


class Cluster:
    """A server's data, and the server while it runs. It refuses to run as root, so it gets Debian's user for it."""

    def __init__(self, folder: Path, options: Sequence[str] = ()) -> None:
        self.server = Server(free_port())
        self._folder, self._data, self._prefix = folder, folder / "data", _as_its_user(folder)
        self._options = options
        self._program: Program | None = None
        made = subprocess.run(
            [*self._prefix, BINARIES / "initdb", "-D", self._data, "-U", "postgres", "-A", "trust", "--no-sync"],
            capture_output=True,
            text=True,
            check=False,
        )
        assert made.returncode == 0, made.stderr

    def start(self) -> None:
        """Start it, and wait until it answers. After a kill its last processes need a moment to let go of its memory."""
        command = [
            *self._prefix, BINARIES / "postgres", "-D", self._data, "-p", str(self.server.port), "-c", "listen_addresses=127.0.0.1",
            "-c", f"unix_socket_directories={self._folder}", *self._options,
        ]  # fmt: skip
        ready = [BINARIES / "pg_isready", "-h", "127.0.0.1", "-p", str(self.server.port)]
        until = time.monotonic() + 60
        while True:
            if self._program is None or self._program.process.poll() is not None:
                self._program = spawn(command, self._folder / "server.log")
            if subprocess.run(ready, capture_output=True, check=False).returncode == 0:
                return
            assert time.monotonic() < until, self._program.log.read_text()[-2000:]
            time.sleep(0.1)

    def kill(self) -> None:
        """SIGKILL to its first process; the others see that and end."""
        assert self._program is not None
        self._program.process.kill()
        self._program.process.wait()

    def processes(self) -> list[int]:
        """Its first process, and one for each connection and duty."""
        assert self._program is not None
        first = self._program.process.pid
        return [first, *map(int, Path(f"/proc/{first}/task/{first}/children").read_text().split())]

    def stop(self) -> None:
        """In order, without waiting for those who are connected."""
        if self._program is not None:
            self._program.process.send_signal(signal.SIGINT)
            self._program.stop()
            self._program = None


def _as_its_user(folder: Path) -> list[str]:
    if os.geteuid() != 0:
        return []
    user = pwd.getpwnam("postgres")
    os.chown(folder, user.pw_uid, user.pw_gid)
    return [shutil.which("setpriv") or "setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]


@contextmanager
def cluster(*options: str) -> Iterator[Cluster]:
    """A running one, in a folder of its own."""
    if not _BINARIES:
        need("postgresql", root=True)
    # Not below pytest's own folder, which every session of root's closes to others.
    folder = Path(tempfile.mkdtemp(prefix="wharfinger-postgresql-"))
    try:
        made = Cluster(folder, options)
        made.start()
        yield made
        made.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Server]:
    """A server for the whole session."""
    # No test pulls the plug, so nothing waits for the disk.
    with cluster("-c", "fsync=off") as made:
        yield made.server


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.real)])
def ledger_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a new ledger may be made: in a SQLite file, and in a real PostgreSQL."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/ledger.db"
    server: Server = request.getfixturevalue("postgresql")
    return server.new(f"ledger_{os.urandom(6).hex()}")
