"""Delivering: a due row is guarded, sent under its lease, and its outcome written; every way in which it may end."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from tests.workers.fakes import KnownDestinations, KnownTags, MemoryHeld, MemoryLedger, MemoryOutbox, RecordingTarget, Told
from wharfinger.ledger.errors import LedgerUnavailable
from wharfinger.ledger.record import AuditRecord, Personal, RecordKind
from wharfinger.ledger.values import NEVER, Around, Decision, DeliveryState, Entry, NewDelivery, Said, Standing, Vote
from wharfinger.runtime.settings import Approvals, Match, Require, Rule
from wharfinger.wire.names import DeliveryId
from workers.decide.guard import NEXT_LOOK_MS, QUICK_LOOKS_MS, SETTLING_MS
from workers.decide.order import Delivered, Failed, Order, Refused, Retry, Sent, Unchanged, Undone
from workers.decide.retry import MAX_ATTEMPTS
from workers.decide.rules import CompiledRule
from workers.deliver import TURN_MS, Deliver
from workers.errors import Unavailable
from workers.ports import Held, Lease

NOW_MS = 1_795_477_900_000
DIGEST, OTHER = "sha256:" + "ab" * 32, "sha256:" + "cd" * 32
PUSH = DeliveryId("dlv_1")


RULE = Rule("web", Match(), Require.EXACT, ("hook",), 1)


class House:
    """The use case on fakes, with one push of ``shop/cart:v1`` for the target ``hook``."""

    def __init__(
        self, *, verdict: str = "exact", runs_one: bool = False, knows_what_runs: bool = False, rule: Rule = RULE
    ) -> None:
        self.now_ms = NOW_MS
        self.pauses: list[int] = []
        self.logged: list[dict[str, object]] = []
        self.ledger, self.told = MemoryLedger(), Told()
        self.outbox = MemoryOutbox(self.ledger, lambda: self.now_ms)
        self.tags = KnownTags({("main", "shop/cart", "v1"): DIGEST})
        self.target, self.destinations = RecordingTarget(), KnownDestinations()
        self.destinations.add("hook", self.target, runs_one=runs_one, knows_what_runs=knows_what_runs)
        self.deliver = Deliver(
            rules={rule.name: CompiledRule(rule)},
            outbox=self.outbox,
            tags=self.tags,
            destinations=self.destinations,
            wake_ups=self.told,
            clock=lambda: self.now_ms,
            pause=self.pause,
            randomness=lambda: 0.0,
            log=self._log,
        )
        self.push(PUSH, verdict=verdict)

    def pause(self, milliseconds: int) -> None:
        """Let time pass."""
        self.pauses.append(milliseconds)
        self.now_ms += milliseconds

    def _log(self, event: str, /, **fields: object) -> None:
        self.logged.append({"event": event, **fields})

    def push(
        self, ident: DeliveryId, *, digest: str = DIGEST, tag: str = "v1", verdict: str = "exact", target: str = "hook"
    ) -> None:
        """A settled push with its delivery."""
        record = AuditRecord(
            kind=RecordKind.EVENT,
            recorded_at=NOW_MS,
            occurred_at=NOW_MS - 500,
            source="main",
            event_id=f"e-{ident}",
            event_sha=ident,
            action="push",
            object_kind="manifest",
            repository="shop/cart",
            tag=tag,
            digest=digest,
            media_type="m",
            verdict=verdict,
            jti="j1",
            personal=Personal(account="zoe"),
        )
        self.ledger.commit([Entry(record, deliveries=(NewDelivery(ident, "web", target),))], now_ms=self.now_ms)

    def run(self, ident: DeliveryId = PUSH) -> tuple[DeliveryState, str]:
        """Carry one on; where it stands then, and why."""
        self.deliver.run(ident)
        row = self.ledger.rows[ident]
        return row.state, row.reason


def test_a_push_is_delivered() -> None:
    """The target is told which image by its digest, who pushed it, and by which token."""
    house = House()
    assert house.run() == (DeliveryState.DELIVERED, "")
    assert house.target.orders == [
        Order(
            delivery_id=PUSH,
            rule="web",
            target="hook",
            source="main",
            registry_host="registry.main",
            repository="shop/cart",
            tag="v1",
            digest=DIGEST,
            media_type="m",
            account="zoe",
            jti="j1",
            event_id=f"e-{PUSH}",
            pushed_at_ms=NOW_MS - 500,
            attempt=1,
        )
    ]
    assert house.target.orders[0].image() == f"registry.main/shop/cart@{DIGEST}"
    assert house.logged == [{"event": "delivery.step", "delivery": PUSH, "target": "hook", "attempt": 1, "step": "delivered"}]


def test_what_is_over_is_not_sent_again() -> None:
    """A second wake-up of the same delivery does nothing, and asks nobody."""
    house = House()
    house.run()
    asked = house.tags.asked
    assert house.run() == (DeliveryState.DELIVERED, "")
    assert (len(house.target.orders), house.tags.asked, len(house.logged)) == (1, asked, 1)


def test_a_delivery_nobody_knows() -> None:
    """A job may name anything."""
    house = House()
    house.deliver.run(DeliveryId("dlv_nobody"))
    assert (house.logged, house.told.deliveries) == ([], [])


def test_the_next_of_the_same_target_goes_on_at_once() -> None:
    """What waited for its turn waits neither for sweep nor for a job; other targets are not this one's business."""
    house = House()
    house.tags.tags["main", "shop/cart", "v2"] = OTHER
    house.push(DeliveryId("dlv_2"), tag="v2", digest=OTHER)
    house.push(DeliveryId("dlv_3"), tag="v3", target="other")
    house.run()
    assert [order.delivery_id for order in house.target.orders] == [PUSH, "dlv_2"]
    assert (house.told.deliveries, house.ledger.rows[DeliveryId("dlv_3")].state) == ([], DeliveryState.WAITING)


