"""Gaps: a new process of a registry that was heard before, and silence, are told once."""

import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import cast

from tests.wharfinger.ledger.test_settlement import NOW, push
from wharfinger.ledger import instances
from wharfinger.ledger.database import Database
from wharfinger.ledger.log import Appended, append
from wharfinger.ledger.search import Criteria, search
from wharfinger.ledger.settlement import commit
from wharfinger.ledger.values import Entry


def heard(event_id: str, instance: str, source: str = "main") -> Entry:
    """An event of one process."""
    entry = push(event_id)
    return replace(entry, record=replace(entry.record, instance_id=instance, source=source), deliveries=())


def gaps(ledger: Database) -> list[tuple[str, str, str]]:
    """What was told."""
    found = search(ledger, Criteria(kinds=("gap",))).records
    return [(one.record.source, one.record.reason, json.loads(one.record.detail).get("former", "")) for one in found][::-1]


def test_the_first_process_is_no_gap(ledger: Database) -> None:
    """Nor is another registry's first, nor the same process again."""
    commit(ledger, [heard("e1", "i1"), heard("e2", "i2", "other"), heard("e3", "i1")], now_ms=NOW)
    commit(ledger, [heard("e4", "i1")], now_ms=NOW + 5)
    assert gaps(ledger) == []
    with ledger.reading() as connection:
        known = {(one.source, one.instance_id): (one.first_at, one.last_at) for one in instances.read(connection, ledger.words)}
    assert known == {("main", "i1"): (NOW, NOW + 5), ("other", "i2"): (NOW, NOW)}


def test_a_new_process_may_mean_lost_events(ledger: Database) -> None:
    """Told once for each, with the process that was heard last before."""
    commit(ledger, [heard("e1", "i1")], now_ms=NOW)
    commit(ledger, [heard("e2", "i2"), heard("e3", "i2")], now_ms=NOW + 5)
    commit(ledger, [heard("e4", "i2")], now_ms=NOW + 6)
    assert gaps(ledger) == [("main", "restarted", "i1")]


def steps(ledger: Database) -> int:
    """How much SQLite does, in its own small steps, to note that a process was heard which is known already."""
    (event,) = search(ledger, Criteria(), limit=1).records
    taken = 0

    def step() -> None:
        nonlocal taken
        taken += 1

    with ledger.writing() as connection:
        driver = cast("sqlite3.Connection", connection.connection.driver_connection)
        driver.set_progress_handler(step, 1)
        instances.note(connection, ledger.words, [Appended(event.seq, event.record)], now_ms=NOW + 9)
        driver.set_progress_handler(None, 0)
    return taken


def test_many_processes_cost_no_more_than_few(tmp_path: Path) -> None:
    """Whoever has the secret may name any number: settling one event never looks at all of them again."""
    with closing(Database(f"sqlite:///{tmp_path}/ledger.db")) as ledger:
        commit(ledger, [heard("e1", "i1"), heard("e2", "i2")], now_ms=NOW)
        few = steps(ledger)
        commit(ledger, [heard(f"f{number}", f"j{number}") for number in range(500)], now_ms=NOW + 1)
        assert steps(ledger) < 2 * few


def test_silence_is_told_once(ledger: Database) -> None:
    """For the same last event; a later silence is another."""
    for last in (NOW, NOW, NOW + 9):
        with ledger.writing() as connection:
            append(connection, ledger.words, [(instances.silent("main", last, now_ms=NOW + 99), b"")])
    assert gaps(ledger) == [("main", "silent", ""), ("main", "silent", "")]
