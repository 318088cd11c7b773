"""The journal: records on disk while Redis is away, in a file for each process, synced before a token leaves.

What asks at once shares one sync. A file belongs to who holds its lock (flock), which ends with the process: another one then
takes it over. Nothing is ever added to a file that was taken over, so only its end can be torn.

Crash before a sync returned: the record may be there or not; its token did not leave. After it: the file stays, and is replayed
by the next start, or by a sibling, within moments. While it is replayed, or after that and before it is removed: all of it is
replayed again, and settle knows each record by its id. A removal that a power cut undoes means the same.
"""

import asyncio
import errno
import fcntl
import os
import secrets
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from authsvc.decide.journal import Damaged, JournalEntry, read, written
from authsvc.errors import Misconfigured, Unavailable
from wharfinger.runtime.disk import sync_folder

SUFFIX: Final = ".journal"
DAMAGED_SUFFIX: Final = ".damaged"
READ_SIZE: Final = 1024 * 1024
"""Bytes read at once, more than any record has: a form is 64 KiB at most, and stands in its record twice."""
LITTLE: Final = 64 * 1024
"""Bytes: about a hundred records, which are replayed in one round trip or two."""
FILE_SIZE: Final = 8 * 1024 * 1024
"""Bytes after which another file is begun: what is replayed frees its room, and a crash repeats no more than this."""
PACE: Final = 50
"""Records that may be added for each part that is replayed: a part holds twice as many."""

_Waiting = tuple[bytes, asyncio.Future[bool]]


@dataclass(frozen=True, slots=True)
class Part:
    """Entries to replay. ``upto``: where the next part starts.

    ``damaged``: bytes between that are no entries; ``torn``: bytes after the last line's end, which a crash left unsynced.
    """

    entries: tuple[JournalEntry, ...]
    upto: int
    damaged: int = 0
    torn: int = 0


class JournalFile:
    """One file, locked. Everything here blocks."""

    def __init__(self, path: Path, descriptor: int, size: int) -> None:
        self.path = path
        self.size = size
        """Bytes that are synced."""
        self.replayed = 0
        """Bytes that Redis has; known to this process only."""
        self.damaged = 0
        self.sound = True
        """Whether more may be added."""
        self._descriptor = descriptor

    @classmethod
    def create(cls, folder: Path) -> "JournalFile":
        """A new one of our own. Raises OSError."""
        while True:
            # In the order of their making, for who takes several over.
            path = folder / f"{time.time_ns():020d}-{secrets.token_hex(4)}{SUFFIX}"
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            if _lock(descriptor, path):
                made = cls(path, descriptor, 0)
                try:
                    sync_folder(folder)
                except OSError:
                    made.remove()
                    raise
                return made
            os.close(descriptor)  # a sibling found it before it was locked, empty, and has removed it

    @classmethod
    def take_over(cls, path: Path) -> "JournalFile | None":
        """One that a dead process left; None when its owner lives, or somebody else was quicker. Raises OSError."""
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        if _lock(descriptor, path):
            return cls(path, descriptor, os.fstat(descriptor).st_size)
        os.close(descriptor)
        return None

    def append(self, data: bytes) -> None:
        """Add lines, and sync. Raises OSError, and then nothing was added: a part that did not fit is cut off again."""
        try:
            done = 0
            while done < len(data):
                done += os.pwrite(self._descriptor, data[done:], self.size + done)
            os.fdatasync(self._descriptor)
        except OSError:
            # After a sync that failed nobody can tell what of the file will be on disk: the next goes into another one.
            self.sound = False
            with suppress(OSError):
                os.ftruncate(self._descriptor, self.size)
            raise
        self.size += len(data)

    def part(self, most: int) -> Part:
        """What comes next to replay: so many entries at most. Raises OSError."""
        asked = min(READ_SIZE, self.size - self.replayed)
        data = os.pread(self._descriptor, asked, self.replayed)
        entries: list[JournalEntry] = []
        upto = damaged = 0
        for piece in read(data):
            upto = piece.upto
            if isinstance(piece.found, Damaged):
                damaged += piece.found.size
                continue
            entries.append(piece.found)
            if len(entries) == most:
                break
        if upto:
            return Part(tuple(entries), self.replayed + upto, damaged)
        # No line's end in all that: the torn end of a file that was taken over, or longer than any line is.
        if asked < READ_SIZE:
            return Part((), self.size, torn=asked)
        return Part((), self.replayed + asked, damaged=asked)

    def remove(self) -> None:
        """Everything was replayed. With damage in it, it is kept under another name, for people. Raises OSError."""
        if self.damaged:
            self.path.rename(self.path.with_suffix(DAMAGED_SUFFIX))
        else:
            self.path.unlink(missing_ok=True)
        self.close()

    def close(self) -> None:
        """Let it go: whoever comes next takes it over."""
        os.close(self._descriptor)