def test_a_target_with_much_to_do_lets_others_have_their_turn() -> None:
    """After its time a worker ends the job, and whoever is free next goes on."""
    house = House()
    house.target.meanwhile = lambda: house.pause(TURN_MS)
    house.push(DeliveryId("dlv_2"), tag="v2")
    house.run()
    assert [order.delivery_id for order in house.target.orders] == [PUSH]
    assert house.told.deliveries == ["dlv_2"]


@pytest.mark.parametrize(
    ("answer", "state", "reason"),
    [
        (Delivered("took it"), DeliveryState.DELIVERED, "took it"),
        (Unchanged("runs it"), DeliveryState.UNCHANGED, "runs it"),
        (Undone("fell over"), DeliveryState.UNDONE, "fell over"),
        (Refused("not safe"), DeliveryState.REFUSED, "not safe"),
        (Failed("no"), DeliveryState.FAILED, "no"),
        (Retry("later"), DeliveryState.WAITING, "later"),
    ],
)
def test_what_targets_say(answer: Sent, state: DeliveryState, reason: str) -> None:
    """Each answer has its state; only Retry is not the end."""
    house = House()
    house.target.answer = answer
    assert house.run() == (state, reason)


def test_a_push_that_is_not_accounted_for() -> None:
    """It is refused before anybody is asked."""
    house = House(verdict="forged")
    assert house.run() == (DeliveryState.REFUSED, "the push is not tied to a token: forged")
    assert (house.target.orders, house.tags.asked) == ([], 0)


def test_a_rule_that_the_configuration_lost() -> None:
    """Nobody knows any more what must hold for what it brought."""
    house = House(rule=replace(RULE, name="other"))
    assert house.run() == (DeliveryState.REFUSED, "the configuration has no rule web any more")
    assert (house.target.orders, house.tags.asked) == ([], 0)


def said(house: House) -> list[tuple[str, Said]]:
    """What each guard said so far."""
    return [(one.guard, one.said) for one in house.ledger.rows[PUSH].decisions]


