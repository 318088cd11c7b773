"""Alarms: a violation, or an id that came with another body, is a record of its own, with what should hear of it."""

import json
from dataclasses import replace

import pytest

from tests.wharfinger.ledger.test_settlement import NOW, push
from wharfinger.ledger import outbox
from wharfinger.ledger.database import Database
from wharfinger.ledger.search import Criteria, search
from wharfinger.ledger.settlement import commit
from wharfinger.ledger.values import Entry, NewDelivery
from wharfinger.wire.names import DeliveryId


def alarming(event_id: str, why: str, *, sha: str = "") -> Entry:
    """A push that may raise an alarm."""
    hears = (NewDelivery(DeliveryId(f"dlv_alarm_{event_id}{sha}"), "alarm", "pager"),)
    return replace(push(event_id, sha=sha), deliveries=(), alarm=why, on_alarm=hears)


@pytest.mark.parametrize("why", ["forged", "outside_grant"])
def test_a_violation_raises_one(ledger: Database, why: str) -> None:
    """Once, however often the event comes; who wants to hear of it has a delivery that is due."""
    for _ in range(2):
        settled = commit(ledger, [push("e0"), alarming("e1", why)], now_ms=NOW)
    assert settled.alarms == ()
    (alarm,) = search(ledger, Criteria(kinds=("alarm",))).records
    assert (alarm.record.reason, json.loads(alarm.record.detail), alarm.record.repository) == (why, {"record": 1}, "shop/cart")
    assert outbox.claim(ledger, DeliveryId("dlv_alarm_e1"), now_ms=NOW) is not None


def test_another_body_under_a_known_id_raises_one(ledger: Database) -> None:
    """Within a batch and across batches; the first of them is no alarm."""
    first = commit(ledger, [alarming("e1", "", sha="a"), alarming("e1", "", sha="b")], now_ms=NOW)
    second = commit(ledger, [alarming("e1", "", sha="c")], now_ms=NOW)
    assert (first.alarms, second.alarms) == (("id_reused",), ("id_reused",))
    assert (first.due, second.due) == (("dlv_alarm_e1b",), ("dlv_alarm_e1c",))


def test_an_honest_event_raises_none(ledger: Database) -> None:
    """Nor does it wake anybody."""
    assert commit(ledger, [alarming("e1", "")], now_ms=NOW).alarms == ()
    assert outbox.due(ledger, now_ms=NOW) == []
