"""Gaps: a new process of a registry that was heard before, and silence, are told once."""

import json
from dataclasses import replace

from tests.wharfinger.ledger.test_settlement import NOW, push
from wharfinger.ledger import instances
from wharfinger.ledger.database import Database
from wharfinger.ledger.log import append
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


def test_silence_is_told_once(ledger: Database) -> None:
    """For the same last event; a later silence is another."""
    for last in (NOW, NOW, NOW + 9):
        with ledger.writing() as connection:
            append(connection, ledger.words, [(instances.silent("main", last, now_ms=NOW + 99), b"")])
    assert gaps(ledger) == [("main", "silent", ""), ("main", "silent", "")]
