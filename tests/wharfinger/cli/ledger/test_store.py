"""``wharfinger ledger move --store-to``: from the embedded store into a real Redis, whatever ends it in between."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis

from tests.stores import Store
from tests.wharfinger.cli.houses import house, parsed, run
from wharfinger.cli.ledger.store import Target, move_store, target_of
from wharfinger.runtime import embedded
from wharfinger.runtime.errors import Misconfigured
from wharfinger.wire import keys

ENTRIES = 600


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A house whose store was in use, and was stopped."""
    made = house(tmp_path / "data")
    running = embedded.start(made)
    with redis.Redis.from_url(running.store.url) as client, client.pipeline() as everything:
        for number in range(ENTRIES):
            everything.xadd(keys.EVENTS, {"body": number})
        everything.xgroup_create(keys.EVENTS, keys.SETTLE_GROUP, id="0")
        everything.xreadgroup(keys.SETTLE_GROUP, "settle", {keys.EVENTS: ">"}, count=100)
        everything.execute()
    running.stop()
    return made


@pytest.fixture
def target(store_of: Callable[[str], Store]) -> Store:
    """An empty Redis of Debian's."""
    return store_of("redis")


def held(store: Store) -> tuple[int, int]:
    """How many entries a store holds, and how many of them are pending."""
    with store.client() as client:
        return client.xlen(keys.EVENTS), client.xpending(keys.EVENTS, keys.SETTLE_GROUP)["pending"]


@contextmanager
def another_up(data: Path) -> Iterator[None]:
    """Another process that has the lock of a running `up`: to its own process a record lock is none."""
    code = f"import pathlib, wharfinger.cli.up as up\nwith up.lock_or_exit(pathlib.Path({str(data)!r})): print(flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdin is not None
        assert other.stdout is not None
        assert other.stdout.readline() == b"\n"
        yield
        other.stdin.write(b"\n")
        other.stdin.close()


@pytest.mark.parametrize(
    ("given", "url", "shown"),
    [
        ("redis://store:6379/0", "redis://store:6379/0", "redis://store:6379/0"),
        ("redis://:${STORE_PASSWORD}@store/1", "redis://:geheim@store/1", "redis://:${STORE_PASSWORD}@store/1"),
        ("rediss://app:geheim@store:6380", "rediss://app:geheim@store:6380", "rediss://app:${REDIS_PASSWORD}@store:6380"),
        ("unix:///run/redis.sock?db=2", "unix:///run/redis.sock?db=2", "unix:///run/redis.sock?db=2"),
    ],
)
def test_a_password_is_not_shown(given: str, url: str, shown: str) -> None:
    """What is told and kept names a variable in its place; variables of the environment are put in."""
    assert target_of(given, {"STORE_PASSWORD": "geheim"}) == Target(url, shown)


def test_a_variable_that_is_not_set() -> None:
    """Told by its name, instead of asking a server with an empty password."""
    with pytest.raises(Misconfigured, match="STORE_PASSWORD"):
        target_of("redis://:${STORE_PASSWORD}@store", {})


def test_what_to_move_must_be_clear(tmp_path: Path) -> None:
    """A ledger or the store, one at a time, the store to a Redis: exit code 2."""
    made = house(tmp_path)
    for options in ((), ("--from", made / "wharfinger.yml", "--store-to", "redis://x"), ("--store-to", "http://x")):
        assert run("ledger", "move", *options, "--data", made).exit_code == 2


def test_there_is_no_store(tmp_path: Path) -> None:
    """Never started, or another folder: exit code 2, and nobody is asked."""
    found = run("ledger", "move", "--store-to", "redis://127.0.0.1:1", "--data", house(tmp_path / "data"))
    assert (found.exit_code, "there is no embedded store" in found.stderr) == (2, True)


def test_nobody_answers_there(tmp_path: Path) -> None:
    """Exit code 3; the old store goes on as if nothing had been asked."""
    made = house(tmp_path / "data")
    (made / "store").mkdir()
    found = run("ledger", "move", "--store-to", "redis://:geheim@127.0.0.1:1", "--data", made)
    assert (found.exit_code, "redis://:${REDIS_PASSWORD}@127.0.0.1:1 did not answer" in found.stderr) == (3, True)
    assert "geheim" not in found.output
    assert list((made / "store").iterdir()) == []


