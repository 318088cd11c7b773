"""Deliveries that are not over: the oldest of them, one of them, and what its tag is by now."""

from dataclasses import replace

from tests.wharfinger.ledger.test_settlement import DIGEST, LATER, NOW, push
from wharfinger.ledger import outbox, steering
from wharfinger.ledger.database import Database
from wharfinger.ledger.settlement import commit
from wharfinger.ledger.steering import Statement
from wharfinger.ledger.values import DeliveryState, Vote
from wharfinger.ledger.waiting import open_delivery, waiting
from wharfinger.wire.names import DeliveryId

ONE = DeliveryId("dlv_e1")


def test_what_waits(ledger: Database) -> None:
    """The oldest first, and how many there are; what is over, and what only tells somebody of an alarm, is not among them."""
    alarm = push("e4", target="pager")
    entries = [push("e1"), push("e2", tag="v2", target="two"), push("e3", tag="v3", target="three")]
    told = replace(alarm, deliveries=(replace(alarm.deliveries[0], rule="alarm"),))
    commit(ledger, [*entries, told], now_ms=NOW)
    held = outbox.claim(ledger, DeliveryId("dlv_e2"), now_ms=NOW)
    assert held is not None
    outbox.finish(ledger, held, state=DeliveryState.DELIVERED, reason="", now_ms=NOW)
    found, count = waiting(ledger, limit=1)
    assert ([one.id for one in found], count) == ([ONE], 2)
    assert [one.id for one in waiting(ledger, limit=9)[0]] == [ONE, "dlv_e3"]
    (one, _) = waiting(ledger, limit=9)[0]
    assert (one.repository, one.tag, one.digest, one.account, one.verdict) == ("shop/cart", "v1", DIGEST, "zoe", "exact")
    assert open_delivery(ledger, DeliveryId("dlv_e2")) is None
    assert open_delivery(ledger, DeliveryId("dlv_e4")) is None


def test_one_with_its_votes(ledger: Database) -> None:
    """And with what its tag is by now: nothing, as long as that is the same."""
    commit(ledger, [push("e1")], now_ms=NOW)
    steering.vote(ledger, ONE, Statement("yan", "good", NOW + 1), approves=True)
    found = open_delivery(ledger, ONE)
    assert found is not None
    assert (found.votes, found.by_now) == ((Vote("yan", approves=True, why="good", at=NOW + 1),), "")
    commit(ledger, [push("e2", digest=LATER)], now_ms=NOW)
    moved = open_delivery(ledger, ONE)
    assert moved is not None
    assert moved.by_now == LATER


def test_a_tag_that_is_gone(ledger: Database) -> None:
    """It is nothing by now."""
    untag = push("e2")
    gone = replace(untag, record=replace(untag.record, action="untag", object_kind="tag", digest=""), deliveries=())
    commit(ledger, [push("e1"), gone], now_ms=NOW)
    found = open_delivery(ledger, ONE)
    assert found is not None
    assert found.by_now == ""