def test_what_the_guards_said_is_kept() -> None:
    """With what came of it, and each line with its time."""
    house = House()
    house.tags.answers = [None, None]
    house.run()
    assert said(house) == [("attribution", Said.GO), ("order", Said.GO), ("tag", Said.GO)]
    assert {one.at for one in house.ledger.rows[PUSH].decisions} == {house.now_ms}


def test_a_delivery_that_must_be_approved() -> None:
    """It is held until its time is over, at no cost; a vote wakes it, and enough votes send it."""
    house = House(rule=replace(RULE, approvals=Approvals(1, ("yan",), 3_600.0)))
    assert house.run() == (DeliveryState.HELD, "0 of 1 approvals, until 2026-11-24 00:51:40")
    row = house.ledger.rows[PUSH]
    assert (row.due_at, row.claim.attempt, house.logged[-1]["step"]) == (NOW_MS + 3_600_000, 0, "held")
    house.now_ms += 60_000
    assert list(house.outbox.due()) == []
    row.votes.append(Vote("yan", approves=True, why="", at=house.now_ms))
    row.stir(house.now_ms)
    assert list(house.outbox.due()) == [PUSH]
    assert house.run()[0] is DeliveryState.DELIVERED
    assert said(house)[-2:] == [("approvals", Said.WAIT), ("approvals", Said.GO)]
    assert len(house.target.orders) == 1


def test_a_delivery_that_nobody_approves() -> None:
    """When its time is over it is refused; nothing is sent."""
    house = House(rule=replace(RULE, approvals=Approvals(1, ("yan",), 3_600.0)))
    house.run()
    house.now_ms += 3_600_000
    assert house.run() == (DeliveryState.REFUSED, "0 of 1 approvals within 1h")
    assert house.target.orders == []


def test_a_rule_that_is_paused() -> None:
    """Its deliveries wait, the registry is not asked; when it ends they go on."""
    house = House()
    house.ledger.paused["web"] = "the rule is paused by zoe: a freeze"
    assert house.run() == (DeliveryState.HELD, "the rule is paused by zoe: a freeze")
    assert (house.tags.asked, house.ledger.rows[PUSH].due_at) == (0, NEVER)
    del house.ledger.paused["web"]
    house.ledger.rows[PUSH].stir(house.now_ms)
    assert house.run()[0] is DeliveryState.DELIVERED


def test_a_pause_that_ended_meanwhile() -> None:
    """Between the look and the word: it is not held for ever, but looked at again at once."""
    house = House()
    house.ledger.paused["web"] = "paused"
    house.deliver = replace(house.deliver, outbox=Resumed(house.ledger, lambda: house.now_ms))
    assert house.run()[0] is DeliveryState.DELIVERED
    assert ("pause", Said.WAIT) in said(house)


def test_a_burst_of_one_tag() -> None:
    """Becomes one delivery, of what was pushed last; the tag is read back when its time has come."""
    house = House(rule=replace(RULE, debounce_s=2.0))
    house.tags.tags["main", "shop/cart", "v1"] = OTHER
    house.push(DeliveryId("dlv_2"), digest=OTHER)
    house.now_ms += 2_000
    for ident in (PUSH, DeliveryId("dlv_2")):
        house.run(ident)
    assert [one.state for one in house.ledger.rows.values()] == [DeliveryState.SUPERSEDED, DeliveryState.DELIVERED]
    assert [order.digest for order in house.target.orders] == [OTHER]


def test_a_digest_that_was_undone() -> None:
    """It is remembered: pushed again it is refused, until somebody unblocks it."""
    house = House(runs_one=True, knows_what_runs=True)
    house.target.answer = Undone("never healthy")
    assert house.run()[0] is DeliveryState.UNDONE
    house.push(DeliveryId("dlv_2"))
    state, reason = house.run(DeliveryId("dlv_2"))
    assert (state, reason) == (DeliveryState.REFUSED, "the digest is marked as bad at hook: it was undone there: never healthy")
    house.ledger.bad.clear()
    house.push(DeliveryId("dlv_3"))
    house.target.answer = Delivered()
    assert house.run(DeliveryId("dlv_3"))[0] is DeliveryState.DELIVERED


