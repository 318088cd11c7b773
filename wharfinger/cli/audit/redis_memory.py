"""What Redis still holds of an account: settled stream entries, and token records. Removes it; what is not settled yet stays.

An entry that settle has not read must reach the ledger first: run the erasure again for what came meanwhile. Token records are
found by what the ledger erased, and by their stream entries: an erasure that goes on after a crash, or after Redis was away,
knows no more which tokens the ledger had erased before.
"""

import json
import time
from collections.abc import Iterable, Iterator
from typing import Final, cast

import redis

from wharfinger.wire import keys
from wharfinger.wire.codec import UnreadableRecord
from wharfinger.wire.issuance import issuance_from_fields, refusal_from_fields
from wharfinger.wire.names import Jti
from wharfinger.wire.notification import decompress, from_fields

PAGE: Final = 500
REWRITE_S: Final = 60.0
"""A gigabyte is written anew in some ten seconds."""
POLL_S: Final = 0.05

Fields = dict[bytes, bytes]
Entry = tuple[bytes, Fields]


def forget(client: redis.Redis, account: str, jtis: Iterable[str]) -> int:
    """Remove an account's entries and token records. Returns how many went. Raises redis.RedisError."""
    gone = 0
    for stream, ident, fields in _telling(client, account):
        if stream == keys.ISSUANCES:
            # Before the entry that leads to it.
            gone += client.delete(keys.issuance(issuance_from_fields(fields).jti))
        gone += client.xdel(stream, ident)
    wanted = [keys.issuance(Jti(jti)) for jti in jtis]
    for at in range(0, len(wanted), PAGE):
        gone += client.delete(*wanted[at : at + PAGE])
    return gone


def remembers(client: redis.Redis, account: str) -> bool:
    """Whether there is an entry to remove. Raises redis.RedisError."""
    return any(True for _ in _telling(client, account))


def forget_on_disk(client: redis.Redis, *, wait_s: float = REWRITE_S) -> bool:
    """Have the server write its file of commands anew, for what was removed stands in it still.

    NOTE: an entry that is removed from a stream is only marked so in its block, and no command reads it again; the block, with
    the entry in it, is written to the file until it is trimmed as a whole: after an hour, one of tokens after a day.

    Returns:
        whether it did; False when it is not done in time, or may not be told to.

    Raises:
        redis.RedisError: it did not answer.
    """
    if not client.info("persistence").get("aof_enabled"):
        return True  # no file of commands; a snapshot is overwritten by the next one
    until = time.monotonic() + wait_s
    # One that began before may have seen what was removed since.
    if not _rewritten(client, until):
        return False
    try:
        client.bgrewriteaof()
    except redis.ResponseError:
        return False
    return _rewritten(client, until) and client.info("persistence")["aof_last_bgrewrite_status"] == "ok"


def _rewritten(client: redis.Redis, until: float) -> bool:
    """Whether no rewrite is under way or waits, at last."""
    while any(client.info("persistence")[what] for what in ("aof_rewrite_in_progress", "aof_rewrite_scheduled")):
        if time.monotonic() > until:
            return False
        time.sleep(POLL_S)
    return True


def _telling(client: redis.Redis, account: str) -> Iterator[tuple[str, bytes, Fields]]:
    for stream in keys.STREAMS:
        settled = _settled_up_to(client, stream)
        if settled is None:
            continue
        for ident, fields in _entries(client, stream, settled):
            if _tells_of(stream, fields, account):
                yield stream, ident, fields


def _settled_up_to(client: redis.Redis, stream: str) -> bytes | None:
    """The last entry before which all is acknowledged; None when nothing is."""
    groups = client.xinfo_groups(stream) if client.exists(stream) else []
    ours = [group for group in groups if group["name"] in (keys.SETTLE_GROUP, keys.SETTLE_GROUP.encode())]
    if not ours:
        return None
    pending = client.xpending(stream, keys.SETTLE_GROUP)["min"]
    return b"(" + pending if pending else cast("bytes", ours[0]["last-delivered-id"])


def _entries(client: redis.Redis, stream: str, until: bytes) -> Iterator[Entry]:
    start = b"-"
    while page := cast("list[Entry]", client.xrange(stream, min=start.decode(), max=until.decode(), count=PAGE)):
        yield from page
        start = b"(" + page[-1][0]


def _tells_of(stream: str, fields: Fields, account: str) -> bool:
    try:
        if stream == keys.ISSUANCES:
            return issuance_from_fields(fields).account == account
        if stream == keys.REFUSALS:
            return refusal_from_fields(fields).account == account
        stored = from_fields(fields)
        body = b"" if stored.notification.spill or stored.notification.dropped else decompress(stored.compressed)
    except UnreadableRecord:
        return False
    # An event's actor is account#jti, in JSON. More may go than must: all of it is in the ledger.
    names = {account, json.dumps(account)[1:-1]}
    return any(f'"{name}{mark}'.encode() in body for name in names for mark in ("#", '"'))
