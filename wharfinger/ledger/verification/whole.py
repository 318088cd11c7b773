"""The whole log, from the first record to the last: rows, leaves, tiles, frontier, and every signed root on the way."""

from collections.abc import Callable, Sequence

from sqlalchemy import Connection

from wharfinger.ledger.database import Database
from wharfinger.ledger.log import read_tile
from wharfinger.ledger.log_keys import LogKeys
from wharfinger.ledger.merkle import EMPTY_ROOT, HASH_BYTES, Frontier
from wharfinger.ledger.tiles import HEIGHT, WIDTH, split, tile_path, tile_root
from wharfinger.ledger.verification.anchors import Holding, Kept, anchors
from wharfinger.ledger.verification.batches import BATCH, Batches, Records, leaves_of, look_at_tags
from wharfinger.ledger.verification.beginning import Begun, above_says, begin, tiles_of_leaves
from wharfinger.ledger.verification.findings import Report, What
from wharfinger.ledger.verification.leaves import Suspects, TileOfLeaves
from wharfinger.ledger.verification.pool import STRETCH, Looked, look_in_processes
from wharfinger.ledger.verification.removed import Removed

Progress = Callable[[int, int], None]
"""Told how many records of how many are done."""


def nobody(_done: int, _total: int) -> None:
    """Progress that nobody watches."""


def verify_whole(
    database: Database,
    keys: LogKeys,
    *,
    kept: Sequence[Kept] = (),
    progress: Progress = nobody,
    processes: int = 1,
    stretch: int = STRETCH,
) -> Report:
    """Verify everything there is.

    Args:
        database: the ledger; others may write meanwhile.
        keys: whose signatures count.
        kept: checkpoints from elsewhere, to hold the log to.
        progress: told after each batch.
        processes: how many may look at records; a small log is looked at by this one alone.
        stretch: records that one looks at, at a time; a multiple of a batch.

    Raises:
        LedgerUnavailable: the ledger did not answer.
    """
    begun = begin(database)
    if isinstance(begun, Report):
        return begun
    walk = _Walk(database, begun, Holding(anchors(database, keys, begun.report, newest=begun.newest, kept=kept), begun.report))
    if (helping := min(processes, begun.extent // stretch)) > 1:
        for looked in look_in_processes(database.url, begun.extent, helping, stretch=stretch):
            walk.take(looked, progress)
    else:
        walk.stretch(0, begun.extent, progress)
    walk.close()
    with database.reading() as connection:
        look_at_tags(connection, begun.report)
    return begun.report


class _Walk:
    """From tile to tile, growing the tree that the leaves make."""

    def __init__(self, database: Database, begun: Begun, holding: Holding) -> None:
        self._database = database
        self._begun = begun
        self._report = begun.report
        self._holding = holding
        self._batches = Batches(begun.report)
        self._removed = Removed()
        self._suspects = Suspects()
        self._frontier = Frontier()
        self._open: list[list[bytes]] = []
        """The hashes of the last tile of each level above the leaves, as they should be."""
        if holding.size == 0:
            holding.hold(EMPTY_ROOT)

    def stretch(self, start: int, end: int, progress: Progress) -> None:
        """The records from one number up to, not including, another."""
        for at in range(start, end, BATCH):
            self._batch(at, min(at + BATCH, end))
            progress(min(at + BATCH, end), self._begun.extent)

    def take(self, looked: Looked, progress: Progress) -> None:
        """A stretch that another process looked at: where it found nothing its word is taken, else we look ourselves."""
        if looked.tiles is None:
            self.stretch(looked.start, looked.end, progress)
            return
        self._report.add_looks(looked)
        with self._database.reading() as connection:
            for number in sorted(looked.tiles):
                self._grow(connection, number, split(looked.tiles[number])[: looked.end - number * WIDTH])
        progress(looked.end, self._begun.extent)

    def _batch(self, start: int, end: int) -> None:
        with self._database.reading() as connection:
            stored = tiles_of_leaves(connection, start // WIDTH, (end + WIDTH - 1) // WIDTH)
            records = self._batches.read(connection, start, end, leaves_of(stored))
            removed = self._removed.among(connection, start, end)
            self._report.pruned += len(removed)
            for number in range(start // WIDTH, (end + WIDTH - 1) // WIDTH):
                tile = TileOfLeaves(number, stored.get(number, b""), min(WIDTH, end - number * WIDTH))
                self._tile(connection, tile, records, removed)

    def _tile(self, connection: Connection, tile: TileOfLeaves, records: Records, removed: frozenset[int]) -> None:
        findings = self._report.findings
        if tile.width == WIDTH and len(tile.stored) > WIDTH * HASH_BYTES:
            findings.add(What.TILE, f"{tile_path(0, tile.number)} holds more than {WIDTH} hashes")
        is_true = above_says(connection, self._begun, tile.number, tile.width)
        self._grow(connection, tile.number, tile.true_leaves(records, removed, is_true, findings, self._suspects))

    def _grow(self, connection: Connection, number: int, leaves: list[bytes]) -> None:
        done, start = 0, number * WIDTH
        while (size := self._holding.size) is not None and size <= start + len(leaves):
            self._frontier = self._frontier.append(leaves[done : size - start])
            done = size - start
            self._holding.hold(self._frontier.root())
        self._frontier = self._frontier.append(leaves[done:])
        if len(leaves) == WIDTH:
            self._climb(connection, 1, number, tile_root(leaves))

    def _climb(self, connection: Connection, level: int, number: int, node: bytes) -> None:
        if len(self._open) < level:
            self._open.append([])
        held = self._open[level - 1]
        held.append(node)
        if len(held) == WIDTH:
            above = number // WIDTH
            self._compare(connection, level, above, held)
            self._open[level - 1] = []
            self._climb(connection, level + 1, above, tile_root(held))

    def _compare(self, connection: Connection, level: int, number: int, ours: list[bytes]) -> None:
        stored = read_tile(connection, level, number)
        add, path = self._report.findings.add, tile_path(level, number)
        if len(ours) == WIDTH and len(stored) > WIDTH * HASH_BYTES:
            add(What.TILE, f"{path} holds more than {WIDTH} hashes")
        if not stored:
            add(What.TILE, f"{path} is missing")
            return
        theirs = split(stored[: len(ours) * HASH_BYTES])
        theirs += [b""] * (len(ours) - len(theirs))
        span = WIDTH**level
        for at, (one, other) in enumerate(zip(ours, theirs, strict=True)):
            if one != other:
                first = (number * WIDTH + at) * span
                below = f"the records {first} to {first + span - 1}"
                add(
                    What.TILE, f"{path}: hash {at} is not the root of {below}: it was changed, or one of them with its own hash"
                )

    def close(self) -> None:
        """The last tiles, the frontier, and what was signed of a longer log."""
        with self._database.reading() as connection:
            for level, held in enumerate(self._open, start=1):
                if held:
                    self._compare(connection, level, (self._begun.extent >> HEIGHT * level) // WIDTH, held)
        self._suspects.tell(self._report.findings)
        stored = self._begun.frontier
        if stored is not None and stored.size == self._frontier.size and stored != self._frontier:
            self._report.findings.add(What.TREE, "the frontier is not that of the log's leaves")
        self._holding.close(self._begun.extent)
