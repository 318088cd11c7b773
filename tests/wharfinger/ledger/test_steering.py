"""What people tell the deployments: each a record of the log, what it changes, and who is looked at again for it."""

import json
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select, update

from tests.wharfinger.ledger.test_settlement import DIGEST, LATER, NOW, push
from wharfinger.ledger import outbox, schema, steering
from wharfinger.ledger.database import Database
from wharfinger.ledger.erasure import erase_account
from wharfinger.ledger.pruning import Kept, prune
from wharfinger.ledger.search import Criteria, search
from wharfinger.ledger.settlement import commit
from wharfinger.ledger.steering import EVERY_RULE, EVERYWHERE, Statement
from wharfinger.ledger.values import Around, Claim, DeliveryState, Standing, Vote
from wharfinger.wire.names import DeliveryId

ONE, TWO = DeliveryId("dlv_e1"), DeliveryId("dlv_e2")
ZOE = Statement("zoe", "it is good", NOW + 10)
ROOT = Statement("os:root", "a freeze", NOW + 10)


def claimed(ledger: Database, delivery: DeliveryId = ONE, *, at: int = NOW) -> Claim:
    """Take one that can be taken."""
    held = outbox.claim(ledger, delivery, now_ms=at)
    assert held is not None
    return held


def held(ledger: Database, delivery: DeliveryId = ONE) -> None:
    """Somebody looked at it, and holds it off for long."""
    outbox.hold(ledger, claimed(ledger, delivery), reason="waits", now_ms=NOW, due_at=NOW + 10**9)


def standing(ledger: Database, delivery: DeliveryId = ONE) -> Standing:
    """What a worker is told around it now."""
    return outbox.standing(ledger, claimed(ledger, delivery, at=NOW + 10**8), Around())


def told(ledger: Database) -> list[tuple[str, str, str, dict[str, Any]]]:
    """The records of what was said: what, by whom, why, about what."""
    found = search(ledger, Criteria(kinds=("steering",))).records
    return [(one.record.action, one.who, one.record.reason, json.loads(one.record.detail or "{}")) for one in found]


def test_a_vote(ledger: Database) -> None:
    """It is a record with delivery, digest, account and why; the delivery is due at once, and the worker is told of it."""
    commit(ledger, [push("e1")], now_ms=NOW)
    held(ledger)
    assert outbox.due(ledger, now_ms=NOW + 10) == []
    assert steering.vote(ledger, ONE, ZOE, approves=True) == 1
    assert outbox.due(ledger, now_ms=NOW + 10) == [ONE]
    assert standing(ledger).votes == (Vote("zoe", approves=True, why="it is good", at=NOW + 10),)
    about = {"delivery": "dlv_e1", "push": 0, "rule": "web", "target": "hook"}
    assert told(ledger) == [("approve", "zoe", "it is good", about)]
    (record,) = search(ledger, Criteria(kinds=("steering",))).records
    assert (record.record.repository, record.record.tag, record.record.digest) == ("shop/cart", "v1", DIGEST)


def test_several_votes_at_once(ledger: Database) -> None:
    """In the same moment, on the same delivery: each is there, the first one first."""
    commit(ledger, [push("e1")], now_ms=NOW)
    for who, approves in (("zoe", True), ("yan", False), ("zoe", True)):
        assert steering.vote(ledger, ONE, replace(ZOE, who=who), approves=approves) is not None
    assert [(one.account, one.approves) for one in standing(ledger).votes] == [("zoe", True), ("yan", False), ("zoe", True)]


def test_what_is_over_takes_no_vote(ledger: Database) -> None:
    """Nor does what is not there; nothing is written."""
    commit(ledger, [push("e1")], now_ms=NOW)
    outbox.finish(ledger, claimed(ledger), state=DeliveryState.DELIVERED, reason="", now_ms=NOW)
    assert steering.vote(ledger, ONE, ZOE, approves=True) is None
    assert steering.vote(ledger, DeliveryId("dlv_nobody"), ZOE, approves=True) is None
    assert told(ledger) == []


def test_a_vote_of_somebody_who_was_erased(ledger: Database) -> None:
    """It is nobody's."""
    commit(ledger, [push("e1")], now_ms=NOW)
    steering.vote(ledger, ONE, replace(ZOE, who="yan"), approves=True)
    erase_account(ledger, "yan", now_ms=NOW)
    assert [one.account for one in standing(ledger).votes] == [""]


