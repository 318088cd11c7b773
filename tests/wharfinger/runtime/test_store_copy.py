"""One Redis copied into another, on real servers of two makes: the same entries, groups, pending ones and ends, once each."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis

from tests.stores import Store
from wharfinger.runtime.errors import Misconfigured, Unavailable
from wharfinger.runtime.store_copy import clear, copy, mark_of, require_fit, require_same, take_place
from wharfinger.wire import keys
from wharfinger.wire.names import Jti

pytestmark = pytest.mark.real

IN_AN_HOUR_MS = int((time.time() + 3_600) * 1_000)
JTI = Jti("0pDLmR9V8xGZ4-0_aTkqQwErTy")
MANY = 1_203
"""Of keys and of entries: more than two pages."""


@pytest.fixture
def source(store_of: Callable[[str], Store]) -> Iterator[redis.Redis]:
    """The embedded store, with every kind of key there is, and streams in every state."""
    with store_of("valkey").client() as client:
        fill(client)
        yield client


@pytest.fixture
def target(store_of: Callable[[str], Store]) -> Iterator[redis.Redis]:
    """Debian's redis-server, empty."""
    with store_of("redis").client() as client:
        yield client


def fill(client: redis.Redis) -> None:
    """Put everything in."""
    everything = client.pipeline()
    for number in range(MANY):
        everything.set(keys.issuance(Jti(f"{number:026}")), b"\xff%d" % number, pxat=IN_AN_HOUR_MS + number)
        everything.xadd(keys.EVENTS, {b"body": b"\x00\xfe%d" % number}, id=f"5-{number + 1}")
    everything.execute()
    client.set(keys.failures("h"), 3, ex=600)
    client.set("for ever", "")
    client.rpush("rq:queue:wharfinger-settle", "b", "a", "b")
    client.hset("rq:job:b", mapping={"data": b"\x00", "status": "queued"})
    client.sadd("rq:queues", "one", "two")
    client.zadd("rq:failed", {"x": 1.5, "y": 1_795_477_900.25})
    client.xgroup_create(keys.EVENTS, keys.SETTLE_GROUP, id="0")
    client.xgroup_create(keys.EVENTS, "others", id="5-3")
    for consumer, count in (("gone", 700), ("slow", 4)):
        client.xreadgroup(keys.SETTLE_GROUP, consumer, {keys.EVENTS: ">"}, count=count)
    client.xack(keys.EVENTS, keys.SETTLE_GROUP, "5-2", "5-703")
    client.xclaim(keys.EVENTS, keys.SETTLE_GROUP, "slow", 0, ["5-1"])
    client.xdel(keys.EVENTS, "5-4", "5-1203")  # one that is pending, and the newest
    # Settled and trimmed: empty, and its next id is known all the same.
    client.xadd(keys.REFUSALS, {"record": "x"}, id="9-9")
    client.xgroup_create(keys.REFUSALS, keys.SETTLE_GROUP, id="9-9")
    client.xtrim(keys.REFUSALS, maxlen=0)
    client.xadd(keys.ISSUANCES, {"record": "x"}, id="7-1")


def moved(source: redis.Redis, target: redis.Redis) -> int:
    """All of it, as `ledger move` does."""
    clear(target)
    copy(source, target)
    count = require_same(source, target)
    take_place(target, b"mine")
    return count


def streams(client: Any) -> dict[str, Any]:
    """What a server says of its streams, their groups, and what is pending in them."""
    found: dict[str, Any] = {}
    for name in keys.STREAMS:
        whole = client.xinfo_stream(name)
        # Whose entries were removed is kept by one make, and dropped by the other at the next look.
        there = {ident for ident, _ in client.xrange(name)}
        groups = client.xinfo_groups(name)
        for group in groups:
            group["consumers"] = sorted(one["name"] for one in client.xinfo_consumers(name, group["name"]))
            del group["pending"]
        pending = [
            (one["message_id"], one["consumer"], one["times_delivered"])
            for group in groups
            for one in client.xpending_range(name, group["name"].decode(), "-", "+", MANY)
            if one["message_id"] in there
        ]
        ids = [whole[what] for what in ("last-generated-id", "max-deleted-entry-id", "entries-added", "length")]
        found[name] = (client.xrange(name), ids, groups, pending)
    return found


def test_all_of_it(source: Any, target: Any) -> None:
    """Values, ends, lists in their order, streams with ids, groups, lag and what is pending; and nothing else."""
    count = moved(source, target)
    assert count == source.dbsize() == target.dbsize() - 1
    assert mark_of(target) == b"mine"
    assert set(target.scan_iter()) - set(source.scan_iter()) == {keys.MOVED.encode()}
    for name in source.scan_iter():
        assert target.execute_command("PEXPIRETIME", name) == source.execute_command("PEXPIRETIME", name)
        if source.type(name) == b"string":
            assert target.get(name) == source.get(name)
    for client in (source, target):
        assert client.lrange("rq:queue:wharfinger-settle", 0, -1) == [b"b", b"a", b"b"]
        assert client.hgetall("rq:job:b") == {b"data": b"\x00", b"status": b"queued"}
        assert client.smembers("rq:queues") == {b"one", b"two"}
        assert client.zrange("rq:failed", 0, -1, withscores=True) == [(b"x", 1.5), (b"y", 1_795_477_900.25)]
    assert streams(target) == streams(source)
    assert len(streams(target)[keys.EVENTS][3]) > 600


