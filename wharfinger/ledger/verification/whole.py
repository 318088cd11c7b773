"""The whole log, from the first record to the last: rows, leaves, tiles, frontier, and every signed root on the way."""

from collections.abc import Callable, Sequence

from sqlalchemy import Connection, and_, func, or_, select
from sqlalchemy.exc import MultipleResultsFound, NoResultFound

from wharfinger.ledger import schema
from wharfinger.ledger.checkpoints import newest
from wharfinger.ledger.database import Database
from wharfinger.ledger.log import Tree, read_tile, read_tree
from wharfinger.ledger.log_keys import LogKeys
from wharfinger.ledger.merkle import EMPTY_ROOT, HASH_BYTES, Frontier
from wharfinger.ledger.tiles import HEIGHT, WIDTH, split, tile_path, tile_root
from wharfinger.ledger.verification.anchors import Holding, Kept, anchors
from wharfinger.ledger.verification.batches import BATCH, Batches, Records, look_at_tags
from wharfinger.ledger.verification.findings import MAX_KEPT, Report, What
from wharfinger.ledger.verification.leaves import IsTrue, Suspects, TileOfLeaves, frontier_says, parent_says

Progress = Callable[[int, int], None]
"""Told how many records of how many are done."""

_R, _T = schema.records.c, schema.tiles.c


def nobody(_done: int, _total: int) -> None:
    """Progress that nobody watches."""


def verify_whole(database: Database, keys: LogKeys, *, kept: Sequence[Kept] = (), progress: Progress = nobody) -> Report:
    """Verify everything there is.

    Args:
        database: the ledger; others may write meanwhile.
        keys: whose signatures count.
        kept: checkpoints from elsewhere, to hold the log to.
        progress: told after each batch.

    Raises:
        LedgerUnavailable: the ledger did not answer.
    """
    begun = begin(database)
    if isinstance(begun, Report):
        return begun
    walk = _Walk(database, begun, Holding(anchors(database, keys, begun.report, newest=begun.newest, kept=kept), begun.report))
    for start in range(0, begun.extent, BATCH):
        walk.batch(start, min(start + BATCH, begun.extent))
        progress(min(start + BATCH, begun.extent), begun.extent)
    walk.close()
    with database.reading() as connection:
        look_at_tags(connection, begun.report)
    return begun.report


class Begun:
    """The log as it was when looking began, and the report on it.

    ``frontier``: None when it does not fit the size. ``extent``: where rows and hashes end. ``newest``: the newest checkpoint.
    """

    def __init__(self, connection: Connection, tree: Tree) -> None:
        self.size = tree.size
        try:
            self.frontier: Frontier | None = Frontier.from_bytes(tree.size, tree.frontier)
        except ValueError:
            self.frontier = None
        self.report = Report(tree.size, EMPTY_ROOT if self.frontier is None else self.frontier.root())
        found = newest(connection)
        self.newest = -1 if found is None else found.size
        self.extent = min(tree.size, _extent(connection))


def begin(database: Database) -> Begun | Report:
    """Look at the ends of the log: what stands behind them, and whether there is a log at all."""
    with database.reading() as connection:
        try:
            tree = read_tree(connection)
        except (NoResultFound, MultipleResultsFound):
            report = Report(0, EMPTY_ROOT)
            report.findings.add(What.TREE, "the sequencer's row is not there, or not alone: the log has no size")
            return report
        begun = Begun(connection, tree)
        add = begun.report.findings.add
        if begun.frontier is None:
            add(What.TREE, f"the frontier is not that of a log of {tree.size} records")
        if begun.extent < tree.size:
            what = f"the log says that it has {tree.size} records; neither rows nor hashes go beyond {begun.extent}"
            add(What.TREE, what)
        outside = or_(_R.seq >= tree.size, _R.seq < 0)
        for seq in connection.execute(select(_R.seq).where(outside).order_by(_R.seq).limit(MAX_KEPT)).scalars():
            add(What.BEHIND, "its row stands outside the log: the sequencer did not write it", seq)
        _look_at_tiles(connection, begun)
        last = connection.execute(select(_R.recorded_at).where(_R.seq == tree.size - 1)).scalar()
        if last is not None and last != tree.recorded_at:
            add(What.TREE, "the sequencer's time is not that of the last record")
    return begun


