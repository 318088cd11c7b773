"""Whatever goes wrong, at random and at once, under a steady stream: nothing is lost, nothing is there twice.

A run is some pushes with one to three faults done to them meanwhile: a process killed or stopped for a while, `up` started anew,
the store out of memory or read-only, the ledger locked, the disk full. After each, what was taken is settled; after the last of
a house, everything is held against what its witnesses saw. ``WHARFINGER_RUNS`` says how many runs, ``WHARFINGER_SEED`` which.
"""

import os
import random
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest
import redis

from tests.faults.conftest import Tell
from tests.faults.station import SETTLED_S, Station, Stream, assert_nothing_lost, ledger_locked, pushing, station_in
from tests.real.conftest import need, wait_until

pytestmark = pytest.mark.real

RUNS: Final = int(os.environ.get("WHARFINGER_RUNS", "20"))
RUNS_A_HOUSE: Final = 10
PUSHES: Final = 12
"""Of one run."""
MOST: Final = 3
"""Faults at once."""
DISK_MB: Final = 96
VICTIMS: Final = ("notifier", "auth", "settle", "deliver-1", "deliver-2", "sweep", "store")
LEDGER_LOCKED_S: Final = (0.5, 4.0)

Fault = Callable[[Station, random.Random], str]
"""Does something to the house, takes it back, and says what it was."""


def kill(station: Station, chance: random.Random) -> str:
    """SIGKILL, at any moment."""
    victim = chance.choice((*VICTIMS, "up"))
    station.kill(victim)
    return f"{victim} killed"


def stop(station: Station, chance: random.Random) -> str:
    """SIGSTOP, and on again."""
    victim, seconds = chance.choice(VICTIMS), chance.uniform(0.2, 6.0)
    station.pause(victim, seconds)
    return f"{victim} stopped for {seconds:.1f} s"


def restart(station: Station, _chance: random.Random) -> str:
    """Everything ended in order, and started again."""
    station.end()
    station.start()
    return "up started anew"


def store_full(station: Station, chance: random.Random) -> str:
    """The store takes nothing more."""
    return store_set(station, ("CONFIG", "SET", "maxmemory", "1"), ("CONFIG", "SET", "maxmemory", "0"), chance, "out of memory")


def store_read_only(station: Station, chance: random.Random) -> str:
    """The store is the replica of one that is not there, as after a failover."""
    return store_set(station, ("REPLICAOF", "127.0.0.1", "1"), ("REPLICAOF", "NO", "ONE"), chance, "read-only")


def store_set(station: Station, on: tuple[str, ...], off: tuple[str, ...], chance: random.Random, what: str) -> str:
    """Set something for a while. A store that ended meanwhile has forgotten it."""
    seconds = chance.uniform(0.5, 4.0)
    with redis.Redis(unix_socket_path=f"{station.folder}/store/valkey.sock") as client:
        client.execute_command(*on)
        time.sleep(seconds)
        client.execute_command(*off)
    return f"store {what} for {seconds:.1f} s"


def ledger_in_other_hands(station: Station, chance: random.Random) -> str:
    """Somebody else writes to the ledger, and takes their time."""
    seconds = chance.uniform(*LEDGER_LOCKED_S)
    with ledger_locked(station):
        time.sleep(seconds)
    return f"ledger locked for {seconds:.1f} s"


def disk_full(station: Station, chance: random.Random) -> str:
    """Not a byte is left for anybody."""
    seconds, ballast = chance.uniform(0.5, 4.0), station.folder / "ballast"
    try:
        with ballast.open("wb", buffering=0) as file:
            fill(file.fileno())
            until = time.monotonic() + seconds
            while time.monotonic() < until:
                time.sleep(0.05)
                fill(file.fileno())  # whatever somebody gave back meanwhile
    finally:
        ballast.unlink()
    return f"disk full for {seconds:.1f} s"


def fill(handle: int) -> None:
    """Write until nothing more is taken."""
    for size in (1 << 20, 1 << 12, 1):
        try:
            while True:
                os.write(handle, bytes(size))
        except OSError:
            continue


FAULTS: Final[tuple[tuple[Fault, ...], ...]] = (
    (kill, stop, restart),
    (store_full, store_read_only),
    (ledger_in_other_hands,),
    (disk_full,),
)
"""One of each row may be done at once."""


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """A disk of its own for a house, small enough to be filled."""
    folder.mkdir(mode=0o700)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m,mode=700", "tmpfs", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


@pytest.fixture
def station(tmp_path: Path) -> Iterator[Station]:
    """The whole house, on a disk that can be filled."""
    need("mount", root=True)
    with small_disk(tmp_path / "house") as folder:
        for name in ("up.log", "registry.log"):
            # What is read here of the programs must not be cut off by a full disk.
            (folder / name).symlink_to(tmp_path / name)
        with station_in(folder) as built:
            yield built


@pytest.mark.parametrize("house", range(-(-RUNS // RUNS_A_HOUSE)))
def test_faults_at_random(house: int, station: Station, chance: random.Random, tell: Tell) -> None:
    """As many runs in one house as there is place for."""
    everything = Stream(station)
    # One for all runs: what a thread started ends with that thread.
    with ThreadPoolExecutor(MOST) as hands:
        for run in range(house * RUNS_A_HOUSE, min(RUNS, (house + 1) * RUNS_A_HOUSE)):
            with pushing(station, PUSHES, begun=everything.begun) as stream:
                stream.reach(chance.randrange(PUSHES // 3))
                tell(f"run {run}: {', '.join(trouble(station, chance, hands))}")
            everything.digests += stream.digests
            everything.retries += stream.retries
            wait_until(f"what was taken in run {run} to be settled", station.settled_all, SETTLED_S)
        tell(assert_nothing_lost(station, everything))


def trouble(station: Station, chance: random.Random, hands: ThreadPoolExecutor) -> list[str]:
    """Some faults, begun within half a second of each other; what they were."""
    rows = chance.sample(FAULTS, chance.choice((1, 1, 2, MOST)))
    chosen = [(chance.choice(row), random.Random(chance.random()), chance.uniform(0, 0.5)) for row in rows]

    def later(fault: Fault, own: random.Random, pause_s: float) -> str:
        threading.Event().wait(pause_s)
        return fault(station, own)

    return list(hands.map(lambda one: later(*one), chosen))
