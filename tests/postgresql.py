"""A real PostgreSQL for tests: its own cluster in its own folder, on loopback, stopped by its own process id."""

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.real.conftest import free_port, need, spawn

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


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Server]:
    """A server for the whole session. It refuses to run as root, so it gets Debian's user for it."""
    if not _BINARIES:
        need("postgresql", root=True)
    # Not below pytest's own folder, which every session of root's closes to others.
    folder = Path(tempfile.mkdtemp(prefix="wharfinger-postgresql-"))
    prefix: list[str] = []
    if os.geteuid() == 0:
        user = pwd.getpwnam("postgres")
        os.chown(folder, user.pw_uid, user.pw_gid)
        prefix = [shutil.which("setpriv") or "setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
    data, port = folder / "data", free_port()
    binaries = _BINARIES[-1]
    made = subprocess.run(
        [*prefix, binaries / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "--no-sync"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stderr
    # No test pulls the plug, so nothing waits for the disk.
    command = [
        *prefix, binaries / "postgres", "-D", data, "-p", str(port), "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off",
        "-c", f"unix_socket_directories={folder}",
    ]  # fmt: skip
    program = spawn(command, folder / "server.log")
    try:
        until = time.monotonic() + 60
        while subprocess.run(
            [binaries / "pg_isready", "-h", "127.0.0.1", "-p", str(port)], capture_output=True, check=False
        ).returncode:
            assert time.monotonic() < until, program.log.read_text()[-2000:]
            time.sleep(0.1)
        yield Server(port)
    finally:
        program.process.send_signal(2)  # SIGINT: fast shutdown
        program.stop()
        shutil.rmtree(folder, ignore_errors=True)