def test_a_row_alone_is_no_vote(ledger: Database) -> None:
    """What counts is what the log's record says: one of another delivery, or of something else, is none on this."""
    commit(ledger, [push("e1"), push("e2", target="other")], now_ms=NOW)
    steering.vote(ledger, TWO, ZOE, approves=True)
    with ledger.writing() as connection:
        connection.execute(update(schema.votes).values(delivery=ONE))
        connection.execute(schema.votes.insert().values(delivery=ONE, seq=0))
    assert standing(ledger).votes == ()


def test_a_look_that_came_too_early(ledger: Database) -> None:
    """A vote while a worker has the delivery in hand: what he wants to hold off for long is due at once."""
    commit(ledger, [push("e1")], now_ms=NOW)
    claim = claimed(ledger)
    steering.vote(ledger, ONE, ZOE, approves=True)
    outbox.hold(ledger, claim, reason="0 of 1", now_ms=NOW + 20, due_at=NOW + 10**9)
    assert outbox.due(ledger, now_ms=NOW + 20) == [ONE]
    outbox.hold(ledger, claimed(ledger, at=NOW + 20), reason="1 of 2", now_ms=NOW + 30, due_at=NOW + 10**9)
    assert outbox.due(ledger, now_ms=NOW + 40) == []


@pytest.mark.parametrize(("rule", "other"), [("web", EVERY_RULE), (EVERY_RULE, "web")])
def test_a_pause(ledger: Database, rule: str, other: str) -> None:
    """It is told to workers, once; its end makes what waited due. A freeze and a rule's own pause are two."""
    commit(ledger, [push("e1")], now_ms=NOW)
    assert steering.pause(ledger, rule, ROOT)
    assert not steering.pause(ledger, rule, ROOT)
    assert not steering.resume(ledger, other, ROOT)
    what = "the rule is" if rule else "all rules are"
    assert standing(ledger).paused == f"{what} paused by os:root: a freeze"
    assert [(one.rule, one.who, one.why, one.at) for one in steering.pauses(ledger)] == [
        (rule, "os:root", "a freeze", NOW + 10)
    ]
    with ledger.writing() as connection:
        connection.execute(update(schema.deliveries).values(state="held", due_at=10**15))
    assert steering.resume(ledger, rule, replace(ROOT, why="over"))
    assert outbox.due(ledger, now_ms=NOW + 10) == [ONE]
    assert standing(ledger).paused == ""
    about = {"rule": rule} if rule else {"all": 1}
    assert told(ledger) == [("resume", "os:root", "over", about), ("pause", "os:root", "a freeze", about)]


def test_a_pause_of_another_rule(ledger: Database) -> None:
    """Is none of this one's business, nor is its end."""
    commit(ledger, [push("e1")], now_ms=NOW)
    held(ledger)
    steering.pause(ledger, "other", ROOT)
    steering.resume(ledger, "other", ROOT)
    assert outbox.due(ledger, now_ms=NOW + 10) == []


def test_both_pauses_are_told(ledger: Database) -> None:
    """A freeze over a rule that is paused by itself: it stays so when the freeze ends."""
    commit(ledger, [push("e1")], now_ms=NOW)
    steering.pause(ledger, "web", replace(ROOT, why="ours"))
    steering.pause(ledger, EVERY_RULE, ROOT)
    assert [one.rule for one in steering.pauses(ledger)] == [EVERY_RULE, "web"]
    assert standing(ledger).paused == "all rules are paused by os:root: a freeze; the rule is paused by os:root: ours"
    steering.resume(ledger, EVERY_RULE, ROOT)
    assert [one.rule for one in steering.pauses(ledger)] == ["web"]


@pytest.mark.parametrize(
    ("target", "why"),
    [
        (EVERYWHERE, "the digest is marked as bad everywhere: a hole"),
        ("hook", "the digest is marked as bad at hook: a hole"),
        ("other", ""),
    ],
)
def test_a_bad_digest(ledger: Database, target: str, why: str) -> None:
    """It is told to workers of every target, or of one; what waits with it is looked at at once; taken back it is gone."""
    commit(ledger, [push("e1"), push("e2", digest=LATER, target="second")], now_ms=NOW)
    held(ledger)
    held(ledger, TWO)
    steering.block(ledger, DIGEST, target, Statement("os:root", "a hole", NOW + 10))
    assert outbox.due(ledger, now_ms=NOW + 10) == ([ONE] if why else [])
    with ledger.writing() as connection:
        connection.execute(update(schema.deliveries).values(state="waiting", due_at=0))
    assert standing(ledger).bad == why
    (mark,) = steering.blocked(ledger)
    assert (mark.digest, mark.target, mark.who, mark.why, mark.at) == (DIGEST, target, "os:root", "a hole", NOW + 10)
    assert not steering.unblock(ledger, LATER, None, ROOT)
    assert not steering.unblock(ledger, DIGEST, "elsewhere", ROOT)
    assert steering.unblock(ledger, DIGEST, target or None, ROOT)
    assert steering.blocked(ledger) == []
    assert [(action, detail) for action, _, _, detail in told(ledger)] == [
        ("unblock", {"target": target} if target else {}), ("block", {"target": target} if target else {}),
    ]  # fmt: skip


