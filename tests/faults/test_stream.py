"""kill -9 and SIGSTOP of every process during a stream of 500 pushes: nothing is lost, nothing is there twice.

What the registry was told is written down by a proxy before the notifier; a push that a client was told of is in the ledger;
a request outside is repeated only under its id.
"""

import random
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.faults.conftest import Tell
from tests.faults.station import Station, Stream, assert_nothing_lost, pushing

pytestmark = pytest.mark.real

PUSHES = 500
FIRST, LAST = 20, 400
"""Between these pushes the faults begin, so that the stream goes on after the last."""
VICTIMS = ("notifier", "auth", "settle", "deliver-1", "sweep", "up", "store")
STOPPED_S = (3.0, 6.0)
"""Shorter and longer than the services' patience with the store (2 s) and the registry's with the notifier (5 s)."""


def moments(chance: random.Random, stream: Stream, count: int) -> Iterator[int]:
    """Wait for moments within the stream, one after the other; each as milliseconds since the epoch."""
    for push in sorted(chance.sample(range(FIRST, LAST), count)):
        stream.reach(push)
        threading.Event().wait(chance.uniform(0, 0.05))  # a client is at every step of a push, not at its end
        yield time.time_ns() // 1_000_000


def kill_each(station: Station, stream: Stream, victims: list[str], chance: random.Random, tell: Tell) -> None:
    """Kill one after the other; each time settling must go on."""
    for moment, victim in zip(moments(chance, stream, len(victims)), victims, strict=True):
        station.kill(victim)
        tell(f"{victim} killed: what was taken after it was settled {station.went_on_after(moment)} ms after it")


def stop_each(station: Station, stream: Stream, victims: list[str], chance: random.Random, tell: Tell) -> None:
    """Stop each for some seconds, different ones at once; then settling must go on."""
    lengths = [chance.uniform(*STOPPED_S) for _ in victims]
    with ThreadPoolExecutor(len(set(victims))) as pool:  # the same one is stopped again only when it was woken
        for _, victim, seconds in zip(moments(chance, stream, len(victims)), victims, lengths, strict=True):
            tell(f"{victim} stopped for {seconds:.1f} s")
            pool.submit(station.pause, victim, seconds)
    woken = time.time_ns() // 1_000_000
    stream.push()  # the others may all be done
    tell(f"all awake: what was taken after it was settled {station.went_on_after(woken)} ms after it")


FAULTS = {"SIGKILL": kill_each, "SIGSTOP": stop_each}


@pytest.mark.parametrize("fault", FAULTS)
def test_every_process_in_one_stream(fault: str, station: Station, chance: random.Random, tell: Tell) -> None:
    """Each process once, in an order that the seed chooses."""
    victims = chance.sample(VICTIMS, len(VICTIMS))
    with pushing(station, PUSHES) as stream:
        FAULTS[fault](station, stream, victims, chance, tell)
    tell(assert_nothing_lost(station, stream))


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("victim", VICTIMS)
def test_one_process_again_and_again(victim: str, fault: str, station: Station, chance: random.Random, tell: Tell) -> None:
    """The same process three times."""
    with pushing(station, PUSHES) as stream:
        FAULTS[fault](station, stream, [victim] * 3, chance, tell)
    tell(assert_nothing_lost(station, stream))
