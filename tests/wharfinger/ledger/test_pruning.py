"""Retention: what is old goes, by kind; the tree stays, and the log tells which numbers went."""

import json
from dataclasses import replace

import pytest
from sqlalchemy import select

from tests.wharfinger.ledger.test_settlement import ISSUANCE, NOW, issuance_entry, push
from wharfinger.ledger import outbox, schema
from wharfinger.ledger.database import Database
from wharfinger.ledger.log import read_tile, read_tree
from wharfinger.ledger.pruning import Kept, numbers_hash, plan, prune
from wharfinger.ledger.record import AuditRecord, Personal, RecordKind
from wharfinger.ledger.search import Criteria, search
from wharfinger.ledger.settlement import commit
from wharfinger.ledger.values import DeliveryState, Entry
from wharfinger.wire.jti import JtiKeys, mint

DAY = 86_400_000
OLD, NEW = NOW, NOW + 50 * DAY


def unused() -> Entry:
    """A token that nobody used."""
    jti = mint(JtiKeys((b"k" * 32,)), account=ISSUANCE.account, now_ms=NOW, nonce=5)
    return issuance_entry(
        type(ISSUANCE)(**{name: getattr(ISSUANCE, name) for name in ISSUANCE.__struct_fields__} | {"jti": jti})
    )


def pull(event_id: str, at: int) -> Entry:
    """A pull."""
    entry = push(event_id)
    return replace(entry, record=replace(entry.record, action="pull", tag="", recorded_at=at), deliveries=())


@pytest.fixture
def filled(ledger: Database) -> Database:
    """Old: a used and an unused token, a push that was delivered, a pull, a refusal. New: a push and a pull."""
    refusal = AuditRecord(kind=RecordKind.REFUSAL, recorded_at=OLD, event_id="r1", action="refuse", personal=Personal())
    commit(ledger, [issuance_entry(), unused(), push("e1"), pull("p1", OLD), Entry(refusal)], now_ms=OLD)
    held = outbox.claim(ledger, outbox.due(ledger, now_ms=OLD)[0], now_ms=OLD)
    assert held is not None
    outbox.finish(ledger, held, state=DeliveryState.DELIVERED, reason="", now_ms=OLD)
    new = replace(push("e2"), record=replace(push("e2").record, recorded_at=NEW))
    commit(ledger, [new, pull("p2", NEW)], now_ms=NEW)
    return ledger


def left(ledger: Database) -> list[int]:
    """The numbers that are there."""
    return [one.seq for one in search(ledger, Criteria()).records][::-1]


@pytest.mark.parametrize(
    ("kept", "gone"),
    [
        (Kept.PUSHES, [2]),
        (Kept.PULLS, [3]),
        (Kept.TOKENS, [0, 1]),
        (Kept.UNUSED_TOKENS, [1]),
        (Kept.REFUSALS, [4]),
        (Kept.DELIVERIES, [5]),
        (Kept.QUARANTINE, []),
    ],
)
def test_what_is_old_goes_by_kind(filled: Database, kept: Kept, gone: list[int]) -> None:
    """A dry run says how much; the run removes that, once, and tells of it in the log."""
    retention = {kept: 30 * DAY}
    assert plan(filled, retention, now_ms=NEW).counts == {kept: len(gone)}
    assert left(filled) == list(range(8))
    assert prune(filled, retention, now_ms=NEW).counts == {kept: len(gone)}
    told = [8] if gone else []
    assert left(filled) == [seq for seq in range(8) if seq not in gone] + told
    assert prune(filled, retention, now_ms=NEW).counts == {kept: 0}
    with filled.reading() as connection:
        assert [tuple(row) for row in connection.execute(select(schema.pruned))] == [(seq, 8) for seq in gone]
        assert len(read_tile(connection, 0, 0)) == 32 * read_tree(connection).size


def test_the_record_commits_to_the_numbers(filled: Database) -> None:
    """Whoever removes other rows behind the ledger's back cannot say they were pruned."""
    prune(filled, {Kept.TOKENS: 30 * DAY}, now_ms=NEW)
    (told,) = search(filled, Criteria(kinds=("pruning",))).records
    assert json.loads(told.record.detail) == {
        "what": "tokens", "before": NEW - 30 * DAY, "records": 2, "sha256": numbers_hash([0, 1]),
    }  # fmt: skip


def test_raw_events_go_alone(filled: Database) -> None:
    """Their records stay, and so does what was new."""
    assert prune(filled, {Kept.RAW: 30 * DAY}, now_ms=NEW).counts == {Kept.RAW: 2}
    assert left(filled) == list(range(8))


def test_a_push_that_is_still_to_be_deployed_stays(ledger: Database) -> None:
    """However old: its delivery waits."""
    commit(ledger, [push("e1")], now_ms=OLD)
    assert prune(ledger, {Kept.PUSHES: DAY}, now_ms=NEW).counts == {Kept.PUSHES: 0}
