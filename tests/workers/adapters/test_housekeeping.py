"""The port Housekeeping: its suite on the fake and on Redis with a spill folder, and what is never removed."""

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import redis
from msgspec import structs

from tests.stores import STORES, WITH_SCRIPTS, Store
from tests.workers.adapters.test_streams import Writer, issued, posted, refused
from tests.workers.fakes import MemoryHousekeeping
from wharfinger.wire import keys
from wharfinger.wire.issuance import Issuance
from wharfinger.wire.names import Jti
from wharfinger.wire.scope import Scope
from workers.adapters.housekeeping import KEEP_MS, ORPHAN_S, SHARE, RedisHousekeeping
from workers.adapters.streams import RedisStreams
from workers.errors import Unavailable
from workers.ports import Housekeeping

DAYS_MS = 2 * 24 * 3_600_000
MANY = 250
"""More than two of a stream's nodes: Redis trims by whole ones."""


@dataclass
class Subject:
    """An implementation, how old things that are committed come into it, and the same with nobody there."""

    port: Housekeeping
    add_old: Callable[[], None]
    gone: Housekeeping


@pytest.fixture(params=[pytest.param("fake"), *STORES])
def subject(request: pytest.FixtureRequest, store_of: Callable[[str], Store], tmp_path: Path) -> Iterator[Subject]:
    """Each implementation."""
    if request.param == "fake":
        fake = MemoryHousekeeping()
        yield Subject(fake, lambda: setattr(fake, "old_and_committed", MANY), MemoryHousekeeping(gone=True))
        return
    store = store_of(request.param)
    client, nobody = store.client(), store.gone().client()

    def add_old() -> None:
        write(client, keys.EVENTS, MANY, age_ms=DAYS_MS)
        settle(client)

    yield Subject(RedisHousekeeping(client, tmp_path), add_old, RedisHousekeeping(nobody, tmp_path))
    client.close()
    nobody.close()


def write(client: redis.Redis, stream: str, count: int, *, age_ms: int) -> None:
    """Entries of an age."""
    first = int(time.time() * 1_000) - age_ms
    for number in range(count):
        client.xadd(stream, {b"record": b"{}"}, id=f"{first}-{number}")


def settle(client: redis.Redis, *, acknowledge: bool = True) -> None:
    """Read all that is unread, and commit it unless told otherwise."""
    streams = RedisStreams(client, consumer="one")
    while batch := streams.next():
        if acknowledge:
            streams.acknowledge(batch)


def test_nothing_to_remove(subject: Subject) -> None:
    """Also before anything was ever written."""
    assert subject.port.tidy() == 0


def test_what_is_old_and_committed_goes(subject: Subject) -> None:
    """Once."""
    subject.add_old()
    assert subject.port.tidy() > 0
    assert subject.port.tidy() == 0


def test_nobody_answers(subject: Subject) -> None:
    """Nothing is removed on a guess."""
    for call in (subject.gone.tidy, subject.gone.make_room):
        with pytest.raises(Unavailable):
            call()


@pytest.mark.parametrize("stream", keys.STREAMS)
def test_each_stream_is_kept_for_its_time(store: Store, tmp_path: Path, stream: str) -> None:
    """What is younger stays for others to read, though it is committed."""
    client = store.client()
    write(client, stream, MANY, age_ms=KEEP_MS[stream] + 60_000)
    write(client, stream, MANY, age_ms=KEEP_MS[stream] - 60_000)
    settle(client)
    RedisHousekeeping(client, tmp_path).tidy()
    assert MANY <= client.xlen(stream) < 2 * MANY
    client.close()


def test_what_is_unread_stays(store: Store, tmp_path: Path) -> None:
    """However old it is, and whether settle ever ran or not."""
    client = store.client()
    write(client, keys.EVENTS, MANY, age_ms=DAYS_MS)
    assert RedisHousekeeping(client, tmp_path).tidy() == 0
    client.xgroup_create(keys.EVENTS, keys.SETTLE_GROUP, id="0")
    assert RedisHousekeeping(client, tmp_path).tidy() == 0
    assert client.xlen(keys.EVENTS) == MANY
    client.close()


def test_what_is_pending_stays(store: Store, tmp_path: Path) -> None:
    """It was read, but SQL has not committed it: nothing from there on goes."""
    client = store.client()
    write(client, keys.EVENTS, MANY, age_ms=DAYS_MS)
    settle(client)
    write(client, keys.EVENTS, MANY, age_ms=DAYS_MS - 1_000)
    settle(client, acknowledge=False)
    RedisHousekeeping(client, tmp_path).tidy()
    pending = client.xpending(keys.EVENTS, keys.SETTLE_GROUP)
    assert isinstance(pending, dict)
    assert pending["pending"] == MANY
    assert client.xrange(keys.EVENTS, min=pending["min"], max=pending["min"])
    assert client.xlen(keys.EVENTS) >= MANY
    client.close()


