"""Starts the house's own programs on free loopback ports, in a folder on the disk that is measured, and stops them."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from machine import family, pin

from wharfinger.cli import init
from wharfinger.cli.templates import Ports
from wharfinger.runtime import embedded
from workers.adapters.http import request
from workers.adapters.registry import endpoint_of
from workers.errors import Unavailable

T = TypeVar("T")

ROOT: Final = Path(__file__).parents[1]
REGISTRY: Final = os.environ.get("WHARFINGER_REGISTRY", "docker-registry")


@dataclass(frozen=True, slots=True)
class House:
    """A data folder as `wharfinger init` makes it, and the ports it names."""

    folder: Path
    ports: Ports
    hook_port: int

    @property
    def config(self) -> Path:
        """The configuration file."""
        return self.folder / "wharfinger.yml"

    @property
    def ledger_url(self) -> str:
        """The ledger."""
        return f"sqlite:///{self.folder}/ledger.db"

    def password(self, name: str) -> str:
        """A user's password."""
        return dict(line.split() for line in (self.folder / "passwords.txt").read_text().splitlines())[name]

    def secret(self) -> str:
        """The notification secret."""
        return (self.folder / "notification.secret").read_text().strip()


@contextmanager
def house(*, tour: bool = True) -> Iterator[House]:
    """A new one, removed in the end; ``tour``: every push goes to a webhook. Not in /tmp, which is memory on many machines."""
    (ROOT / "build").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bench-", dir=ROOT / "build") as name:
        folder, ports, hook_port = Path(name), Ports(free_port(), free_port(), free_port()), free_port()
        init.make(folder, (), ports, tour=tour)
        config = folder / "wharfinger.yml"
        config.write_text(config.read_text().replace(":5004/", f":{hook_port}/"))
        yield House(folder, ports, hook_port)


@contextmanager
def store(folder: Path, *, core: int | None = None) -> Iterator[embedded.Store]:
    """The embedded store of a data folder, as `up` starts it."""
    running = embedded.start(folder)
    try:
        if core is not None:
            pin(running.store.pid, core)
        yield running.store
    finally:
        running.stop()


@contextmanager
def program(command: Sequence[str | Path], log: Path, *, core: int | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """A program in a session of its own, from now until the end of the block; on one core if told so."""
    pinned = [] if core is None else ["taskset", "-c", str(core)]
    parent = os.getpid()
    with log.open("ab") as file:
        child = subprocess.Popen(
            [*pinned, *map(str, command)],
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            start_new_session=True,
            preexec_fn=lambda: embedded.die_with_parent(parent),  # noqa: PLW1509 - no thread is started before
        )
    try:
        yield child
    finally:
        child.send_signal(signal.SIGTERM)
        try:
            child.wait(30)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def wharfinger(*arguments: str | Path) -> list[str]:
    """The command, as this interpreter has it."""
    return [sys.executable, "-m", "wharfinger.cli.main", *map(str, arguments)]


def processes(home: House, up: int) -> dict[str, int]:
    """Every process of a running `up`, by name."""
    lines = (home.folder / "up.log").read_text().splitlines()
    started = [told for line in lines if (told := json.loads(line))["event"] == "child.started"]
    named = {"up": up} | {told["child"]: int(told["pid"]) for told in started}
    (valkey,) = set(family(up)) - set(named.values())
    return named | {"store": valkey}


def free_port() -> int:
    """A TCP port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(what: str, found: Callable[[], T | None], *, seconds: float = 60, every_s: float = 0.05) -> T:
    """The first thing found that is not nothing. Raises TimeoutError."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if thing := found():
            return thing
        time.sleep(every_s)
    raise TimeoutError(f"{what} did not come within {seconds:.0f} s")


def wait_ready(url: str) -> None:
    """Wait until a URL answers: ready, or asking who is there."""

    def answers() -> bool:
        try:
            return request(endpoint_of(url), "GET", "/" + url.split("/", 3)[3], timeout_s=2).status in {200, 202, 401}
        except Unavailable:
            return False

    wait_for(url, answers)


def need(*names: str) -> None:
    """End, saying how to get what is missing."""
    missing = [name for name in names if shutil.which(name) is None]
    if missing:
        sys.exit(f"this measurement needs {', '.join(missing)}; on Debian: apt install {' '.join(missing)}")
