"""Records a second that one settle worker writes, on a ledger that grows: attribution, log leaf, every index, synced commits.

The worker is the real one, started on a backlog; its own log says when each batch was committed. At each size of the ledger it
is asked what people ask; what lies between the sizes is filled by :mod:`filling`.
"""

import argparse
import json
import random
import re
import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Final

import redis
from filling import cost, fill
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
SIZES: Final = (0, 100_000, 1_000_000)
TURNS: Final = 3
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
    """How fast a backlog was settled, what a record cost, and how long questions took then, in seconds."""

    before: int
    a_second: float
    a_cpu_second: float
    pages: float = 0
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


def settle(
    home: House, client: redis.Redis, traffic: Traffic, *, before: int, tokens: int = BACKLOG, settlers: int = 1
) -> Pace:
    """Settle a backlog. The clock runs from when each settler has committed its first batch."""
    traffic.fill(client, tokens)
    records = tokens * RECORDS_A_TOKEN
    logs = [home.folder / f"work-{number}.log" for number in range(settlers)]
    starts = [log.stat().st_size if log.exists() else 0 for log in logs]

    def settled() -> list[list[Batch]]:
        return [batches(log, start) for log, start in zip(logs, starts, strict=True)]

    with ExitStack() as running:
        for log in logs:
            running.enter_context(program(wharfinger("work", "--processes", "1", "--data", home.folder), log))
        pids = [wait_for("the worker", lambda at=at: pid_of(logs[at], starts[at], "settle")) for at in range(settlers)]
        wait_for("settling", lambda: sum(batch.records for one in settled() for batch in one) == records, seconds=600)
        used = sum(map(cpu_s, pids))
    began = max(one[0].at_s for one in settled() if one)
    counted = [batch for one in settled() for batch in one if batch.at_s > began]
    ended = max(batch.at_s for batch in counted)
    return Pace(before, sum(batch.records for batch in counted) / (ended - began), records / used)


def grow(home: House, client: redis.Redis, traffic: Traffic, sizes: tuple[int, ...]) -> Iterator[Pace]:
    """A measurement at each size of the ledger."""
    for size in sizes:
        before = fill(home, traffic, size)
        pace = settle(home, client, traffic, before=before)
        yield replace(pace, asked=ask(home), pages=cost(home, traffic).pages)


def together(home: House, client: redis.Redis, traffic: Traffic, before: int) -> list[tuple[str, str, str]]:
    """One settler and two at once, in turn on the same ledger: records a second of each turn, and of the middle one."""
    taken: dict[int, list[float]] = {1: [], 2: []}
    for _ in range(TURNS):
        for settlers, paces in taken.items():
            paces.append(settle(home, client, traffic, before=before, settlers=settlers).a_second)
    return [
        (f"{settlers}", f"{percentile(paces, 50):,.0f}", ", ".join(f"{pace:,.0f}" for pace in paces))
        for settlers, paces in taken.items()
    ]


def bytes_a_record(home: House) -> tuple[float, list[tuple[str, str]]]:
    """What the ledger takes a record, and of which table or index that is; those that take next to nothing together."""
    with closing(sqlite3.connect(home.folder / "ledger.db")) as connection:
        (records,) = connection.execute("SELECT size FROM tree").fetchone()
        taken = connection.execute("SELECT name, sum(pgsize) FROM dbstat GROUP BY name ORDER BY 2 DESC").fetchall()
    of_each = [(name, size / records) for name, size in taken]
    rows = [(name, f"{size:.1f}") for name, size in of_each if size >= 1]
    rest = sum(size for _, size in of_each if size < 1)
    return sum(size for _, size in of_each), [*rows, ("the rest", f"{rest:.1f}")]


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
    log = home.folder / "work-0.log"
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
    options.add_argument("--random-ids", action="store_true", help="ids of events as registries had them before 3.0")
    told = options.parse_args()
    sizes = tuple(sorted(told.records))
    with house(tour=False) as home, store(home.folder) as valkey, closing(redis.Redis.from_url(valkey.url)) as client:
        traffic = Traffic(home, random_ids=told.random_ids)
        paces = list(grow(home, client, traffic, sizes))
        turns = together(home, client, traffic, paces[-1].before)
        parts = profile(home, client, traffic)
        size, tables = bytes_a_record(home)
    title("Settle", watch.describe())
    remark(f"Backlogs of {BACKLOG:,} tokens with {EVENTS_A_TOKEN} events each, in the worker's own batches.")
    rows = [
        (
            f"{pace.before:,}",
            f"{pace.a_second:,.0f}",
            f"{pace.a_cpu_second:,.0f}",
            f"{1e6 / pace.a_cpu_second:.0f}",
            f"{pace.pages:.1f}",
        )
        for pace in paces
    ]
    head = (
        "records in the ledger before",
        "records a second",
        "a second of its own CPU",
        "CPU µs a record",
        "pages written a record",
    )
    table(head, rows)
    remark(f"At once on {paces[-1].before:,} records or more, in turn:")
    table(("settlers", "records a second, middle", "each turn"), turns)
    remark(f"The ledger takes {size:,.0f} bytes a record:")
    table(("table or index", "bytes a record"), tables)
    table(
        ("a page of 100 records by", *(f"p95 ms at {pace.before:,}" for pace in paces)),
        [(name, *(ms(percentile(pace.asked[name], 95)) for pace in paces)) for name in paces[0].asked],
    )
    if parts:
        table(("where the worker's time goes", "% of samples"), parts)


if __name__ == "__main__":
    main()