def file(folder: Path, name: str, *, age_s: float) -> Path:
    """A spill file of an age."""
    made = folder / name
    made.write_bytes(b"x")
    os.utime(made, (time.time() - age_s,) * 2)
    return made


def test_orphaned_files(store: Store, tmp_path: Path) -> None:
    """Kept or half written, they go when they are old; what is young may belong to a post on its way, a folder to anybody."""
    client = store.client()
    old = [file(tmp_path, name, age_s=ORPHAN_S + 60) for name in ("1-a.z", "2-b.z.part")]
    young = file(tmp_path, "3-c.z", age_s=ORPHAN_S - 60)
    (tmp_path / "folder").mkdir()
    os.utime(tmp_path / "folder", (0, 0))
    assert RedisHousekeeping(client, tmp_path).tidy() == 2
    assert not any(one.exists() for one in old)
    assert young.exists()
    assert (tmp_path / "folder").is_dir()
    client.close()


def test_files_of_a_backlog_stay(store: Store, tmp_path: Path) -> None:
    """While an entry of their time is in the stream, so may be the one that names them."""
    client = store.client()
    write(client, keys.EVENTS, 1, age_ms=DAYS_MS)
    named = file(tmp_path, "1-a.z", age_s=DAYS_MS / 1_000 + 1)
    orphan = file(tmp_path, "0-b.z", age_s=DAYS_MS / 1_000 + ORPHAN_S + 60)
    assert RedisHousekeeping(client, tmp_path).tidy() == 1
    assert (named.exists(), orphan.exists()) == (True, False)
    client.close()


def test_without_a_spill_folder(store: Store, tmp_path: Path) -> None:
    """No body was ever too big."""
    client = store.client()
    assert RedisHousekeeping(client, tmp_path / "none").tidy() == 0
    client.close()


def test_settled_records_stay_for_others(store: Store, tmp_path: Path) -> None:
    """Entries as the services write them are young: nothing is removed right after settling."""
    client = store.client()
    Writer(client).add(issued(), refused(), posted())
    settle(client)
    assert RedisHousekeeping(client, tmp_path).tidy() == 0
    assert [client.xlen(stream) for stream in keys.STREAMS] == [1, 1, 1]
    client.close()


def big(number: int) -> Issuance:
    """An issuance as big as a stranger can have one written: a hundred long scopes."""
    asked = tuple(Scope("repository", f"{'a' * 250}{at}", ("pull",)) for at in range(100))
    return structs.replace(issued(number), asked=asked)


@pytest.mark.parametrize("store", WITH_SCRIPTS, indirect=True)
def test_nothing_young_goes_while_there_is_room(store: Store, tmp_path: Path) -> None:
    """Others may read it."""
    client = store.client()
    Writer(client).add(issued(), refused(), posted())
    settle(client)
    assert RedisHousekeeping(client, tmp_path).make_room() == 0
    assert [client.xlen(stream) for stream in keys.STREAMS] == [1, 1, 1]
    client.close()


@pytest.mark.parametrize("store", WITH_SCRIPTS, indirect=True)
def test_room_is_made_when_memory_is_short(store: Store, tmp_path: Path) -> None:
    """What is committed goes, oldest first, and so do tokens' keys; what is not committed stays, whatever happens."""
    client = store.client()
    empty = used(client)
    for number in range(MANY):
        Writer(client).add(big(number))
        client.set(keys.issuance(issued(number).jti), b"x" * 50_000)
    settle(client)
    Writer(client).add(issued(MANY))
    client.config_set("maxmemory", SHARE * (empty + used(client)) // 2)
    try:
        first = client.xrange(keys.ISSUANCES, count=1)
        gone = RedisHousekeeping(client, tmp_path).make_room()
        assert 0 < gone < MANY
        assert client.xlen(keys.ISSUANCES) == MANY + 1 - gone
        assert client.xrange(keys.ISSUANCES, count=1) != first
        assert len(client.keys(keys.issuance(Jti("*")))) == MANY - gone
        assert used(client) * SHARE <= client.info("memory")["maxmemory"]
        client.config_set("maxmemory", SHARE * empty // 2)
        RedisHousekeeping(client, tmp_path).make_room()
        # What settle read last stands for the place it is at, and the newest is not committed.
        assert client.xlen(keys.ISSUANCES) == 2
    finally:
        client.config_set("maxmemory", 0)
    client.close()


def used(client: redis.Redis) -> int:
    """Bytes the server has."""
    return int(client.info("memory")["used_memory"])