def test_marked_again(ledger: Database) -> None:
    """The newest word counts; every mark of it goes at once."""
    for target, why in ((EVERYWHERE, "a"), (EVERYWHERE, "b"), ("hook", "c")):
        steering.block(ledger, DIGEST, target, Statement("zoe", why, NOW))
    assert [(one.target, one.why) for one in steering.blocked(ledger)] == [(EVERYWHERE, "b"), ("hook", "c")]
    assert steering.unblock(ledger, DIGEST, None, ROOT)
    assert steering.blocked(ledger) == []


def test_what_was_undone_is_remembered(ledger: Database) -> None:
    """At that target, until it is unblocked; in the transaction that ends it, and by nobody."""
    commit(ledger, [push("e1"), push("e2")], now_ms=NOW)
    outbox.finish(ledger, claimed(ledger), state=DeliveryState.UNDONE, reason="never healthy", now_ms=NOW)
    assert standing(ledger, TWO).bad == "the digest is marked as bad at hook: it was undone there: never healthy"
    (mark,) = steering.blocked(ledger)
    assert (mark.who, mark.target, mark.seq) == ("", "hook", 2)


@pytest.mark.parametrize(
    ("state", "forced"),
    [
        (one, one.value in {"refused", "undone", "failed", "tag_missing"})
        for one in DeliveryState
        if one.value not in {"sending", "held"}
    ],
)
def test_once_more(ledger: Database, state: DeliveryState, forced: bool) -> None:  # noqa: FBT001 - a column
    """What ended badly is due again under its own id; its digest's mark at its target is gone, and that is a record."""
    commit(ledger, [push("e1")], now_ms=NOW)
    if state is not DeliveryState.WAITING:
        outbox.finish(ledger, claimed(ledger), state=state, reason="x", now_ms=NOW)
    steering.block(ledger, DIGEST, "hook", replace(ROOT, why="here"))
    steering.block(ledger, DIGEST, "other", replace(ROOT, why="there"))
    assert steering.force(ledger, ONE, replace(ROOT, why="the disk was full")) is forced
    assert [one.target for one in steering.blocked(ledger)] == (["other"] if forced else ["hook", "other"])
    if forced:
        assert outbox.due(ledger, now_ms=NOW + 10) == [ONE]
        about = {"delivery": "dlv_e1", "push": 0, "rule": "web", "target": "hook"}
        assert told(ledger)[0] == ("force", "os:root", "the disk was full", about)
        again = claimed(ledger, at=NOW + 10)
        outbox.finish(ledger, again, state=DeliveryState.DELIVERED, reason="", now_ms=NOW + 11)
        assert again.attempt == 2
        assert not steering.force(ledger, ONE, ROOT)


def test_what_waits_for_nothing_any_more(ledger: Database) -> None:
    """A push of the tag after it was looked at: it is due, and once is enough; another tag changes nothing."""
    commit(ledger, [push("e1"), push("e2", tag="v2", target="second")], now_ms=NOW)
    held(ledger)
    held(ledger, TWO)
    again = push("e3", digest=LATER, target="third")
    commit(ledger, [replace(again, record=replace(again.record, recorded_at=NOW + 5))], now_ms=NOW + 5)
    assert outbox.wake_overtaken(ledger, now_ms=NOW + 6) == 1
    assert outbox.due(ledger, now_ms=NOW + 6) == [ONE, "dlv_e3"]
    assert outbox.wake_overtaken(ledger, now_ms=NOW + 6) == 0


def test_votes_go_with_their_push(ledger: Database) -> None:
    """When it is pruned; the record of what was said stays."""
    commit(ledger, [push("e1")], now_ms=NOW)
    steering.vote(ledger, ONE, ZOE, approves=True)
    outbox.finish(ledger, claimed(ledger), state=DeliveryState.DELIVERED, reason="", now_ms=NOW)
    assert prune(ledger, {Kept.PUSHES: 1_000}, now_ms=NOW + 10**6).counts == {Kept.PUSHES: 1}
    with ledger.reading() as connection:
        assert connection.execute(select(schema.votes)).all() == []
    assert len(told(ledger)) == 1
