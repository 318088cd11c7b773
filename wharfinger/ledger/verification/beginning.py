"""Where verifying begins: the log's size and ends, what stands behind them, and what lies above each tile of leaves."""

from sqlalchemy import Connection, and_, func, or_, select
from sqlalchemy.exc import MultipleResultsFound, NoResultFound

from wharfinger.ledger import schema
from wharfinger.ledger.checkpoints import newest
from wharfinger.ledger.database import Database
from wharfinger.ledger.log import Tree, read_tile, read_tree
from wharfinger.ledger.merkle import EMPTY_ROOT, HASH_BYTES, Frontier
from wharfinger.ledger.tiles import HEIGHT, WIDTH, tile_path
from wharfinger.ledger.verification.findings import MAX_KEPT, Report, What
from wharfinger.ledger.verification.leaves import IsTrue, frontier_says, parent_says

_R, _T = schema.records.c, schema.tiles.c


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
