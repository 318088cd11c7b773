"""Copies all of one Redis into another that is empty, holds the two against each other, and lets the copy take its place.

Key by key with commands that every Redis 7 has: a dump of one server is not read by another of an older make. Streams keep the
ids of their entries, their groups and what is pending in them, with who has it and how often it was given to them; every key
keeps the moment at which it ends. Nothing is decided about what the keys mean.

The copy stands under names of its own until it is whole. Crash before it takes its place: nobody reads any of it, and the next
one begins anew. It takes its place in one script, which the server does, and keeps, whole or not at all. After that: the mark
that the script leaves says whose copy it is.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

import redis

from wharfinger.runtime.errors import Misconfigured, Unavailable
from wharfinger.wire import keys

PAGE: Final = 500
"""Keys, or entries of a stream, in one round trip."""
OLDEST: Final = 7
"""The first Redis whose streams say all that is copied of them."""
NEEDED: Final = {"appendonly": "yes", "appendfsync": "always", "maxmemory-policy": "noeviction"}
"""As the embedded store is set: what was answered is on disk, and stays."""

Told = Callable[[int], None]
Client = redis.Redis
Pipeline = Any

# One script, so that nobody sees a part of it: the copy under its real names, if nothing else is there.
_TAKE_PLACE: Final = """
local staged = redis.call('KEYS', ARGV[1] .. '*')
if #redis.call('KEYS', '*') ~= #staged then return redis.error_reply('NOTEMPTY') end
for _, name in ipairs(staged) do redis.call('RENAME', name, string.sub(name, #ARGV[1] + 1)) end
redis.call('SET', KEYS[1], ARGV[2])
return #staged
"""


def require_fit(target: Client, *, durable: bool) -> None:
    """Refuse a server that could not hold what must not be lost.

    Args:
        target: the server.
        durable: also one that is not set as the embedded store is, or does not say how it is set.

    Raises:
        Misconfigured: it is refused.
        redis.RedisError: it did not answer.
    """
    version = str(target.info("server")["redis_version"])
    if int(version.partition(".")[0]) < OLDEST:
        raise Misconfigured(f"it is Redis {version}: {OLDEST}.0 is the oldest that will do")
    if not durable:
        return
    try:
        found = cast("dict[str, str]", target.config_get(*NEEDED))
    except redis.ResponseError:
        found = {}  # a managed one may not tell
    wrong = [
        f"{name} is {found.get(name, 'not told')}, not {wanted}" for name, wanted in NEEDED.items() if found.get(name) != wanted
    ]
    if wrong:
        raise Misconfigured(f"it may lose what it answered: {', '.join(wrong)}")


def mark_of(target: Client) -> bytes | None:
    """Whose copy has taken its place there."""
    return cast("bytes | None", target.get(keys.MOVED))


def clear(target: Client) -> None:
    """Remove what an earlier copy left that never took its place. Raises Misconfigured where anything else is."""
    staged = []
    for page in _pages(target):
        if others := [name for name in page if not name.startswith(keys.MOVING.encode())]:
            raise Misconfigured(f"it is not empty: it has the key {others[0][:80].decode(errors='replace')!r}")
        staged += page
    for at in range(0, len(staged), PAGE):
        target.unlink(*staged[at : at + PAGE])


def copy(source: Client, target: Client, *, told: Told = lambda _keys: None) -> None:
    """Write every key of a server into another, under the copy's names."""
    done = 0
    for page in _pages(source):
        pipeline = target.pipeline(transaction=False)
        for one in _found(source, page):
            staged = _staged(one.name)
            # A page may hold a key that an earlier one held.
            pipeline.delete(staged)
            _KINDS[one.kind].write(source, one.name, pipeline, staged)
            if one.ends_at > 0:
                pipeline.pexpireat(staged, one.ends_at)
        pipeline.execute()
        done += len(page)
        told(done)


def require_same(source: Client, target: Client, *, told: Told = lambda _keys: None) -> int:
    """Hold a copy against what it is of. What has ended meanwhile is in neither.

    Returns:
        how many keys there are.

    Raises:
        Unavailable: they are not the same: somebody still writes to one of them.
    """
    names: set[bytes] = set()
    for page in _pages(source):
        copied = _contents(target, [_staged(name) for name in page])
        for name, content in _contents(source, page).items():
            names.add(name)
            if copied.get(_staged(name)) != content and source.exists(name):
                raise Unavailable(f"{name.decode(errors='replace')!r} is not the same in both")
        told(len(names))
    staged = {name for page in _pages(target) for name in page}
    if more := [name for name in staged - {_staged(name) for name in names} if target.exists(name)]:
        raise Unavailable(f"{more[0].decode(errors='replace')!r} is there alone")
    return len(names)


def take_place(target: Client, mark: bytes) -> None:
    """Give a whole copy its real names, all at once, and leave a mark. Raises Misconfigured when something else came there."""
    try:
        target.eval(_TAKE_PLACE, 1, keys.MOVED, keys.MOVING, mark)
    except redis.ResponseError as error:
        if "NOTEMPTY" not in str(error):
            raise
        raise Misconfigured("it is not empty any more: somebody else writes to it") from error


@dataclass(frozen=True, slots=True)
class _Key:
    name: bytes
    kind: bytes
    ends_at: int
    """Milliseconds since the epoch; -1: never."""


def _staged(name: bytes) -> bytes:
    return keys.MOVING.encode() + name


def _pages(client: Client) -> Iterator[list[bytes]]:
    cursor = 0
    while True:
        cursor, page = cast("tuple[int, list[bytes]]", client.scan(cursor, count=PAGE))
        yield page
        if cursor == 0:
            return


def _found(client: Client, names: Sequence[bytes]) -> list[_Key]:
    pipeline: Pipeline = client.pipeline(transaction=False)
    for name in names:
        pipeline.type(name)
        pipeline.pexpiretime(name)
    answers = pipeline.execute()
    found = zip(names, answers[::2], answers[1::2], strict=True)
    return [_Key(name, kind, ends_at) for name, kind, ends_at in found if kind != b"none"]


def _contents(client: Client, names: Sequence[bytes]) -> dict[bytes, object]:
    """What keys are compared by; without those that ended."""
    found = _found(client, names)
    strings = [one.name for one in found if one.kind == b"string"]
    values = dict(zip(strings, client.mget(strings), strict=True)) if strings else {}
    return {
        one.name: (
            one.kind,
            one.ends_at,
            values[one.name] if one.name in values else _KINDS[one.kind].content(client, one.name),
        )
        for one in found
    }


@dataclass(frozen=True, slots=True)
class _Kind:
    """How one kind of key is written into a pipeline, and what two of them are compared by."""

    write: Callable[[Client, bytes, Pipeline, bytes], None]
    content: Callable[[Client, bytes], object]


def _write_string(source: Client, name: bytes, to: Pipeline, staged: bytes) -> None:
    value = source.get(name)
    if value is not None:
        to.set(staged, value)


def _write_list(source: Client, name: bytes, to: Pipeline, staged: bytes) -> None:
    if values := source.lrange(name, 0, -1):
        to.rpush(staged, *values)


def _write_set(source: Client, name: bytes, to: Pipeline, staged: bytes) -> None:
    if values := source.smembers(name):
        to.sadd(staged, *values)


def _write_sorted_set(source: Client, name: bytes, to: Pipeline, staged: bytes) -> None:
    if values := cast("list[tuple[bytes, float]]", source.zrange(name, 0, -1, withscores=True)):
        to.zadd(staged, dict(values))


def _write_hash(source: Client, name: bytes, to: Pipeline, staged: bytes) -> None:
    if values := source.hgetall(name):
        to.hset(staged, mapping=values)


def _write_stream(source: Client, name: bytes, to: Pipeline, staged: bytes) -> None:
    found = source.xinfo_stream(name)
    # A stream without entries is there all the same: with this group of a moment.
    to.xgroup_create(staged, b"moving", id="0", mkstream=True)
    for page in _entries(source, name):
        for ident, fields in page:
            to.xadd(staged, fields, id=ident)
        to.execute()
    # Without these a group's lag could not be told, and an id might be given a second time.
    to.execute_command(
        "XSETID", staged, found["last-generated-id"],
        "ENTRIESADDED", found["entries-added"], "MAXDELETEDID", found["max-deleted-entry-id"],
    )  # fmt: skip
    for group in source.xinfo_groups(name):
        _write_group(source, name, group, to, staged)
    to.xgroup_destroy(staged, b"moving")


def _write_group(source: Client, name: bytes, group: dict[str, Any], to: Pipeline, staged: bytes) -> None:
    read = group["entries-read"]
    to.xgroup_create(staged, group["name"], id=group["last-delivered-id"], entries_read=-1 if read is None else read)
    for consumer in source.xinfo_consumers(name, group["name"]):
        to.xgroup_createconsumer(staged, group["name"], consumer["name"])
    for page in _pending(source, name, group["name"]):
        for one in page:
            # Of one whose entry was removed nothing is left that could be claimed; the server drops it here.
            to.xclaim(
                staged, group["name"], one["consumer"], 0, [one["message_id"]],
                idle=one["time_since_delivered"], retrycount=one["times_delivered"], force=True, justid=True,
            )  # fmt: skip
        to.execute()


def _stream_content(client: Client, name: bytes) -> object:
    hashed = hashlib.sha256()
    for page in _entries(client, name):
        hashed.update(repr(page).encode())
    found = client.xinfo_stream(name)
    counts = [found[what] for what in ("length", "last-generated-id", "max-deleted-entry-id", "entries-added")]
    groups = {group["name"]: _group_content(client, name, group) for group in client.xinfo_groups(name)}
    return hashed.digest(), counts, groups


def _group_content(client: Client, name: bytes, group: dict[str, Any]) -> object:
    consumers = {one["name"] for one in client.xinfo_consumers(name, group["name"])}
    pending = [
        (one["message_id"], one["consumer"], one["times_delivered"])
        for page in _pending(client, name, group["name"])
        for one in _there(client, name, page)
    ]
    return group["last-delivered-id"], group["entries-read"], consumers, pending


def _there(client: Client, name: bytes, page: list[dict[str, Any]]) -> list[dict[str, Any]]:
    pipeline = client.pipeline(transaction=False)
    for one in page:
        pipeline.xrange(name, one["message_id"], one["message_id"])
    return [one for one, entry in zip(page, pipeline.execute(), strict=True) if entry]


def _entries(client: Client, name: bytes) -> Iterator[list[tuple[bytes, dict[bytes, bytes]]]]:
    start = "-"
    while page := cast("list[tuple[bytes, dict[bytes, bytes]]]", client.xrange(name, min=start, count=PAGE)):
        yield page
        start = "(" + page[-1][0].decode()


def _pending(client: Client, name: bytes, group: bytes) -> Iterator[list[dict[str, Any]]]:
    start = "-"
    while page := cast("list[dict[str, Any]]", client.xpending_range(name, group.decode(), min=start, max="+", count=PAGE)):
        yield page
        start = "(" + page[-1]["message_id"].decode()


_KINDS: Final = {
    b"string": _Kind(_write_string, lambda client, name: client.get(name)),
    b"list": _Kind(_write_list, lambda client, name: client.lrange(name, 0, -1)),
    b"set": _Kind(_write_set, lambda client, name: client.smembers(name)),
    b"zset": _Kind(_write_sorted_set, lambda client, name: client.zrange(name, 0, -1, withscores=True)),
    b"hash": _Kind(_write_hash, lambda client, name: client.hgetall(name)),
    b"stream": _Kind(_write_stream, _stream_content),
}