def test_going_back() -> None:
    """An older version than the last one delivered is refused when the rule says forward_only."""
    house = House(rule=replace(RULE, forward_only=True))
    house.tags.tags |= {("main", "shop/cart", tag): DIGEST for tag in ("v1.10", "v1.9")}
    house.push(DeliveryId("dlv_2"), tag="v1.10")
    house.push(DeliveryId("dlv_3"), tag="v1.9", digest=DIGEST)
    assert house.run(DeliveryId("dlv_2"))[0] is DeliveryState.DELIVERED
    assert house.run(DeliveryId("dlv_3")) == (DeliveryState.REFUSED, "v1.9 would go back from v1.10, which was delivered last")


def test_a_target_that_the_configuration_lost() -> None:
    """It is said, and not tried for three days."""
    house = House()
    house.destinations.known.clear()
    assert house.run() == (DeliveryState.REFUSED, "the configuration has no target hook any more")


def test_a_tag_that_comes_a_little_later() -> None:
    """The event precedes its tag: a few quick looks, in the same claim."""
    house = House()
    house.tags.answers = [None, OTHER]
    assert house.run()[0] is DeliveryState.DELIVERED
    assert (house.pauses, house.tags.asked) == (list(QUICK_LOOKS_MS[:2]), 3)


def test_a_tag_that_does_not_come_at_once() -> None:
    """It goes back for a second, and looking was no attempt."""
    house = House()
    house.tags.tags.clear()
    assert house.run() == (DeliveryState.WAITING, "the registry has no tag v1")
    row = house.ledger.rows[PUSH]
    assert (house.pauses, row.claim.attempt) == (list(QUICK_LOOKS_MS), 0)
    assert row.due_at == house.now_ms + NEXT_LOOK_MS
    assert house.logged[-1]["step"] == "postponed"


@pytest.mark.parametrize(
    ("found", "state", "reason"),
    [
        (None, DeliveryState.TAG_MISSING, "the registry has no tag v1"),
        (OTHER, DeliveryState.SUPERSEDED, f"v1 is {OTHER} in the registry"),
    ],
)
def test_a_tag_that_never_comes(found: str | None, state: DeliveryState, reason: str) -> None:
    """After ten seconds it is known for sure, and nothing was sent."""
    house = House()
    house.tags.answers = [found]
    house.now_ms += SETTLING_MS
    assert house.run() == (state, reason)
    assert house.target.orders == []


def test_a_later_push_of_the_tag() -> None:
    """The older one is superseded by what the ledger knows, whatever the registry says."""
    house = House()
    house.push(DeliveryId("dlv_2"), digest=OTHER, target="other")
    assert house.run() == (DeliveryState.SUPERSEDED, f"v1 was pushed again, as {OTHER}")
    assert house.tags.asked == 0


@pytest.mark.parametrize(
    ("runs_one", "state"), [(True, DeliveryState.SUPERSEDED), (False, DeliveryState.DELIVERED)], ids=["container", "webhook"]
)
def test_a_later_push_of_another_tag(runs_one: bool, state: DeliveryState) -> None:  # noqa: FBT001 - a column
    """Of a target that runs one thing, an older push must not undo a later one; others take both."""
    house = House(runs_one=runs_one)
    house.push(DeliveryId("dlv_2"), tag="v2", digest=OTHER)
    house.tags.tags["main", "shop/cart", "v2"] = OTHER
    assert house.run(DeliveryId("dlv_2"))[0] is DeliveryState.DELIVERED
    assert house.run()[0] is state


@pytest.mark.parametrize(
    ("knows", "state", "orders"),
    [(False, DeliveryState.UNCHANGED, 1), (True, DeliveryState.DELIVERED, 2)],
    ids=["the ledger knows", "the target knows"],
)
def test_the_same_bytes_again(knows: bool, state: DeliveryState, orders: int) -> None:  # noqa: FBT001 - a column
    """What was delivered last is unchanged; a target that says itself what runs is asked."""
    house = House(knows_what_runs=knows)
    house.run()
    house.push(DeliveryId("dlv_2"))
    assert house.run(DeliveryId("dlv_2"))[0] is state
    assert len(house.target.orders) == orders


