"""A worker that is stopped in the middle, overtaken by another, and woken: it does no harm.

The others are those of `wharfinger work`, run beside `wharfinger up` on the same data.
"""

import json
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import redis

from tests.faults.conftest import Tell
from tests.faults.station import Station, assert_nothing_lost, ledger_locked, pushing
from tests.real.conftest import spawn, wait_until
from wharfinger.cli.pusher import make_image
from wharfinger.wire import keys

pytestmark = pytest.mark.real


@contextmanager
def workers_beside(station: Station) -> Iterator[None]:
    """A second set of workers on the same data."""
    command = [sys.executable, "-m", "wharfinger.cli.main", "work", "--processes", "1", "--data", str(station.folder)]
    program = spawn(command, station.folder / "work.log")
    try:
        yield
    finally:
        assert program.stop() == 0


@contextmanager
def store_of(station: Station) -> Iterator[redis.Redis]:
    """A client of the store."""
    client = redis.Redis(unix_socket_path=f"{station.folder}/store/valkey.sock")
    try:
        yield client
    finally:
        client.close()


def pending(client: redis.Redis, pid: int) -> int:
    """Events that a settle worker has read and not acknowledged. Its name in the group begins with its process id."""
    consumers = client.xinfo_consumers(keys.EVENTS, keys.SETTLE_GROUP)
    return sum(one["pending"] for one in consumers if one["name"].startswith(f"settle-{pid}-".encode()))


def logged(station: Station, event: str) -> list[dict[str, object]]:
    """What either set of workers logged of one kind."""
    text = "".join((station.folder / name).read_text() for name in ("up.log", "work.log"))
    return [record for line in text.splitlines() if line.startswith("{") and (record := json.loads(line))["event"] == event]


def test_a_settle_worker_stopped_with_a_batch_in_hand(station: Station, tell: Tell) -> None:
    """Another takes the batch over and commits it; the first, woken, finds that all of it is there."""
    with store_of(station) as store, pushing(station, 60) as stream:
        stream.reach(20)
        settle = station.pid("settle")
        with ledger_locked(station):
            stream.push()  # the others may all be done before the lock was to be had
            wait_until("a batch in hand", lambda: pending(store, settle))
            os.kill(settle, signal.SIGSTOP)
            taken = pending(store, settle)
        with workers_beside(station):
            wait_until("the take-over", lambda: not pending(store, settle))
            os.kill(settle, signal.SIGCONT)
            wait_until(
                "the first to find its batch settled",
                lambda: any(one["duplicates"] for one in logged(station, "batch.settled")),
            )
            stream.reach(60)
    tell(f"{taken} events in hand; {assert_nothing_lost(station, stream)}")


def test_a_deliver_worker_stopped_in_a_request(station: Station) -> None:
    """Its lease runs out and another asks again, with the same webhook-id; the first, woken, changes nothing."""
    image = make_image(os.urandom(32))
    station.hooks.answering.clear()
    station.pusher().push(image, "ubuntu", "v1")
    wait_until("the webhook", lambda: station.hooks.heard)
    stopped = [station.pid(name) for name in ("deliver-1", "deliver-2")]
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    station.hooks.answering.set()
    with workers_beside(station):
        station.traced(image.digest, lambda found: [one.state for one in found.deliveries] == ["delivered"])
    for pid in stopped:
        os.kill(pid, signal.SIGCONT)
    wait_until("the first to learn it", lambda: logged(station, "delivery.lease_lost"))
    (delivery,) = station.trace(image.digest).deliveries
    assert (delivery.state, [one.outcome for one in delivery.attempts]) == ("delivered", ["", "delivered"])
    assert [(one.webhook_id, one.digest) for one in station.hooks.heard] == [(delivery.id, image.digest)] * 2
    assert station.rows("SELECT verdict FROM records WHERE kind = 'delivery'") == [("delivered",)]
    assert logged(station, "child.ended") == []
