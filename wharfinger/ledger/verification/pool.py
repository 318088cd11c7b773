"""Looks at records in several processes, a stretch of the log each, in the log's order. Tells where to look, finds nothing out.

Reading rows and hashing them is nearly all the work. A stretch in which everything holds comes back as its hashes, from which
the walk goes on growing the tree; of one in which anything does not, only that is said, and the walk looks itself.
"""

import gc
import signal
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Final

from wharfinger.ledger.database import Database
from wharfinger.ledger.errors import LedgerUnavailable
from wharfinger.ledger.merkle import HASH_BYTES
from wharfinger.ledger.tiles import WIDTH
from wharfinger.ledger.verification.batches import BATCH, Batches, leaves_of
from wharfinger.ledger.verification.beginning import tiles_of_leaves
from wharfinger.ledger.verification.findings import Report
from wharfinger.ledger.verification.rebuilding import Rebuilt
from wharfinger.ledger.verification.removed import Removed

STRETCH: Final = 16 * BATCH
"""Records a task: a second or two of work, a megabyte of hashes."""
_OBJECTS: Final = 200_000
AHEAD: Final = 2
"""Stretches a process may be ahead of the walk, so that memory stays bounded."""


@dataclass(slots=True)
class Looked:
    """A stretch. ``tiles``: its hashes by tile, when every record gave its own and nothing else is wrong; else None."""

    start: int
    end: int
    tiles: dict[int, bytes] | None = None
    records: int = 0
    erased: int = 0
    raw_events: int = 0
    pruned: int = 0


def look_in_processes(url: str, extent: int, processes: int, *, stretch: int = STRETCH) -> Iterator[Looked]:
    """Every stretch of the log, in order. Raises LedgerUnavailable."""
    stretches = iter(range(0, extent, stretch))
    # Spawned: a progress bar's thread may run here, which a fork would not survive.
    with ProcessPoolExecutor(processes, get_context("spawn"), _begin) as pool:
        waiting: deque[Future[Looked]] = deque()
        try:
            while True:
                while len(waiting) < processes * AHEAD and (start := next(stretches, None)) is not None:
                    waiting.append(pool.submit(look, url, start, min(start + stretch, extent)))
                if not waiting:
                    return
                yield waiting.popleft().result()
        except BrokenProcessPool as error:
            raise LedgerUnavailable("a process that looked at records ended by itself: is there memory enough?") from error
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def look(url: str, start: int, end: int) -> Looked:
    """Look at one stretch, with a handle of its own."""
    database = Database(url, create=False)
    looked, report = Looked(start, end, {}), Report(end, b"")
    batches, removed = Batches(report), Removed()
    try:
        for at in range(start, end, BATCH):
            until = min(at + BATCH, end)
            with database.reading() as connection:
                tiles = tiles_of_leaves(connection, at // WIDTH, (until + WIDTH - 1) // WIDTH)
                leaves = leaves_of(tiles)
                records = batches.read(connection, at, until, leaves)
                gone = removed.among(connection, at, until)
            whole = all(len(tiles.get(number, b"")) == WIDTH * HASH_BYTES for number in range(at // WIDTH, until // WIDTH))
            looked.pruned += len(gone)
            given = (records.get(number) for number in range(at, until) if number in records or number not in gone)
            held = all(isinstance(one, Rebuilt) and one.leaf == leaves.get(one.seq) for one in given)
            if not (whole and held and report.proved):
                return Looked(start, end)
            if looked.tiles is not None:
                looked.tiles |= tiles
    finally:
        database.close()
    looked.records, looked.erased, looked.raw_events = report.records, report.erased, report.raw_events
    return looked


def collect_seldom() -> None:
    """Rows and records come by the hundred thousand, none of them in a cycle: the collector would look them over and over."""
    gc.set_threshold(_OBJECTS, 50, 50)


def _begin() -> None:
    # Ctrl+C reaches the whole group; the one who is waited for decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    collect_seldom()
