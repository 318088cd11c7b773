"""Fills a ledger as settle does, but without Redis, and by many records a transaction: what a large one costs to make.

Every record is planned, hashed into the log and written by the code that settle runs, so that every proof holds. Time passes in
it at a steady pace, up to now. As a program it tells what a record costs at growing sizes, in pages written and in CPU time.
"""

import argparse
import hashlib
import json
import time
from contextlib import closing
from dataclasses import asdict, dataclass
from typing import Final

from programs import House, house
from traffic import EVENTS_A_TOKEN, RECORDS_A_TOKEN, Traffic

from wharfinger.ledger.database import Database
from wharfinger.ledger.log import read_tree
from wharfinger.ledger.settlement import commit
from wharfinger.wire.event import RegistryEvent, parse_event
from wharfinger.wire.notification import Notification
from workers.decide.plan import Heard, Planner, Reading

TOKENS: Final = 500
"""Of one transaction that fills."""
WORKER_TOKENS: Final = 37
"""Of one batch of the worker: three hundred events and the tokens they name."""
MEASURED: Final = 12
"""Batches, few enough for the write-ahead log to hold them all."""
PACE_MS: Final = 10
"""Between two records."""
PAGE_BYTES: Final = 4_096
FRAME_BYTES: Final = PAGE_BYTES + 24


@dataclass(frozen=True, slots=True)
class Cost:
    """What a record costs in a ledger of a size, written in batches as the worker's are."""

    records: int
    pages: float
    """Written to the write-ahead log."""
    commit_us: float
    """CPU time of writing alone: what was planned is given."""


def fill(home: House, traffic: Traffic, records: int) -> int:
    """Let the ledger have at least so many records. Returns how many it has."""
    with closing(Database(home.ledger_url)) as database:
        size = _size(database)
        now_ms = time.time_ns() // 1_000_000 - max(0, records - size) * PACE_MS
        while size < records:
            tokens = min(TOKENS, -(-(records - size) // RECORDS_A_TOKEN))
            now_ms += tokens * RECORDS_A_TOKEN * PACE_MS
            _commit(database, traffic, tokens, now_ms)
            size += tokens * RECORDS_A_TOKEN
    return size


def cost(home: House, traffic: Traffic) -> Cost:
    """What a record costs now."""
    wal = home.folder / "ledger.db-wal"
    with closing(Database(home.ledger_url)) as database:
        size = _size(database)
        _commit(database, traffic, WORKER_TOKENS, _now_ms())
        database.maintain(sqlite=("PRAGMA wal_checkpoint(TRUNCATE)",), postgresql=())
        used = sum(_commit(database, traffic, WORKER_TOKENS, _now_ms()) for _ in range(MEASURED))
        pages = wal.stat().st_size / FRAME_BYTES
        written = MEASURED * WORKER_TOKENS * RECORDS_A_TOKEN
    return Cost(size, pages / written, 1_000_000 * used / written)


def _commit(database: Database, traffic: Traffic, tokens: int, now_ms: int) -> float:
    readings = [one for _ in range(tokens) for one in _readings(traffic, now_ms)]
    issued = {one.jti: one for one in readings if not isinstance(one, Heard)}
    entries = Planner(traffic.keys, (), ()).plan(readings, issued, now_ms=now_ms)
    began = time.process_time()
    settled = commit(database, entries, now_ms=now_ms)
    used = time.process_time() - began
    assert settled.records == tokens * RECORDS_A_TOKEN
    return used


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _size(database: Database) -> int:
    with database.reading() as connection:
        return read_tree(connection).size


def _readings(traffic: Traffic, now_ms: int) -> list[Reading]:
    token = traffic.token(now_ms)
    events = (parse_event(traffic.event(token, now_ms)) for _ in range(EVENTS_A_TOKEN))
    heard = (Heard(_envelope(event.raw, now_ms), event) for event in events if isinstance(event, RegistryEvent))
    return [token.issuance, *heard]


def _envelope(body: bytes, now_ms: int) -> Notification:
    sha256 = hashlib.sha256(body).hexdigest()
    return Notification(source="main", peer="127.0.0.1", received_at=now_ms, size=len(body), sha256=sha256)


def main() -> None:
    """Fill a ledger that is removed again, and print a line of JSON for each size."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--records", type=int, nargs="+", required=True, help="sizes of the ledger to measure at")
    options.add_argument("--random-ids", action="store_true", help="ids of events as registries had them before 3.0")
    told = options.parse_args()
    with house(tour=False) as home:
        traffic = Traffic(home, random_ids=told.random_ids)
        for size in sorted(told.records):
            fill(home, traffic, size)
            print(json.dumps(asdict(cost(home, traffic))), flush=True)


if __name__ == "__main__":
    main()