def test_a_retry_counts_and_waits() -> None:
    """Longer with each attempt, at least as long as the target asked for; then it is a dead letter that says why."""
    house = House()
    house.target.answer = Retry("answered 503", after_s=7)
    assert house.run() == (DeliveryState.WAITING, "answered 503")
    assert house.ledger.rows[PUSH].due_at == NOW_MS + 7_000
    for _ in range(MAX_ATTEMPTS - 2):
        house.now_ms = house.ledger.rows[PUSH].due_at
        assert house.run()[0] is DeliveryState.WAITING
    house.now_ms = house.ledger.rows[PUSH].due_at
    state, reason = house.run()
    assert (state, reason) == (DeliveryState.FAILED, f"given up after {MAX_ATTEMPTS} attempts; the last: answered 503")


def test_the_registry_does_not_answer() -> None:
    """Nothing is sent on a guess: later."""
    house = House()
    house.tags.sources.clear()
    assert house.run() == (DeliveryState.WAITING, "no source main")
    assert house.target.orders == []
    assert house.ledger.rows[PUSH].claim.attempt == 1


class Overtaken(RecordingTarget):
    """A target whose worker is stopped for so long that another takes the delivery over."""

    def __init__(self, house: House) -> None:
        super().__init__()
        self.house = house

    def send(self, order: Order, lease: Lease) -> Sent:
        """Be stopped in the middle of it."""
        self.house.now_ms += 60_000
        assert self.house.outbox.claim(DeliveryId(order.delivery_id)) is not None
        return super().send(order, lease)


def test_a_worker_that_was_overtaken() -> None:
    """It finds out at its next step: sends nothing, writes nothing, wakes nobody."""
    house = House()
    overtaken = Overtaken(house)
    house.destinations.add("hook", overtaken)
    assert house.run()[0] is DeliveryState.SENDING
    assert overtaken.orders == []
    assert house.logged == [{"event": "delivery.lease_lost", "delivery": PUSH, "attempt": 1}]
    assert house.told.deliveries == []


class Careless(RecordingTarget):
    """A target that does not look after its lease itself."""

    def send(self, order: Order, lease: Lease) -> Sent:
        """Carry out an order."""
        self.orders.append(order)
        return self.answer


def test_overtaken_while_the_tag_was_looked_at() -> None:
    """The lease is held before the target is asked, not only afterwards."""
    house, careless = House(), Careless()
    house.destinations.add("hook", careless)
    house.tags.answers = [None]
    house.deliver = Deliver(
        rules=house.deliver.rules,
        outbox=house.outbox,
        tags=house.tags,
        destinations=house.destinations,
        wake_ups=house.told,
        clock=lambda: NOW_MS,
        pause=lambda _: _take_over(house),
        randomness=lambda: 0.0,
        log=house.deliver.log,
    )
    assert house.run()[0] is DeliveryState.SENDING
    assert careless.orders == []


def _take_over(house: House) -> None:
    house.now_ms += 60_000
    assert house.outbox.claim(PUSH) is not None


class Silent(RecordingTarget):
    """A target that cannot be reached."""

    def send(self, order: Order, lease: Lease) -> Sent:
        """Raise what adapters raise."""
        raise Unavailable("nobody there")


def test_a_target_that_cannot_be_reached() -> None:
    """It is tried again later, as one that says so."""
    house = House()
    house.destinations.add("hook", Silent())
    assert house.run() == (DeliveryState.WAITING, "nobody there")


class Mistaken(RecordingTarget):
    """A target whose adapter has a mistake that one of its orders brings out."""

    def send(self, order: Order, lease: Lease) -> Sent:
        """Raise what no adapter should."""
        if order.delivery_id == PUSH:
            raise KeyError("s3cret")
        return super().send(order, lease)


