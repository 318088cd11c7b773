"""Fills a ledger as settle does, but without Redis, and by many records a transaction: what a large one costs to make.

Every record is planned, hashed into the log and written by the code that settle runs, so that every proof holds. Time passes in
it at a steady pace, up to now.
"""

import hashlib
import time
from contextlib import closing
from typing import Final

from programs import House
from traffic import EVENTS_A_TOKEN, RECORDS_A_TOKEN, Traffic

from wharfinger.ledger.database import Database
from wharfinger.ledger.log import read_tree
from wharfinger.ledger.settlement import commit
from wharfinger.wire.event import RegistryEvent, parse_event
from wharfinger.wire.notification import Notification
from workers.decide.plan import Heard, Planner, Reading

TOKENS: Final = 500
"""Of one transaction."""
PACE_MS: Final = 10
"""Between two records."""


def fill(home: House, traffic: Traffic, records: int) -> int:
    """Let the ledger have at least so many records. Returns how many it has."""
    planner = Planner(traffic.keys, (), ())
    with closing(Database(home.ledger_url)) as database:
        size = _size(database)
        now_ms = time.time_ns() // 1_000_000 - max(0, records - size) * PACE_MS
        while size < records:
            tokens = min(TOKENS, -(-(records - size) // RECORDS_A_TOKEN))
            now_ms += tokens * RECORDS_A_TOKEN * PACE_MS
            readings = [one for _ in range(tokens) for one in _readings(traffic, now_ms)]
            issued = {one.jti: one for one in readings if not isinstance(one, Heard)}
            commit(database, planner.plan(readings, issued, now_ms=now_ms), now_ms=now_ms)
            size = _size(database)
    return size


def _size(database: Database) -> int:
    with database.reading() as connection:
        return read_tree(connection).size


def _readings(traffic: Traffic, now_ms: int) -> list[Reading]:
    token = traffic.token(now_ms)
    events = [parse_event(traffic.event(token, now_ms)) for _ in range(EVENTS_A_TOKEN)]
    return [
        token.issuance,
        *(Heard(_envelope(event.raw, now_ms), event) for event in events if isinstance(event, RegistryEvent)),
    ]


def _envelope(body: bytes, now_ms: int) -> Notification:
    sha256 = hashlib.sha256(body).hexdigest()
    return Notification(source="main", peer="127.0.0.1", received_at=now_ms, size=len(body), sha256=sha256)