@pytest.mark.real
def test_what_is_told(data: Path, target: Store) -> None:
    """How much was moved, and what is to be written where; the old store is started no more, and not moved again."""
    found = run("ledger", "move", "--store-to", target.url, "--data", data)
    assert (found.exit_code, found.stdout.splitlines()) == (
        0,
        [
            f"moved 1 key; the embedded store is started no more. Write into {data}/wharfinger.yml:",
            f'redis: {{url: "{target.url}"}}',
        ],
    )
    assert held(target) == (ENTRIES, 100)
    with pytest.raises(Misconfigured, match="was moved to another Redis"):
        embedded.start(data)
    again = run("ledger", "move", "--store-to", target.url, "--data", data)
    assert (again.exit_code, "was moved before" in again.stderr) == (2, True)
    assert held(target) == (ENTRIES, 100)


@pytest.mark.real
def test_a_file_that_names_no_key_of_token_ids(data: Path, target: Store) -> None:
    """With a Redis of one's own it must: that is told too."""
    config = data / "wharfinger.yml"
    lines = config.read_text().splitlines(keepends=True)
    config.write_text("".join(line for line in lines if "jti_key_file" not in line))
    found = run("ledger", "move", "--store-to", target.url, "--data", data)
    assert (found.exit_code, found.stdout.splitlines()[-1]) == (0, f"jti_key_file: {data}/jti.key")


@pytest.mark.real
@pytest.mark.parametrize("at", [1, 2])
def test_killed_on_the_way(data: Path, target: Store, at: int) -> None:
    """While it copies, or compares: nothing of it is there, the old store is not started by mistake, and the same call does it."""
    child = os.fork()
    if child == 0:
        left = [at]

        def told(_keys: int) -> None:
            left[0] -= 1
            if not left[0]:
                os._exit(7)

        move_store(data, Target(target.url, ""), durable=True, told=told)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    with target.client() as client:
        assert [name for name in client.scan_iter() if not name.startswith(keys.MOVING.encode())] == []
    with pytest.raises(Misconfigured, match="is being moved"):
        embedded.start(data)
    assert parsed(run("ledger", "move", "--store-to", target.url, "--json", "--data", data)) == {"keys": 1, "url": target.url}
    assert held(target) == (ENTRIES, 100)


@pytest.mark.real
def test_killed_before_the_old_one_was_told(data: Path, target: Store) -> None:
    """The copy is the store already, and may be in use: it is left alone, and the old one marked."""
    assert run("ledger", "move", "--store-to", target.url, "--data", data).exit_code == 0
    (data / "store/moved").replace(data / "store/moving")  # as a crash between the two leaves it
    with target.client() as client:
        client.xadd(keys.EVENTS, {"body": "new"})
    assert run("ledger", "move", "--store-to", target.url, "--data", data).exit_code == 0
    assert held(target) == (ENTRIES + 1, 100)
    assert (data / "store/moved").exists()


@pytest.mark.real
def test_what_is_in_the_way(data: Path, target: Store) -> None:
    """Somebody's keys, or a server that forgets: exit code 2, and the old store goes on."""
    with target.client() as client:
        client.set("mine", "x")
        found = run("ledger", "move", "--store-to", target.url, "--data", data)
        assert (found.exit_code, "it is not empty: it has the key 'mine'" in found.stderr) == (2, True)
        client.delete("mine")
        client.config_set("appendfsync", "everysec")
        try:
            found = run("ledger", "move", "--store-to", target.url, "--data", data)
            assert (found.exit_code, "appendfsync is everysec, not always" in found.stderr) == (2, True)
            embedded.start(data).stop()
            assert run("ledger", "move", "--store-to", target.url, "--not-durable", "--data", data).exit_code == 0
        finally:
            client.config_set("appendfsync", "always")
    assert held(target) == (ENTRIES, 100)


@pytest.mark.real
def test_somebody_still_uses_the_old_store(data: Path, target: Store) -> None:
    """`up` has it: exit code 2, at once."""
    with another_up(data):
        found = run("ledger", "move", "--store-to", target.url, "--data", data)
    assert (found.exit_code, "another `wharfinger up` runs" in found.stderr) == (2, True)
    assert not (data / "store/moving").exists()
