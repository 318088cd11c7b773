"""Ingest: one authorised post becomes a durable stream entry; only then may it be answered with 202.

The body is hashed and compressed as it arrives, and goes to disk once it is big: many big posts at once take little memory.
Crash before the entry is written: no answer was given, the registry posts again; a spilled file is an orphan, which sweep
removes. Crash after it, before the answer: the registry posts again, and settle knows the event by its id.
"""

import hashlib
import zlib
from dataclasses import dataclass

from notifier.decide.placing import Arrived, Place, notification, place
from notifier.errors import Unavailable
from notifier.ports import Clock, EventStream, Post, Spill, SpillFile
from wharfinger.wire.notification import Notification, StoredNotification


@dataclass(frozen=True, slots=True)
class Ingest:
    """The use case with what it needs."""

    stream: EventStream
    spill: Spill
    clock: Clock

    async def run(self, post: Post) -> Notification:
        """Store one post.

        Raises:
            Unavailable: it could not be stored. BrokenOff: it did not come whole. In both cases nothing is kept.
        """
        received_at = self.clock()
        body = _Body(self.spill, received_at)
        try:
            async for chunk in post.chunks:
                await body.take(chunk)
            kept = await body.end()
        except BaseException:
            await body.discard()
            raise
        record = notification(
            Arrived(
                source=post.source,
                peer=post.peer,
                received_at=received_at,
                size=body.size,
                sha256=body.sha256.hexdigest(),
                content_type=post.content_type,
                compressed=body.compressed,
                spill=kept,
            )
        )
        inline = b"" if record.spill or record.dropped else bytes(body.held)
        try:
            await self.stream.append(StoredNotification(record, inline))
        except Unavailable:
            # The registry tries each second, and a file left by each try fills the disk. If the entry was taken all the same,
            # settle finds its body lost, and the event whole in the registry's next try.
            await body.discard()
            raise
        return record


class _Body:
    """A body on its way: hashed, compressed, held in memory while small."""

    def __init__(self, spill: Spill, received_at: int) -> None:
        self.size = 0
        self.compressed = 0
        self.sha256 = hashlib.sha256()
        self.held = bytearray()
        self._spill = spill
        self._received_at = received_at
        # Level 1: the answer's latency counts for more than bytes.
        self._deflater = zlib.compressobj(1)
        self._file: SpillFile | None = None

    async def take(self, chunk: bytes) -> None:
        """One piece. Beyond every possible size it is only hashed and counted."""
        self.size += len(chunk)
        self.sha256.update(chunk)
        if place(size=self.size, compressed=self.compressed) is Place.DROPPED:
            await self.discard()
            return
        await self._store(self._deflater.compress(chunk))

    async def end(self) -> str:
        """All of it came; the name of the durable file, if there is one."""
        if place(size=self.size, compressed=self.compressed) is Place.DROPPED:
            return ""
        await self._store(self._deflater.flush())
        return "" if self._file is None else await self._file.keep()

    async def discard(self) -> None:
        """Forget what was kept."""
        self.held.clear()
        if self._file is not None:
            await self._file.discard()
            self._file = None

    async def _store(self, data: bytes) -> None:
        self.compressed += len(data)
        if self._file is None and place(size=self.size, compressed=self.compressed) is Place.SPILLED:
            self._file = await self._spill.open(received_at=self._received_at)
            data, self.held = bytes(self.held) + data, bytearray()
        if self._file is None:
            self.held += data
        elif data:
            await self._file.write(data)