def test_a_mistake_of_ours_is_an_attempt_that_failed() -> None:
    """The target's next delivery goes on at once; this one is tried again later, and is a dead letter in the end."""
    house, mistaken = House(), Mistaken()
    house.destinations.add("hook", mistaken)
    house.tags.tags["main", "shop/cart", "v2"] = OTHER
    house.push(DeliveryId("dlv_2"), tag="v2", digest=OTHER)
    assert house.run() == (DeliveryState.WAITING, "a mistake of ours: KeyError")
    assert [order.delivery_id for order in mistaken.orders] == ["dlv_2"]
    (told,) = [one for one in house.logged if one["event"] == "delivery.mistaken"]
    assert (told["delivery"], told["error"]) == (PUSH, "KeyError")
    assert "s3cret" not in str(house.logged)
    for _ in range(MAX_ATTEMPTS - 2):
        house.now_ms = house.ledger.rows[PUSH].due_at
        assert house.run()[0] is DeliveryState.WAITING
    house.now_ms = house.ledger.rows[PUSH].due_at
    assert house.run()[0] is DeliveryState.FAILED


def test_a_reason_that_cannot_be_written() -> None:
    """Neither does what a target said, and the ledger cannot hold, stop the target's other deliveries."""
    house = House()
    house.target.answer = Failed("\ud800")
    house.deliver = replace(house.deliver, outbox=Unwriting(house.ledger, lambda: house.now_ms))
    assert house.run() == (DeliveryState.WAITING, "a mistake of ours: UnicodeEncodeError")


def test_after_a_crash_the_same_order_comes_again() -> None:
    """A worker died after asking the target: the next one asks with the same id, and the target did it once."""
    house = House()
    held = house.outbox.claim(PUSH)
    assert held is not None
    house.target.send(_order(PUSH), held)
    house.now_ms += 60_000
    assert house.run()[0] is DeliveryState.DELIVERED
    assert [one.delivery_id for one in house.target.orders] == [PUSH]


def _order(ident: DeliveryId) -> Order:
    texts = dict.fromkeys(
        (
            "rule",
            "target",
            "source",
            "registry_host",
            "repository",
            "tag",
            "digest",
            "media_type",
            "account",
            "jti",
            "event_id",
        ),
        "",
    )
    return Order(delivery_id=ident, pushed_at_ms=0, attempt=1, **texts)


class Strict(MemoryHeld):
    """A claim that writes UTF-8 alone, as SQL does."""

    def finish(self, state: DeliveryState, reason: str, decisions: Sequence[Decision] = ()) -> None:
        """End it."""
        reason.encode()
        super().finish(state, reason, decisions)


class Unwriting(MemoryOutbox):
    """An outbox that gives such claims."""

    def claim(self, delivery: DeliveryId) -> MemoryHeld | None:
        """Take one."""
        held = super().claim(delivery)
        return None if held is None else Strict(held.row, held.claim, held.clock)


class Resumed(MemoryOutbox):
    """An outbox where a pause ends just after a worker was told of it."""

    def standing(self, held: Held, around: Around) -> Standing:
        """What is known around it, until now."""
        found = super().standing(held, around)
        if self.ledger.paused:
            self.ledger.paused.clear()
            self.ledger.rows[held.claim.id].stir(self.clock())
        return found


class Unwritable(MemoryOutbox):
    """An outbox whose ledger is gone."""

    def claim(self, delivery: DeliveryId) -> None:
        """Raise what adapters raise."""
        raise LedgerUnavailable("the ledger is gone")


def test_the_ledger_does_not_answer() -> None:
    """The job fails, and sweep sends it again; nobody was asked for anything."""
    house = House()
    deliver = Deliver(
        rules=house.deliver.rules,
        outbox=Unwritable(house.ledger, lambda: NOW_MS),
        tags=house.tags,
        destinations=house.destinations,
        wake_ups=house.told,
        clock=lambda: NOW_MS,
        pause=house.pauses.append,
        randomness=lambda: 0.0,
        log=house.deliver.log,
    )
    with pytest.raises(LedgerUnavailable):
        deliver.run(PUSH)
    assert (house.tags.asked, house.target.orders) == (0, [])
