"""A part of the log: some records up to the signed root, or the hashes alone. Quick, and says less than the whole.

A range's records are held to their leaves, each tile of leaves to its parent, that one to its own, and the last ones make the
root. What is proved of a record is what a receipt proves. The hashes alone prove that the log began as what was signed.
"""

from collections.abc import Sequence

from sqlalchemy import Connection

from wharfinger.ledger.database import Database
from wharfinger.ledger.log import read_tile
from wharfinger.ledger.log_keys import LogKeys
from wharfinger.ledger.merkle import HASH_BYTES
from wharfinger.ledger.tiles import HEIGHT, WIDTH, root, split, tile_path, tile_root
from wharfinger.ledger.verification.anchors import Holding, Kept, anchors
from wharfinger.ledger.verification.batches import BATCH, Batches, leaves_of
from wharfinger.ledger.verification.beginning import Begun, above_says, begin, tiles_of_leaves
from wharfinger.ledger.verification.findings import Report, What
from wharfinger.ledger.verification.leaves import Suspects, TileOfLeaves
from wharfinger.ledger.verification.removed import Removed
from wharfinger.ledger.verification.whole import Progress, nobody


class NoSuchRange(ValueError):  # noqa: N818 - named for what it reports
    """The log does not have these records."""


def verify_range(
    database: Database, keys: LogKeys, start: int, end: int | None, *, kept: Sequence[Kept] = (), progress: Progress = nobody
) -> Report:
    """Verify the records from one number up to, not including, another, against the newest checkpoint and those kept.

    Args:
        database: the ledger.
        keys: whose signatures count.
        start: the first record.
        end: the one after the last; None: to the log's end.
        kept: checkpoints from elsewhere.
        progress: told after each batch.

    Raises:
        NoSuchRange: the log does not have them.
        LedgerUnavailable: the ledger did not answer.
    """
    begun = begin(database)
    if isinstance(begun, Report):
        return begun
    end = begun.extent if end is None else end
    if not 0 <= start < end <= begun.extent:
        raise NoSuchRange(f"the log has {begun.extent} records: 0 to {begun.extent - 1}")
    looking = _Looking(begun)
    for at in range(start - start % WIDTH, end, BATCH):
        _batch(database, looking, (at, min(at + BATCH, end)))
        progress(max(0, min(at + BATCH, end) - start), end - start)
    looking.suspects.tell(begun.report.findings)
    with database.reading() as connection:
        for level in range(1, _levels(begun.size)):
            span = WIDTH ** (level + 1)
            for number in range(start // span, (end - 1) // span + 1):
                _hold_to_parent(connection, begun, level, number)
    _hold_to_roots(database, begun, Holding(anchors(
        database, keys, begun.report, newest=begun.newest, kept=kept, above=begun.newest - 1
    ), begun.report))  # fmt: skip
    return begun.report


def verify_hashes(database: Database, keys: LogKeys, *, kept: Sequence[Kept] = ()) -> Report:
    """Verify frontier and tiles against every checkpoint, reading no record."""
    begun = begin(database)
    if isinstance(begun, Report):
        return begun
    _hold_to_roots(
        database, begun, Holding(anchors(database, keys, begun.report, newest=begun.newest, kept=kept), begun.report)
    )
    return begun.report


class _Looking:
    """What is remembered from one batch of a range to the next."""

    def __init__(self, begun: Begun) -> None:
        self.begun = begun
        self.batches, self.removed, self.suspects = Batches(begun.report), Removed(), Suspects()


def _batch(database: Database, looking: _Looking, wanted: tuple[int, int]) -> None:
    begun = looking.begun
    start, end = wanted
    first, last = start // WIDTH, (end - 1) // WIDTH
    with database.reading() as connection:
        stored = tiles_of_leaves(connection, first, last + 1)
        # Whole tiles, for which of row and hash is right only a whole one tells.
        beyond = min((last + 1) * WIDTH, begun.size)
        records = looking.batches.read(connection, first * WIDTH, beyond, leaves_of(stored))
        removed = looking.removed.among(connection, first * WIDTH, beyond)
        begun.report.pruned += len(removed)
        for number in range(first, last + 1):
            width = min(WIDTH, begun.size - number * WIDTH)
            is_true = above_says(connection, begun, number, width)
            tile = TileOfLeaves(number, stored.get(number, b""), width)
            true = tile.true_leaves(records, removed, is_true, begun.report.findings, looking.suspects)
            if width == WIDTH and not is_true(true):
                _tell_parent(begun, 1, number // WIDTH, number)


def _hold_to_parent(connection: Connection, begun: Begun, level: int, number: int) -> None:
    """A full tile's root is the hash that its parent has; a partial one is of the edge, which makes the root."""
    if (begun.size >> HEIGHT * level) - number * WIDTH < WIDTH:
        return
    hashes = split(read_tile(connection, level, number))
    parent = read_tile(connection, level + 1, number // WIDTH)
    at = number % WIDTH * HASH_BYTES
    if len(hashes) != WIDTH or tile_root(hashes) != parent[at : at + HASH_BYTES]:
        _tell_parent(begun, level + 1, number // WIDTH, number)


def _tell_parent(begun: Begun, level: int, above: int, number: int) -> None:
    what = f"{tile_path(level, above)}: hash {number % WIDTH} is not the root of {tile_path(level - 1, number)}"
    begun.report.findings.add(What.TILE, f"{what}: it was changed, or what lies below it together with its hashes")


def _levels(size: int) -> int:
    return (max(size, 1).bit_length() + HEIGHT - 1) // HEIGHT


def _hold_to_roots(database: Database, begun: Begun, holding: Holding) -> None:
    with database.reading() as connection:
        found = _root(connection, begun.extent)
        if begun.frontier is not None and found != begun.report.root:
            begun.report.findings.add(What.TREE, "the frontier is not that of the log's hashes")
        while (size := holding.size) is not None and size <= begun.extent:
            holding.hold(_root(connection, size))
    holding.close(begun.extent)


def _root(connection: Connection, size: int) -> bytes | None:
    try:
        return root(lambda level, number: read_tile(connection, level, number), size)
    except ValueError:
        return None
