"""A lease that is kept: renewed from beside while an outside step takes its time."""

import itertools
import threading
from collections.abc import Iterator

import pytest
from sqlalchemy import select, update

from wharfinger.ledger import outbox, schema
from wharfinger.ledger.database import Database
from wharfinger.ledger.errors import LeaseLost
from wharfinger.ledger.record import AuditRecord, Personal, RecordKind
from wharfinger.ledger.settlement import commit
from wharfinger.ledger.values import Entry, NewDelivery
from wharfinger.wire.names import DeliveryId
from workers.adapters.ledger import HeldInLedger

NOW = 1_795_477_900_000
DELIVERY = DeliveryId("dlv_1")


@pytest.fixture
def ledger(ledger_url: str) -> Iterator[Database]:
    """A ledger with one delivery."""
    database = Database(ledger_url)
    record = AuditRecord(
        kind=RecordKind.EVENT,
        recorded_at=NOW,
        event_id="e",
        event_sha="ab" * 32,
        source="main",
        personal=Personal(raw_sha256="ab" * 32),
    )
    commit(database, [Entry(record, deliveries=(NewDelivery(DELIVERY, "web", "t"),))], now_ms=NOW)
    yield database
    database.close()


def lease_until(database: Database) -> int:
    """When the delivery may be taken over."""
    with database.reading() as connection:
        return connection.execute(select(schema.deliveries.c.lease_until)).scalar_one()


def test_it_is_renewed_while_the_block_runs(ledger: Database) -> None:
    """Again and again, without the worker doing anything; and no more once it is over."""
    claim = outbox.claim(ledger, DELIVERY, now_ms=NOW)
    assert claim is not None
    ticks, third = itertools.count(NOW + 1), threading.Event()

    def clock() -> int:
        now_ms = next(ticks)
        if now_ms == NOW + 3:
            third.set()
        return now_ms

    with HeldInLedger(ledger, claim, clock, beat_s=0.01).kept():
        assert third.wait(30)
    assert lease_until(ledger) >= NOW + 3 + outbox.LEASE_MS
    after = next(ticks)
    assert lease_until(ledger) < after + outbox.LEASE_MS


def test_a_lost_lease_is_not_taken_back(ledger: Database) -> None:
    """Once another worker holds it, keeping ends by itself, and the worker learns it at its own next renewal."""
    claim = outbox.claim(ledger, DELIVERY, now_ms=NOW)
    assert claim is not None
    held, asked = HeldInLedger(ledger, claim, lambda: NOW, beat_s=0.01), threading.Event()
    with ledger.writing() as connection:
        connection.execute(update(schema.deliveries).values(fence=claim.fence + 1, lease_until=NOW + 7))
    watched = HeldInLedger(ledger, claim, lambda: asked.set() or NOW, beat_s=0.01)
    with watched.kept():
        assert asked.wait(30)
    assert lease_until(ledger) == NOW + 7
    with pytest.raises(LeaseLost):
        held.renew()