def test_reading_goes_on(source: Any, target: Any) -> None:
    """Pending entries are taken over, each with how often it was given; unread ones come next; ids only grow."""
    moved(source, target)
    claimed = target.xautoclaim(keys.EVENTS, keys.SETTLE_GROUP, "new", 0, count=MANY)[1]
    unread = target.xreadgroup(keys.SETTLE_GROUP, "new", {keys.EVENTS: ">"}, count=MANY)[0][1]
    read = [ident for ident, _ in [*claimed, *unread]]
    settled = {b"5-2", b"5-703"}
    assert sorted(read) == sorted({ident for ident, _ in source.xrange(keys.EVENTS)} - settled)
    first = target.xpending_range(keys.EVENTS, keys.SETTLE_GROUP, "5-1", "5-1", 1)[0]
    assert (first["consumer"], first["times_delivered"]) == (b"new", 3)
    with pytest.raises(redis.ResponseError, match="equal or smaller"):
        target.xadd(keys.REFUSALS, {"a": "b"}, id="9-9")


def test_nobody_sees_a_part_of_it(source: redis.Redis, target: redis.Redis) -> None:
    """Until the copy takes its place nothing stands under a real name; what an earlier copy left is no part of it."""
    target.set(keys.MOVING + "left over", "x")
    clear(target)
    copy(source, target)
    assert all(name.startswith(keys.MOVING.encode()) for name in target.scan_iter())
    copy(source, target)  # the same again is the same
    assert require_same(source, target) == source.dbsize()


DIFFERENCES: dict[str, tuple[Callable[[redis.Redis], Any], str]] = {
    "a value": (lambda one: one.set(keys.MOVING + "for ever", "x"), "for ever"),
    "an end": (lambda one: one.expire(keys.MOVING + "for ever", 100), "for ever"),
    "a kind": (lambda one: one.delete(keys.MOVING + "for ever") and one.sadd(keys.MOVING + "for ever", "x"), "for ever"),
    "a key that is missing": (lambda one: one.delete(keys.MOVING + keys.failures("h")), "failures"),
    "a key too many": (lambda one: one.set(keys.MOVING + "more", "x"), "more"),
    "the order of a list": (lambda one: one.rpoplpush(*[keys.MOVING + "rq:queue:wharfinger-settle"] * 2), "settle"),
    "an entry": (lambda one: one.xdel(keys.MOVING + keys.EVENTS, "5-9"), "events"),
    "what is pending": (lambda one: one.xack(keys.MOVING + keys.EVENTS, keys.SETTLE_GROUP, "5-9"), "events"),
    "who has it": (lambda one: one.xclaim(keys.MOVING + keys.EVENTS, keys.SETTLE_GROUP, "slow", 0, ["5-9"]), "events"),
    "how far a group is": (lambda one: one.xgroup_setid(keys.MOVING + keys.EVENTS, "others", "5-4"), "events"),
    "a group": (lambda one: one.xgroup_destroy(keys.MOVING + keys.REFUSALS, keys.SETTLE_GROUP), "refusals"),
}


@pytest.mark.parametrize("change", DIFFERENCES)
def test_what_is_not_the_same(source: redis.Redis, target: redis.Redis, change: str) -> None:
    """It is told, by its name."""
    copy(source, target)
    do, named = DIFFERENCES[change]
    do(target)
    with pytest.raises(Unavailable, match=named):
        require_same(source, target)


def test_a_server_that_is_not_empty(source: redis.Redis, target: redis.Redis) -> None:
    """It is somebody's, and stays as it is: also one who came while the copy was made."""
    target.set("mine", "x")
    with pytest.raises(Misconfigured, match="'mine'"):
        clear(target)
    copy(source, target)
    with pytest.raises(Misconfigured, match="not empty any more"):
        take_place(target, b"mine")
    assert [name for name in target.scan_iter() if not name.startswith(keys.MOVING.encode())] == [b"mine"]


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("appendfsync", "everysec", "appendfsync is everysec, not always"),
        ("maxmemory-policy", "allkeys-lru", "maxmemory-policy is allkeys-lru, not noeviction"),
    ],
)
def test_a_server_that_forgets(target: Any, name: str, value: str, told: str) -> None:
    """It is refused, with what must be set; unless that is known and wanted."""
    before = target.config_get(name)[name]
    require_fit(target, durable=True)
    target.config_set(name, value)
    try:
        with pytest.raises(Misconfigured, match=told):
            require_fit(target, durable=True)
        require_fit(target, durable=False)
    finally:
        target.config_set(name, before)


def test_a_server_that_does_not_tell(target: redis.Redis, store_of: Callable[[str], Store]) -> None:
    """Managed ones keep their settings to themselves: what is not known is not taken for good."""
    target.acl_setuser("app", enabled=True, nopass=True, keys=["*"], commands=["+@all", "-config"])
    try:
        with (
            redis.Redis.from_url(store_of("redis").url, username="app", password="x") as told,
            pytest.raises(Misconfigured, match="not told"),
        ):
            require_fit(told, durable=True)
    finally:
        target.acl_deluser("app")
