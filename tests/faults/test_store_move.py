"""A house that moves from its embedded store to a Redis of its own, with a backlog: all of it is settled there, once."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from tests.faults.conftest import Tell
from tests.faults.station import CLIENTS, Station, assert_nothing_lost, ledger_locked, pushing
from tests.real.conftest import Program, need, spawn, wait_until
from wharfinger.runtime import embedded
from wharfinger.wire import keys

pytestmark = pytest.mark.real

PUSHES = 3 * CLIENTS


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[str]:
    """A Redis of Debian's with nothing in it, set as docs/redis.md says; its URL. Asked for first, it outlives the house."""
    need("redis-server")
    folder = tmp_path / "redis"
    folder.mkdir()
    # Of all that the embedded store is set to, what any Redis understands.
    program = spawn(["redis-server", *embedded.configuration(folder, folder / "r.sock")], folder / "redis.log")
    try:
        wait_until("redis-server", lambda: embedded._ping(folder / "r.sock"))
        yield f"unix://{folder}/r.sock"
    finally:
        program.stop()


def move(station: Station, url: str) -> Program:
    """Begin to move."""
    command = [sys.executable, "-m", "wharfinger.cli.main", "ledger", "move", "--store-to", url, "--data", station.folder]
    return spawn([str(one) for one in command], station.folder / "move.log")


def refused_up(station: Station) -> str:
    """What `up` says, which does not start."""
    up = [sys.executable, "-m", "wharfinger.cli.main", "up", "--data", str(station.folder)]
    done = subprocess.run(up, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 2
    return done.stderr


def waiting(client: redis.Redis) -> tuple[int, int]:
    """Notifications that settle has in hand, and those that it has not read."""
    (group,) = client.xinfo_groups(keys.EVENTS)
    return int(group["pending"]), int(group["lag"])


def test_a_store_moves_with_what_is_on_its_way(elsewhere: str, station: Station, tell: Tell) -> None:
    """Taken and not settled, some in a worker's hand; the move killed and made again; then new pushes to the same ledger."""
    with redis.Redis.from_url(elsewhere) as there:
        with ledger_locked(station):
            with (
                pushing(station, PUSHES) as stream,
                redis.Redis(unix_socket_path=f"{station.folder}/store/valkey.sock") as here,
            ):
                refused = move(station, elsewhere)
                assert refused.process.wait(30) == 2
                assert "another `wharfinger up` runs" in refused.log.read_text()
                assert not there.dbsize()
                stream.reach(PUSHES)
                in_hand = wait_until("a batch in hand", lambda: all(now := waiting(here)) and now)
            station.program.stop()
        broken = move(station, elsewhere)
        wait_until("the move to begin", (station.folder / "store/moving").exists)
        broken.process.kill()
        broken.process.wait()
        assert not there.exists(keys.EVENTS)
        # Neither on the old one, nor on half of the new one.
        config = station.folder / "wharfinger.yml"
        before, after = config.read_text(), f"{config.read_text()}redis: {json.dumps({'url': elsewhere})}\n"
        assert "is being moved" in refused_up(station)
        config.write_text(after)
        assert "is not moved yet" in refused_up(station)
        config.write_text(before)
        done = move(station, elsewhere)
        assert done.process.wait(60) == 0
        assert f'redis: {{url: "{elsewhere}"}}' in done.log.read_text()
        assert sum(waiting(there)) >= sum(in_hand)
    config.write_text(after)
    station.start()
    with pushing(station, CLIENTS, begun=stream.begun) as more:
        more.reach(CLIENTS)
    stream.digests += more.digests
    tell(f"{in_hand} in hand and unread were moved; {assert_nothing_lost(station, stream)}")
    (first,) = station.rows("SELECT min(digest) FROM records WHERE action = 'push' AND tag = 'p0'")[0]
    assert station.trace(first).issuances
