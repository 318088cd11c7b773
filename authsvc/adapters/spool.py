"""Records into Redis while it answers, else into the journal, and from there into Redis once it is back.

As long as the journal is not drained, what comes anew waits behind it there: so Redis gets one process's records in their
order. Redis may get a record twice, when a crash or a lost answer hides that it has it; settle knows records by their ids.
"""

import asyncio
from dataclasses import replace
from typing import Final

from authsvc.adapters.journal import Journal, JournalFile, Part
from authsvc.adapters.streams import BATCH, Batches, Write, issuance_write, packed, refusal_write
from authsvc.decide.journal import JournalEntry, Kind
from authsvc.errors import Unavailable
from wharfinger.runtime.log import Log
from wharfinger.wire import keys
from wharfinger.wire.codec import UnreadableRecord, decode, encode
from wharfinger.wire.issuance import Issuance, Refusal

LOOK_S: Final = 0.5
"""Between two looks for what is to be replayed, and whether Redis is back."""
_SAY_REPLAYING: Final = Write(packed(b"SET", keys.REPLAYING.encode(), b"1", b"PX", b"%d" % keys.REPLAYING_TTL_MS), 1)


class Spool:
    """The ports ``IssuanceStream`` and ``RefusalStream``."""

    def __init__(self, batches: Batches, journal: Journal, log: Log) -> None:
        self._batches = batches
        self._journal = journal
        self._log = log

    def away(self) -> bool:
        """Whether records go to the journal now."""
        return self._journal.behind

    async def record(self, record: Issuance | Refusal) -> None:
        """Return once it is durable, in Redis or on disk. Raises Unavailable: in neither."""
        value = encode(record)
        entry = JournalEntry(Kind.ISSUANCE if isinstance(record, Issuance) else Kind.REFUSAL, value)
        write = issuance_write(record, value) if isinstance(record, Issuance) else refusal_write(value)
        while self._journal.behind or not await self._in_redis(write):
            if await self._journal.append(entry):
                return

    async def ready(self) -> None:
        """Whether the disk has room for some records. Raises Unavailable."""
        await self._journal.ready()

    async def _in_redis(self, write: Write) -> bool:
        try:
            await self._batches.add(write)
        except Unavailable as fault:
            if not self._journal.behind:
                self._log("spool.opened", problem=str(fault))
            return False
        return True


class Replay:
    """Keeps looking for what waits in the journal, of this process and of dead ones, and sends it on in order."""

    def __init__(self, batches: Batches, journal: Journal, log: Log) -> None:
        self._batches = batches
        self._journal = journal
        self._log = log
        self._problem = ""

    async def run(self) -> None:
        """For as long as the process serves."""
        while True:
            try:
                await self.once()
            except Unavailable as fault:
                self._tell(str(fault))
            await asyncio.sleep(LOOK_S)

    async def once(self) -> int:
        """All that waits now; how many records. Raises Unavailable: Redis is still away, or the disk does not read."""
        await self._take_over()
        sent = 0
        try:
            while (found := await self._journal.oldest(BATCH, closing=sent > 0)) is not None:
                sent += await self._send(*found)
        finally:
            self._journal.release()
        if sent:
            self._log("spool.drained", records=sent)
        return sent

    async def _take_over(self) -> None:
        try:
            taken = await self._journal.take_over()
        except Unavailable as fault:
            self._tell(str(fault))
            return
        if taken:
            self._log("spool.taken_over", files=taken)

    async def _send(self, file: JournalFile, part: Part) -> int:
        writes = []
        for entry in part.entries:
            try:
                writes.append(_write(entry))
            except UnreadableRecord:
                # Whole, and yet no record: not of our writing.
                part = replace(part, damaged=part.damaged + len(entry.record))
        # Said with every part: while there is more to come, nobody must take a record for lost.
        await self._batches.together([*writes, _SAY_REPLAYING])
        self._problem = ""
        if part.damaged or part.torn:
            self._log("spool.damaged", file=file.path.name, damaged=part.damaged, torn=part.torn)
        await self._journal.replayed(file, part)
        return len(writes)

    def _tell(self, problem: str) -> None:
        if problem != self._problem:
            self._log("spool.waiting", problem=problem)
        self._problem = problem


def _write(entry: JournalEntry) -> Write:
    if entry.kind is Kind.REFUSAL:
        decode(Refusal, entry.record)
        return refusal_write(entry.record)
    return issuance_write(decode(Issuance, entry.record), entry.record)
