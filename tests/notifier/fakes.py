"""The notifier's ports in memory, for tests of its use case. Held to the suites that the real adapters pass too."""

from dataclasses import dataclass, field

from notifier.errors import Unavailable
from wharfinger.wire.notification import StoredNotification


@dataclass
class KeptEvents:
    """``EventStream``. ``journal``: what was done, in order, with a spill that shares it."""

    entries: list[StoredNotification] = field(default_factory=list)
    gone: bool = False
    journal: list[str] = field(default_factory=list)

    async def append(self, stored: StoredNotification) -> None:
        """Keep one."""
        if self.gone:
            raise Unavailable("the store is gone")
        self.entries.append(stored)
        self.journal.append("appended")


@dataclass
class MemorySpill:
    """``Spill`` within a budget of bytes. ``files``: what was kept, by name; ``open_files``: what is being written."""

    budget: int = 1 << 30
    files: dict[str, bytes] = field(default_factory=dict)
    open_files: list["MemoryFile"] = field(default_factory=list)
    journal: list[str] = field(default_factory=list)
    opened: int = 0

    async def open(self, *, received_at: int) -> "MemoryFile":
        """Start a file."""
        self.spend(0)
        self.opened += 1
        file = MemoryFile(self, f"{received_at}-{self.opened}.z")
        self.open_files.append(file)
        return file

    def spend(self, size: int) -> None:
        """Raise Unavailable beyond the budget."""
        used = sum(map(len, self.files.values())) + sum(len(file.written) for file in self.open_files)
        if used + size > self.budget:
            raise Unavailable("the budget is used up")


@dataclass
class MemoryFile:
    """``SpillFile``."""

    owner: MemorySpill
    name: str
    written: bytearray = field(default_factory=bytearray)

    async def write(self, data: bytes) -> None:
        """Add bytes."""
        self.owner.spend(len(data))
        self.written += data

    async def keep(self) -> str:
        """Give it its name."""
        self.owner.open_files.remove(self)
        self.owner.files[self.name] = bytes(self.written)
        self.owner.journal.append("kept")
        return self.name

    async def discard(self) -> None:
        """Forget it, kept or not."""
        if self in self.owner.open_files:
            self.owner.open_files.remove(self)
        self.owner.files.pop(self.name, None)