class Journal:
    """The files that this process has to replay, oldest first, the last of which takes what comes. ``budget``: bytes of all."""

    def __init__(self, folder: Path, budget: int) -> None:
        self._folder = folder
        self._budget = budget
        self._files: list[JournalFile] = []
        self._own: JournalFile | None = None
        self._waiting: list[_Waiting] = []
        self._flush: asyncio.Task[None] | None = None
        self._held = False
        self._paced = False
        self._step = asyncio.Event()

    def prepare(self) -> None:
        """Make the folder. Raises Misconfigured."""
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise Misconfigured(f"issuance.on_store_failure: cannot make {self._folder}: {error.strerror}") from error

    @property
    def behind(self) -> bool:
        """Whether something waits to be replayed, so that what comes now must wait behind it."""
        return bool(self._files or self._waiting) or (self._flush is not None and not self._flush.done())

    async def append(self, entry: JournalEntry) -> bool:
        """Add a record: True once it is durable; False when all that was before it is in Redis by now. Raises Unavailable."""
        line = written(entry)
        if len(line) > READ_SIZE:
            raise Unavailable(f"a record of {len(line)} bytes could not be read again")
        done: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append((line, done))
        self._start()
        return await done

    async def ready(self) -> None:
        """Whether there is room for some records. Raises Unavailable."""
        if not await asyncio.to_thread(self._has_room):
            raise Unavailable(f"the journal in {self._folder} takes no more")

    async def take_over(self) -> int:
        """Take what dead processes left; how many files. Raises Unavailable: one cannot be opened."""
        try:
            taken = await asyncio.to_thread(self._take_over)
        except OSError as error:
            raise Unavailable(f"the journals in {self._folder} cannot be taken over: {error}") from error
        self._files[:0] = taken
        return len(taken)

    async def oldest(self, most: int, *, closing: bool = False) -> tuple[JournalFile, Part] | None:
        """What is to be replayed next; None: nothing. Raises Unavailable: the disk does not read.

        ``closing``: Redis answers. Until :meth:`release`, no more is added than half of what is replayed; once little is left,
        what comes waits for that. Otherwise it would grow for as long as more ask than are replayed, and never be empty.
        """
        self._paced = closing and bool(self._files)
        if not self._files:
            return None
        file = self._files[0]
        if closing and len(self._files) == 1 and file.size - file.replayed < LITTLE:
            await self._hold()
        try:
            return file, await asyncio.to_thread(file.part, most)
        except OSError as error:
            raise Unavailable(f"the journal {file.path} cannot be read: {error.strerror}") from error

    async def replayed(self, file: JournalFile, part: Part) -> None:
        """Redis has a part. A file that it has whole is removed. Raises Unavailable: that did not go, but it is done with."""
        file.replayed = part.upto
        file.damaged += part.damaged
        self._step.set()
        if file.replayed < file.size:
            return
        await self._hold()
        # More may have come meanwhile.
        if file.replayed == file.size:
            await self._retire(file)
        self.release()

    def release(self) -> None:
        """What waits need not wait any more."""
        if self._held and not self._files:
            waiting, self._waiting = self._waiting, []
            _settle(waiting, outcome=False)
        self._held = self._paced = False
        self._step.set()
        self._start()

    async def close(self) -> None:
        """Finish what is being written; what is not replayed stays on disk."""
        await self._hold()
        for file in self._files:
            file.close()

    async def _hold(self) -> None:
        self._held = True
        self._step.set()
        if self._flush is not None:
            await asyncio.wait([self._flush])

    async def _retire(self, file: JournalFile) -> None:
        self._files.remove(file)
        self._own = None if file is self._own else self._own
        try:
            await asyncio.to_thread(file.remove)
        except OSError as error:
            raise Unavailable(f"the journal {file.path} cannot be removed: {error.strerror}") from error

    def _start(self) -> None:
        if self._waiting and not self._held and (self._flush is None or self._flush.done()):
            self._flush = asyncio.ensure_future(self._run())

    async def _run(self) -> None:
        while self._waiting:
            if self._paced and not self._held:
                self._step.clear()
                await self._step.wait()
            if self._held:
                return
            most = PACE if self._paced else len(self._waiting)
            batch, self._waiting = self._waiting[:most], self._waiting[most:]
            outcome: bool | Unavailable = Unavailable("the write was broken off")
            try:
                own = await asyncio.to_thread(self._write, b"".join(line for line, _ in batch))
                if own is not self._own:
                    self._files.append(own)
                    self._own = own
                outcome = True
            except OSError as error:
                outcome = Unavailable(f"the journal in {self._folder} takes no more: {error.strerror}")
            finally:
                # Whatever happened, nobody waits for ever.
                _settle(batch, outcome=outcome)

    def _write(self, data: bytes) -> JournalFile:
        # In a thread; the loop looks at the files again when this is done.
        if _used(self._folder) + len(data) > self._budget:
            raise OSError(errno.EDQUOT, f"its {self._budget} bytes are used up")
        if self._own is not None and self._own.sound and self._own.size < FILE_SIZE:
            self._own.append(data)
            return self._own
        own = JournalFile.create(self._folder)
        try:
            own.append(data)
        except OSError:
            own.remove()
            raise
        return own

    def _has_room(self) -> bool:
        return os.access(self._folder, os.W_OK) and _used(self._folder) + LITTLE <= self._budget

    def _take_over(self) -> list[JournalFile]:
        # Those of the living are locked, our own too.
        taken = map(JournalFile.take_over, sorted(self._folder.glob(f"*{SUFFIX}")))
        return [file for file in taken if file is not None]


def _settle(waiting: list[_Waiting], *, outcome: bool | Unavailable) -> None:
    for _, done in waiting:
        if done.done():
            continue  # its request was given up meanwhile
        if isinstance(outcome, Unavailable):
            done.set_exception(outcome)
        else:
            done.set_result(outcome)


def _lock(descriptor: int, path: Path) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Whoever had the lock before may have removed the file before it let go.
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except (BlockingIOError, FileNotFoundError):
        return False


def _used(folder: Path) -> int:
    used = 0
    for path in folder.glob(f"*{SUFFIX}"):
        with suppress(FileNotFoundError):  # a sibling has replayed it just now
            used += path.stat().st_size
    return used
