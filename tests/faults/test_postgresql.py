"""The ledger in PostgreSQL, which is killed, stopped and restarted under a steady stream: events are taken meanwhile, and settled after."""

import os
import random
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.faults.conftest import Tell
from tests.faults.station import Station, assert_nothing_lost, pushing, station_in
from tests.postgresql import Cluster, cluster

pytestmark = pytest.mark.real

PUSHES = 60
AWAY_S = (0.5, 4.0)


@pytest.fixture
def server() -> Iterator[Cluster]:
    """A server that can be taken away, and syncs what it commits."""
    with cluster() as made:
        made.server.new("house")
        yield made


@pytest.fixture
def station(server: Cluster, tmp_path: Path) -> Iterator[Station]:
    """The whole house, on that server."""
    with station_in(tmp_path / "house", ledger_url=server.server.url("house")) as built:
        yield built


def killed(server: Cluster, seconds: float) -> None:
    """SIGKILL, and away for a while; it recovers from its log."""
    server.kill()
    time.sleep(seconds)
    server.start()


def restarted(server: Cluster, seconds: float) -> None:
    """As for an upgrade: it breaks off who is connected."""
    server.stop()
    time.sleep(seconds)
    server.start()


def stopped(server: Cluster, seconds: float) -> None:
    """All of it holds its connections and says nothing."""
    processes = server.processes()
    for number in (signal.SIGSTOP, signal.SIGCONT):
        for pid in processes:
            with suppress(ProcessLookupError):  # one of its duties was done meanwhile
                os.kill(pid, number)
        if number is signal.SIGSTOP:
            time.sleep(seconds)


def test_the_database_goes_away(station: Station, server: Cluster, chance: random.Random, tell: Tell) -> None:
    """Each fault twice, in an order that the seed chooses: nothing lost, nothing twice, one log with its checkpoints."""
    faults = [killed, restarted, stopped] * 2
    chance.shuffle(faults)
    with pushing(station, PUSHES) as stream:
        for number, fault in enumerate(faults):
            stream.reach(number * PUSHES // len(faults))
            seconds = chance.uniform(*AWAY_S)
            fault(server, seconds)
            moment = time.time_ns() // 1_000_000
            stream.push()  # the others may all be done
            tell(
                f"{fault.__name__} for {seconds:.1f} s: what was taken after it was settled {station.went_on_after(moment)} ms after it"
            )
    tell(assert_nothing_lost(station, stream))
