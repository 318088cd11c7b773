"""The three streams read through one consumer group (redis-py, synchronous). Decodes entries, decides nothing about them.

An entry is acknowledged after SQL has committed it. Until then it is pending: another consumer takes it over after CLAIM_MS,
so a worker that was killed or stopped delays its batch by that and no longer.
"""

import hashlib
from collections.abc import Callable, Iterator
from typing import Final, cast

import redis

from wharfinger.wire import keys
from wharfinger.wire.codec import UnreadableRecord
from wharfinger.wire.issuance import Issuance, Refusal, issuance_from_fields, refusal_from_fields
from wharfinger.wire.notification import StoredNotification, from_fields
from workers.adapters.redis_errors import unavailable_when_silent
from workers.decide.plan import Unreadable
from workers.ports import Batch

BATCH: Final = 300
"""Entries a stream: notifications take 64 KiB each at most, so a batch stays under 20 MB. Four times as many took no less CPU
time a record, and the more a commit writes, the longer the notifier's own syncs wait for it."""
CLAIM_MS: Final = 2_000
"""A batch takes tens of milliseconds; one that is not acknowledged after this was dropped, or its worker stopped."""
Fields = dict[bytes, bytes]
Raw = tuple[bytes, Fields]


class RedisStreams:
    """The ports ``Streams`` and ``Backlog`` on a Redis server."""

    def __init__(self, client: redis.Redis, *, consumer: str) -> None:
        self._redis = client
        self._consumer = consumer
        self._has_groups = False

    def next(self) -> Batch | None:
        """The next entries: abandoned ones first, so that nothing starves."""
        with unavailable_when_silent():
            self._ensure_groups()
            try:
                read = self._abandoned() or self._unread()
            except redis.ResponseError as error:
                # The server came back empty: without the group, without the entries.
                if "NOGROUP" not in str(error):  # not at the start: a pipeline says first which command it was
                    raise
                self._has_groups = False
                self._ensure_groups()
                read = self._unread()
        return _batch(read) if read else None

    def holds(self, batch: Batch) -> bool:
        """Whether every entry is pending for this consumer. Whoever takes one over becomes its consumer before it reads it."""
        with unavailable_when_silent():
            pipeline = self._redis.pipeline(transaction=False)
            for stream, ids in batch.ids:
                for ident in ids:
                    pipeline.xpending_range(stream, keys.SETTLE_GROUP, ident, ident, 1, consumername=self._consumer)
            return all(pipeline.execute())

    def acknowledge(self, batch: Batch) -> None:
        """XACK each entry; the entries themselves stay until they are old (others may read them)."""
        with unavailable_when_silent():
            pipeline = self._redis.pipeline(transaction=False)
            for stream, ids in batch.ids:
                pipeline.xack(stream, keys.SETTLE_GROUP, *ids)
            pipeline.execute()

    def lag(self) -> bool:
        """Whether an entry waits unread, or was read by somebody who does not acknowledge it."""
        with unavailable_when_silent():
            # Looked for each time: a server that came back empty has no groups, and what is written without one waits unseen.
            self._has_groups = False
            self._ensure_groups()
            return any(self._waits(stream) for stream in keys.STREAMS)

    def _waits(self, stream: str) -> bool:
        groups = cast("list[dict[str, object]]", self._redis.xinfo_groups(stream))
        lags = [group.get("lag") for group in groups if group["name"] in (keys.SETTLE_GROUP, keys.SETTLE_GROUP.encode())]
        if any(lag is None or cast("int", lag) > 0 for lag in lags):
            return True
        return bool(self._redis.xpending_range(stream, keys.SETTLE_GROUP, min="-", max="+", count=1, idle=CLAIM_MS))

    def _ensure_groups(self) -> None:
        if self._has_groups:
            return
        for stream in keys.STREAMS:
            try:
                # From the stream's beginning: what was written before settle first ran counts too.
                self._redis.xgroup_create(stream, keys.SETTLE_GROUP, id="0", mkstream=True)
            except redis.OutOfMemoryError:
                continue  # a full server does not even look; if the group is missing, reading says so
            except redis.ResponseError as error:
                if not str(error).startswith("BUSYGROUP"):
                    raise
        self._has_groups = True

    def _abandoned(self) -> list[tuple[str, list[Raw]]]:
        pipeline = self._redis.pipeline(transaction=False)
        for stream in keys.STREAMS:
            pipeline.xautoclaim(stream, keys.SETTLE_GROUP, self._consumer, CLAIM_MS, "0-0", count=BATCH)
        found = []
        for stream, claimed in zip(keys.STREAMS, pipeline.execute(), strict=True):
            # An entry that was trimmed meanwhile comes back without fields.
            entries = [(ident, fields) for ident, fields in cast("tuple[object, list[Raw]]", claimed)[1] if fields]
            if entries:
                found.append((stream, entries))
        return found

    def _unread(self) -> list[tuple[str, list[Raw]]]:
        answer = self._redis.xreadgroup(
            keys.SETTLE_GROUP, self._consumer, streams=dict.fromkeys(keys.STREAMS, ">"), count=BATCH, block=None
        )
        # redis-py types both of its protocols at once; RESP2 gives a list of streams.
        return [(stream.decode(), entries) for stream, entries in cast("list[tuple[bytes, list[Raw]]]", answer or [])]


def _batch(read: list[tuple[str, list[Raw]]]) -> Batch:
    records: list[Issuance | Refusal | Unreadable] = []
    notifications: list[StoredNotification] = []
    notification_ids: list[bytes] = []
    for stream, entries in read:
        for ident, decoded in _decoded(stream, entries):
            if isinstance(decoded, StoredNotification):
                notifications.append(decoded)
                notification_ids.append(ident)
            else:
                records.append(decoded)
    ids = tuple((stream, tuple(ident for ident, _ in entries)) for stream, entries in read)
    return Batch(tuple(records), tuple(notifications), ids, tuple(notification_ids))


Decoded = Issuance | Refusal | StoredNotification
_READERS: Final[dict[str, Callable[[Fields], Decoded]]] = {
    keys.ISSUANCES: issuance_from_fields,
    keys.REFUSALS: refusal_from_fields,
    keys.EVENTS: from_fields,
}


def _decoded(stream: str, entries: list[Raw]) -> Iterator[tuple[bytes, Decoded | Unreadable]]:
    for ident, fields in entries:
        try:
            yield ident, _READERS[stream](fields)
        except UnreadableRecord as fault:
            content = b"\x00".join(part for pair in fields.items() for part in pair)
            unreadable = Unreadable(
                problem=f"an entry of {stream} is {fault}",
                source="",
                peer="",
                received_at=int(ident.partition(b"-")[0]),
                size=len(content),
                sha256=hashlib.sha256(content).hexdigest(),
                raw=b"",
            )
            yield ident, unreadable
