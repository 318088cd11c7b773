"""Records a second that one settle worker writes, on a ledger that grows: attribution, log leaf, every index, synced commits.

The worker is the real one, started on a backlog; its own log says when each batch was committed. At each size of the ledger it
is asked what people ask.
"""

import argparse
import json
import random
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Final

import redis
from machine import Watch, cpu_s
from programs import House, house, program, store, wait_for, wharfinger
from report import ms, percentile, remark, table, title
from sampling import sample
from traffic import ACCOUNTS, EVENTS_A_TOKEN, RECORDS_A_TOKEN, REPOSITORIES, Traffic

from wharfinger.ledger.database import Database
from wharfinger.ledger.log import read_tree
from wharfinger.ledger.reading import read_records
from wharfinger.ledger.search import Criteria, search

BACKLOG: Final = 2_000
"""Tokens of one measurement, each with its events."""
SIZES: Final = (0, 100_000)
QUESTIONS: Final = 40
"""Of each kind."""
ABSENT: Final = "sha256:" + "0" * 64
PROFILE_S: Final = 4

PARTS: Final = (
    ("SQL: statements and commit", r"sqlalchemy/|wharfinger/ledger/database\.py"),
    ("records, leaves, commitments", r"wharfinger/ledger/"),
    ("reading events", r"wharfinger/wire/event\.py"),
    ("verifying ids, attribution, planning", r"workers/decide/|wharfinger/wire/"),
    ("Redis: read, look up, acknowledge", r"workers/adapters/(streams|issuances|wake_ups)\.py"),
    ("the rest", r""),
)


@dataclass(frozen=True, slots=True)
class Batch:
    """A committed batch, as the worker logged it."""

    at_s: float
    records: int


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast a backlog was settled, and how long questions took then, in seconds."""

    before: int
    a_second: float
    a_cpu_second: float
    asked: Mapping[str, list[float]] = field(default_factory=dict)


def batches(log: Path, after_byte: int) -> list[Batch]:
    """The batches a worker logged since a place in its log."""
    lines = log.read_bytes()[after_byte:].decode().splitlines()
    told = (json.loads(line) for line in lines if '"batch.settled"' in line)
    return [Batch(datetime.fromisoformat(one["time"]).timestamp(), one["records"]) for one in told]


def pid_of(log: Path, after_byte: int, child: str) -> int:
    """The process id of a child, by its supervisor's log."""
    lines = log.read_bytes()[after_byte:].decode().splitlines()
    told = (json.loads(line) for line in lines if '"child.started"' in line)
    return next((int(one["pid"]) for one in told if one["child"] == child), 0)


def settle(home: House, client: redis.Redis, traffic: Traffic, *, before: int, tokens: int = BACKLOG) -> Pace:
    """Settle a backlog. The first batch only starts the clock."""
    traffic.fill(client, tokens)
    records, log = tokens * RECORDS_A_TOKEN, home.folder / "work.log"
    start = log.stat().st_size if log.exists() else 0
    with program(wharfinger("work", "--processes", "1", "--data", home.folder), log):
        pid = wait_for("the worker", lambda: pid_of(log, start, "settle"))
        wait_for("settling", lambda: sum(batch.records for batch in batches(log, start)) == records, seconds=600)
        used = cpu_s(pid)
    first, *later = batches(log, start)
    return Pace(before, sum(batch.records for batch in later) / (later[-1].at_s - first.at_s), records / used)


def grow(home: House, client: redis.Redis, traffic: Traffic, sizes: tuple[int, ...]) -> Iterator[Pace]:
    """A measurement at each size of the ledger; what lies between is settled in the same way."""
    records = 0
    for size in sizes:
        while records < size:
            step = min(BACKLOG, -(-(size - records) // RECORDS_A_TOKEN))
            settle(home, client, traffic, before=records, tokens=step)
            records += step * RECORDS_A_TOKEN
        pace = settle(home, client, traffic, before=records)
        yield replace(pace, asked=ask(home))
        records += BACKLOG * RECORDS_A_TOKEN


def questions(database: Database, chance: random.Random) -> dict[str, Criteria]:
    """What is asked, each time about somebody or something else."""
    account = f"user{chance.randrange(ACCOUNTS):02}"
    repository = f"team/app{chance.randrange(REPOSITORIES):03}"
    with database.reading() as connection:
        at = chance.randrange(read_tree(connection).size)
        (some,) = read_records(connection, database.words, [at])
    return {
        "account": Criteria(account=account),
        "account, the last hour": Criteria(account=account, since_ms=time.time_ns() // 1_000_000 - 3_600_000),
        "repository, the last hour": Criteria(repositories=repository.__eq__, since_ms=time.time_ns() // 1_000_000 - 3_600_000),
        "digest": Criteria(digest=some.record.digest or ABSENT),
        "token": Criteria(jti=some.record.jti),
        "repositories, a pattern of a tenth": Criteria(repositories=re.compile(rf"team/app{at % 4}{at % 10}\d").fullmatch),
        "verdict, which few have": Criteria(verdicts=("forged",)),
    }


def ask(home: House) -> dict[str, list[float]]:
    """Seconds for a page of 100 of each kind of question."""
    taken: dict[str, list[float]] = {}
    with closing(Database(home.ledger_url, create=False)) as database:
        chance = random.Random(1)
        for _ in range(QUESTIONS):
            for name, criteria in questions(database, chance).items():
                began = time.perf_counter()
                search(database, criteria)
                taken.setdefault(name, []).append(time.perf_counter() - began)
    return taken


def profile(home: House, client: redis.Redis, traffic: Traffic) -> list[tuple[str, str]]:
    """Where the worker's time goes."""
    traffic.fill(client, BACKLOG * 3)
    log = home.folder / "work.log"
    start = log.stat().st_size
    with program(wharfinger("work", "--processes", "1", "--data", home.folder), log):
        pid = wait_for("the worker", lambda: pid_of(log, start, "settle"))
        wait_for("the first batch", lambda: batches(log, start))
        return sample(pid, seconds=PROFILE_S, folder=home.folder, parts=PARTS, meanwhile=lambda: None)


def main() -> None:
    """Measure and print."""
    watch = Watch()
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--records", type=int, nargs="+", default=list(SIZES), help="sizes of the ledger to measure at")
    sizes = tuple(sorted(options.parse_args().records))
    with house(tour=False) as home, store(home.folder) as valkey, closing(redis.Redis.from_url(valkey.url)) as client:
        traffic = Traffic(home)
        paces = list(grow(home, client, traffic, sizes))
        size = (home.folder / "ledger.db").stat().st_size
        parts = profile(home, client, traffic)
    title("Settle", watch.describe())
    remark(f"Backlogs of {BACKLOG:,} tokens with {EVENTS_A_TOKEN} events each, in the worker's own batches.")
    rows = [(f"{pace.before:,}", f"{pace.a_second:,.0f}", f"{pace.a_cpu_second:,.0f}") for pace in paces]
    table(("records in the ledger before", "records a second", "a second of its own CPU"), rows)
    remark(f"The ledger's file takes {size / (paces[-1].before + BACKLOG * RECORDS_A_TOKEN):,.0f} bytes a record.")
    table(
        ("a page of 100 records by", *(f"p95 ms at {pace.before:,}" for pace in paces)),
        [(name, *(ms(percentile(pace.asked[name], 95)) for pace in paces)) for name in paces[0].asked],
    )
    if parts:
        table(("where the worker's time goes", "% of samples"), parts)


if __name__ == "__main__":
    main()
