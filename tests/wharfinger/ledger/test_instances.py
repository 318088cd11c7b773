"""Gaps: a new process of a registry that was heard before, silence, and its end, are told once."""

import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import cast

from sqlalchemy import select

from tests.wharfinger.ledger.crashes import killed_at
from tests.wharfinger.ledger.test_settlement import NOW, push
from wharfinger.ledger import instances, schema
from wharfinger.ledger.database import Database
from wharfinger.ledger.log import Appended, read_tree
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
        rows = connection.execute(select(schema.instances)).all()
        named = {number for row in rows for number in (row.source, row.instance_id)}
        texts = ledger.words.texts(connection, named, epoch=read_tree(connection).epoch)
        known = {(texts[row.source], texts[row.instance_id]): (row.first_at, row.last_at) for row in rows}
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


DAY = 86_400_000


def tell(ledger: Database, last_at: int) -> bool:
    """As the one who listens tells."""
    with ledger.writing() as connection:
        return instances.tell_silence(connection, ledger.words, "main", last_at, now_ms=last_at + DAY)


def test_silence_is_told_once(ledger: Database) -> None:
    """For the same last event, however often; a later silence is another."""
    commit(ledger, [heard("e1", "i1")], now_ms=NOW)
    assert [tell(ledger, NOW), tell(ledger, NOW)] == [True, False]
    commit(ledger, [heard("e2", "i1")], now_ms=NOW + 2 * DAY)
    assert tell(ledger, NOW + 2 * DAY)
    assert gaps(ledger) == [("main", "silent", ""), ("main", "back", ""), ("main", "silent", "")]


def test_a_registry_that_was_heard_meanwhile_is_not_silent(ledger: Database) -> None:
    """Whoever decided it had looked before the event came; by whichever of its processes."""
    commit(ledger, [heard("e1", "i1")], now_ms=NOW)
    commit(ledger, [heard("e2", "i2")], now_ms=NOW + 5)
    assert not tell(ledger, NOW)
    assert gaps(ledger) == [("main", "restarted", "i1")]


def test_who_is_back_is_told_with_how_long_it_was_away(ledger: Database) -> None:
    """Once, by the first event after; another registry's events end nobody else's silence."""
    commit(ledger, [heard("e1", "i1")], now_ms=NOW)
    tell(ledger, NOW)
    commit(ledger, [heard("x1", "j1", "other")], now_ms=NOW + 2 * DAY)
    commit(ledger, [heard("e2", "i1"), heard("e3", "i1")], now_ms=NOW + 3 * DAY)
    commit(ledger, [heard("e4", "i1")], now_ms=NOW + 3 * DAY + 5)
    back, silent = search(ledger, Criteria(kinds=("gap",))).records
    assert (silent.record.reason, silent.record.occurred_at) == ("silent", NOW)
    assert (back.record.reason, back.record.occurred_at, back.record.source) == ("back", NOW + 3 * DAY, "main")
    assert json.loads(back.record.detail) == {"why": "back", "last_heard": NOW, "silent_ms": 3 * DAY}


def test_a_silence_that_nobody_told_ends_without_a_word(ledger: Database) -> None:
    """A registry with a quiet night has nothing to explain."""
    commit(ledger, [heard("e1", "i1")], now_ms=NOW)
    commit(ledger, [heard("e2", "i1")], now_ms=NOW + DAY)
    assert gaps(ledger) == []


def test_when_each_registry_was_heard_last(ledger: Database) -> None:
    """Whichever of its processes it was."""
    commit(ledger, [heard("e1", "i1"), heard("x1", "j1", "other")], now_ms=NOW)
    commit(ledger, [heard("e2", "i2")], now_ms=NOW + 5)
    commit(ledger, [heard("e3", "i1")], now_ms=NOW + 9)
    with ledger.reading() as connection:
        assert instances.last_heard(connection, ledger.words) == {"main": NOW + 9, "other": NOW}


def test_a_crash_around_telling(ledger: Database) -> None:
    """Before the commit nothing is told, and the next look tells it; after it the next look finds it told."""
    commit(ledger, [heard("e1", "i1")], now_ms=NOW)
    killed_at("COMMIT", lambda: tell(Database(ledger.url, create=False), NOW))
    assert gaps(ledger) == []
    killed_at("COMMIT", lambda: tell(Database(ledger.url, create=False), NOW), after=True)
    assert gaps(ledger) == [("main", "silent", "")]
    assert not tell(ledger, NOW)