def _extent(connection: Connection) -> int:
    last = connection.execute(select(func.max(_R.seq))).scalar()
    row = connection.execute(
        select(_T.number, _T.hashes).where(_T.level == 0).order_by(_T.number.desc()).limit(1)
    ).one_or_none()
    hashes = 0 if row is None else row.number * WIDTH + len(row.hashes) // HASH_BYTES
    return max(0 if last is None else last + 1, hashes)


def _look_at_tiles(connection: Connection, begun: Begun) -> None:
    """Tiles that a log of this size has not, and hashes behind the last."""
    add = begun.report.findings.add
    level = 0
    while (nodes := max(begun.size, 0) >> HEIGHT * level) and level < 64 // HEIGHT:
        full, partial = divmod(nodes, WIDTH)
        behind = and_(_T.level == level, or_(_T.number > full, _T.number < 0))
        if not partial:
            behind = and_(_T.level == level, or_(_T.number >= full, _T.number < 0))
        for number in connection.execute(select(_T.number).where(behind).limit(MAX_KEPT)).scalars():
            add(What.TILE, f"{tile_path(level, number)} stands outside the log: the sequencer did not write it")
        width = connection.execute(select(func.length(_T.hashes)).where(_T.level == level, _T.number == full)).scalar() or 0
        if partial and width > partial * HASH_BYTES:
            add(What.TILE, f"{tile_path(level, full, partial)} holds hashes of records that the log does not have")
        level += 1
    for row in connection.execute(select(_T.level, _T.number).where(or_(_T.level >= level, _T.level < 0)).limit(MAX_KEPT)):
        add(What.TILE, f"{tile_path(row.level, row.number)} stands outside the log: the sequencer did not write it")


class _Walk:
    """From tile to tile, growing the tree that the leaves make."""

    def __init__(self, database: Database, begun: Begun, holding: Holding) -> None:
        self._database = database
        self._begun = begun
        self._report = begun.report
        self._holding = holding
        self._batches = Batches(begun.report)
        self._suspects = Suspects()
        self._frontier = Frontier()
        self._open: list[list[bytes]] = []
        """The hashes of the last tile of each level above the leaves, as they should be."""
        if holding.size == 0:
            holding.hold(EMPTY_ROOT)

    def batch(self, start: int, end: int) -> None:
        """The records from one number up to, not including, another."""
        with self._database.reading() as connection:
            stored = tiles_of_leaves(connection, start // WIDTH, (end + WIDTH - 1) // WIDTH)
            leaves = {number * WIDTH + at: leaf for number, hashes in stored.items() for at, leaf in enumerate(split(hashes))}
            records = self._batches.read(connection, start, end, leaves)
            for number in range(start // WIDTH, (end + WIDTH - 1) // WIDTH):
                self._tile(connection, number, stored.get(number, b""), records, min(WIDTH, end - number * WIDTH))

    def _tile(self, connection: Connection, number: int, stored: bytes, records: Records, width: int) -> None:
        tile = TileOfLeaves(number, stored, width)
        if width == WIDTH and len(stored) > WIDTH * HASH_BYTES:
            self._report.findings.add(What.TILE, f"{tile_path(0, number)} holds more than {WIDTH} hashes")
        is_true = above_says(connection, self._begun, number, width)
        leaves = tile.true_leaves(records, is_true, self._report.findings, self._suspects)
        done = 0
        while (size := self._holding.size) is not None and size <= tile.start + width:
            self._frontier = self._frontier.append(leaves[done : size - tile.start])
            done = size - tile.start
            self._holding.hold(self._frontier.root())
        self._frontier = self._frontier.append(leaves[done:])
        if width == WIDTH:
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


def above_says(connection: Connection, begun: Begun, number: int, width: int) -> IsTrue:
    """What lies above a tile of leaves: its parent, or for the last one the frontier. Read only when it is asked."""

    def is_true(leaves: list[bytes]) -> bool:
        if width == WIDTH:
            return parent_says(read_tile(connection, 1, number // WIDTH), number)(leaves)
        frontier = begun.frontier
        whole = frontier is not None and number * WIDTH + width == begun.size
        return whole and frontier is not None and frontier_says(frontier, width)(leaves)

    return is_true


def tiles_of_leaves(connection: Connection, start: int, end: int) -> dict[int, bytes]:
    """The tiles of level 0 from one number up to, not including, another."""
    query = select(_T.number, _T.hashes).where(_T.level == 0, _T.number >= start, _T.number < end)
    return {row.number: row.hashes for row in connection.execute(query)}
