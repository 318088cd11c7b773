"""What `wharfinger up` does about its own faults: its store, its children, its predecessor, its double."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import redis

from tests.faults.station import Station, assert_nothing_lost, ledger_locked, lives, pushing
from tests.real.conftest import kill9, spawn, wait_until
from wharfinger.wire import keys

pytestmark = pytest.mark.real

CHILDREN = ("auth", "notifier", "settle", "sweep", "deliver-1", "deliver-2")


def logged(station: Station, event: str) -> list[dict[str, object]]:
    """What was logged of one kind."""
    lines = (station.folder / "up.log").read_text().splitlines()
    return [record for line in lines if line.startswith("{") and (record := json.loads(line))["event"] == event]


def push_some(station: Station) -> str:
    """Push a little, and see that it all arrives."""
    with pushing(station, 10) as stream:
        pass
    return assert_nothing_lost(station, stream)


def spawn_up(station: Station) -> None:
    """Start `up`, without waiting for anything."""
    command: list[str | Path] = [sys.executable, "-m", "wharfinger.cli.main", "up", "--data", station.folder]
    station.program = spawn(command, station.folder / "up.log")


def test_a_child_that_was_stopped_goes_on(station: Station) -> None:
    """Being stopped for longer than any wait of theirs ends none of them."""
    before = {name: station.pid(name) for name in CHILDREN}
    for pid in before.values():
        os.kill(pid, signal.SIGSTOP)
    station.pause("store", 3)
    for pid in before.values():
        os.kill(pid, signal.SIGCONT)
    push_some(station)
    assert logged(station, "child.ended") == []
    assert {name: station.pid(name) for name in CHILDREN} == before


def test_a_child_that_is_stopped_ends_in_order(station: Station) -> None:
    """An ordered stop of `up` wakes it first, and kills nobody."""
    os.kill(station.pid("settle"), signal.SIGSTOP)
    os.kill(station.pid("notifier"), signal.SIGSTOP)
    assert station.program.stop() == 0
    assert logged(station, "child.killed") == []
    station.start()


def test_nothing_is_left_of_an_up_that_was_killed(station: Station) -> None:
    """Its children and its store end by themselves, also those that were stopped."""
    left = {name: station.pid(name) for name in (*CHILDREN, "store")}
    for name in ("auth", "deliver-1"):
        os.kill(left[name], signal.SIGSTOP)
        wait_until("the stop", lambda name=name: "T (stopped)" in Path(f"/proc/{left[name]}/status").read_text())  # type: ignore[misc]  # binds now
    kill9(station.pid("up"))
    station.program.process.wait()
    wait_until("their ends", lambda: not any(lives(pid) for pid in left.values()))
    station.start()


def test_what_killed_workers_leave_in_redis_goes_away(station: Station) -> None:
    """Jobs that were under way, and the workers' names: all of it has an end, or is cleared away by the next worker."""
    with redis.Redis(unix_socket_path=f"{station.folder}/store/valkey.sock") as store:
        under_way = f"rq:wip:{keys.SETTLE_QUEUE}"
        with ledger_locked(station):
            assert station.post({"id": "e1", "action": "pull", "target": {"repository": "ubuntu"}}) == 202
            wait_until("a job under way", lambda: store.zcard(under_way))
            station.kill("settle")
        wait_until("the event", lambda: station.event_ids() == ["e1"])
        abandoned = store.zrange(under_way, 0, 0)[0]
        stale = wait_until(
            "its name", lambda: [one for one in store.smembers("rq:workers") if store.hget(one, "state") == b"busy"]
        )[0]
        # Time passes: RQ gives a job its time and a minute more, and a worker's name a minute and a half.
        store.zadd(under_way, {abandoned: 1})
        store.delete(stale)
        station.kill("settle")
        store.delete(f"rq:clean_registries:{keys.SETTLE_QUEUE}")  # a lock of a quarter of an hour, had it died while clearing
        wait_until(
            "the clearing", lambda: store.zscore(under_way, abandoned) is None and not store.sismember("rq:workers", stale)
        )
        # What is under way has its end there; everything else has one of its own.
        held = {one.partition(b":")[0] for one in store.zrange(under_way, 0, -1)}
        found = [key for kind in ("job", "worker", "execution", "results") for key in store.keys(f"rq:{kind}:*")]
        assert [key for key in found if store.ttl(key) == -1 and key.removeprefix(b"rq:job:") not in held] == []


def test_a_store_that_cannot_start_again_is_tried_again(station: Station) -> None:
    """`up` outlives it, and says why; once it can, everything goes on."""
    folder, aside = station.folder / "store", station.folder / "aside"
    os.kill(station.pid("up"), signal.SIGSTOP)
    kill9(station.pid("store"))
    folder.rename(aside)
    folder.write_text("no folder")
    os.kill(station.pid("up"), signal.SIGCONT)
    wait_until("a failed restart", lambda: logged(station, "store.not_restarted"))
    folder.unlink()
    aside.rename(folder)
    wait_until("the restart", lambda: logged(station, "store.restarted"))
    push_some(station)


def test_a_second_up_is_refused_and_does_no_harm(station: Station) -> None:
    """On the same data folder: it says so, and the first one's store is not touched."""
    store = station.store_pid()
    command = [sys.executable, "-m", "wharfinger.cli.main", "up", "--data", str(station.folder)]
    second = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert second.returncode == 2
    assert f"another `wharfinger up` runs on {station.folder}" in second.stderr
    push_some(station)
    assert station.store_pid() == store


def test_up_waits_for_a_port_that_is_given_back(station: Station) -> None:
    """The children of an `up` that was killed may be slow to end: the next one does not take them for a foreign program."""
    assert station.program.stop() == 0
    with socket.create_server(("127.0.0.1", station.ports.notifier)):
        spawn_up(station)
        wait_until("the wait for the port", lambda: logged(station, "service.waiting"))
    station.wait_ready()
    push_some(station)


def test_up_starts_no_second_store_beside_a_silent_one(station: Station) -> None:
    """The store of an `up` that was killed is stopped, and answers nobody: its files are not written by two."""
    silent = station.pid("store")
    os.kill(silent, signal.SIGSTOP)
    kill9(station.pid("up"))
    station.program.process.wait()
    spawn_up(station)
    lock = station.folder / "store/lock"
    wait_until("the new start", lambda: lock in opened(station.program.process.pid))
    # Longer than it waits for an answer: by then it would have started one. Nothing tells that it did not.
    time.sleep(3)
    os.kill(silent, signal.SIGCONT)
    station.wait_ready()
    assert station.store_pid() != silent
    push_some(station)


def opened(pid: int) -> set[Path]:
    """The files that a process has open."""
    try:
        return {one.readlink() for one in Path(f"/proc/{pid}/fd").iterdir()}
    except OSError:
        return set()
