"""Alarms about the trail, in the trail: once, with who is to hear of them, whatever is wrong with the log."""

import json
from typing import Any

import pytest
from sqlalchemy import Column

from tests.wharfinger.ledger.crashes import killed_at
from tests.wharfinger.ledger.logs import KEYS, NOW, fill, rewrite, sign, size_of
from wharfinger.ledger import outbox, schema
from wharfinger.ledger.database import Database
from wharfinger.ledger.erasure import erase_account
from wharfinger.ledger.errors import LedgerUnavailable
from wharfinger.ledger.search import Criteria, search
from wharfinger.ledger.tally import tally
from wharfinger.ledger.trail_alarms import raise_trail_alarm
from wharfinger.ledger.values import NewDelivery, TrailAlarm, TrailFault
from wharfinger.ledger.verification.whole import verify_whole
from wharfinger.wire.names import DeliveryId

HOOK = DeliveryId("dlv_alarm")
ALARM = TrailAlarm(
    TrailFault.CHECKPOINT_REFUSED,
    "rewritten/10",
    {"problem": "not those that were signed"},
    (NewDelivery(HOOK, "alarm", "hook"),),
)


def told(ledger: Database) -> list[tuple[str, str, dict[str, object]]]:
    """The alarms of the trail."""
    found = search(ledger, Criteria(kinds=("alarm",))).records
    return [(one.record.reason, one.record.event_id, json.loads(one.record.detail)) for one in found]


def test_it_is_a_record_and_somebody_hears_of_it(ledger: Database) -> None:
    """Once, however often it is found; it counts as an alarm, and the log holds with it."""
    fill(ledger, 10)
    assert [raise_trail_alarm(ledger, ALARM, now_ms=NOW + 10 + at) for at in range(3)] == [True, False, False]
    assert told(ledger) == [
        ("checkpoint_refused", "alarm/checkpoint_refused/rewritten/10", {"problem": "not those that were signed"})
    ]
    claim = outbox.claim(ledger, HOOK, now_ms=NOW + 20)
    assert claim is not None
    assert (claim.alarm, claim.target, claim.source) == ("checkpoint_refused", "hook", "")
    assert tally(ledger).alarms == {"checkpoint_refused": 1}
    sign(ledger)
    assert verify_whole(ledger, KEYS).proved


def test_a_crash_around_it(ledger: Database) -> None:
    """Before the commit it is not told, and is when it is found again; after it, it is told once."""
    fill(ledger, 10)
    for after in (False, True):
        killed_at("COMMIT", lambda: raise_trail_alarm(Database(ledger.url, create=False), ALARM, now_ms=NOW), after=after)
        assert len(told(ledger)) == len(outbox.due(ledger, now_ms=NOW + 1)) == after
    assert not raise_trail_alarm(ledger, ALARM, now_ms=NOW)


@pytest.mark.parametrize(
    ("column", "value"),
    [(schema.tree.c.frontier, b"x"), (schema.tree.c.size, 6)],
    ids=["a frontier that is none", "a size that went back"],
)
def test_a_log_that_takes_no_record(ledger: Database, column: Column[Any], value: object) -> None:
    """Nothing can be appended behind such a fault: that is said, and nothing else is raised."""
    fill(ledger, 10)
    rewrite(ledger, column, lambda _old: value)
    with pytest.raises(LedgerUnavailable):
        raise_trail_alarm(ledger, ALARM, now_ms=NOW)
    assert outbox.due(ledger, now_ms=NOW + 1) == []


def test_it_is_no_anonymous_clients(ledger: Database) -> None:
    """Erasing everybody without a name leaves it alone."""
    fill(ledger, 10)
    raise_trail_alarm(ledger, ALARM, now_ms=NOW)
    erase_account(ledger, "", now_ms=NOW)
    (one,) = search(ledger, Criteria(kinds=("alarm",))).records
    assert (one.seq, one.erased) == (size_of(ledger) - 1, False)
