"""What an attempt left half done is put in order before anything else is asked of a delivery."""

import hashlib
from collections.abc import Iterator

import pytest

from wharfinger.ledger.database import Database
from wharfinger.ledger.outbox import LEASE_MS
from wharfinger.ledger.queries import trace
from wharfinger.ledger.record import AuditRecord, Personal, RecordKind
from wharfinger.ledger.settlement import commit
from wharfinger.ledger.values import Entry, NewDelivery
from wharfinger.runtime.settings import Match, Require, Rule
from wharfinger.wire.names import DeliveryId
from workers.adapters.ledger import LedgerOutbox
from workers.decide.order import Delivered, Order, Sent, Waiting
from workers.decide.rules import CompiledRule
from workers.deliver import Deliver
from workers.errors import Unavailable
from workers.ports import Destination, Lease

NOW = 1_795_477_900_000

RULES = {"web": CompiledRule(Rule("web", Match(), Require.EXACT, ("t",), 1))}


class HalfDone:
    """A target, and what an earlier attempt came to; it is not to be sent anything."""

    def __init__(self, found: Sent | None) -> None:
        self._found = found
        self.resumed: list[str] = []

    def resume(self, order: Order, lease: Lease) -> Sent | None:
        """What was left."""
        lease.renew()
        self.resumed.append(order.delivery_id)
        return self._found

    def send(self, order: Order, lease: Lease) -> Sent:
        """Never reached here."""
        raise AssertionError(order)

    def find(self, name: str) -> Destination | None:
        """The one target."""
        return Destination(self, runs_one=True, knows_what_runs=True, registry_host=lambda _: "registry")


class NoRegistry:
    """A registry that does not answer."""

    def digest(self, source: str, repository: str, tag: str) -> str | None:
        """Nothing."""
        raise Unavailable("the registry does not answer")


class Nobody:
    """Nobody to wake."""

    def deliver(self, deliveries: object) -> None:
        """No."""

    def settle(self) -> None:
        """No."""


@pytest.fixture
def ledger(ledger_url: str) -> Iterator[Database]:
    """Two pushes of one tag, each with a delivery."""
    database = Database(ledger_url)
    commit(database, [pushed("first"), pushed("second")], now_ms=NOW)
    yield database
    database.close()


def _sha(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


def pushed(name: str) -> Entry:
    """A push of another digest."""
    record = AuditRecord(
        kind=RecordKind.EVENT, recorded_at=NOW, event_id=name, event_sha=_sha(name), source="main", action="push", object_kind="manifest",
        repository="web", tag="v1", digest=f"sha256:{name}", verdict="exact",
        personal=Personal(raw_sha256=_sha(name)),
    )  # fmt: skip
    return Entry(record, deliveries=(NewDelivery(DeliveryId(name), "web", "t"),))


@pytest.mark.parametrize(
    ("delivery", "left", "state"),
    [
        # Neither a registry that is away nor a later push keeps what is half done waiting.
        ("second", Delivered("it serves"), "delivered"),
        ("first", Delivered("it serves"), "delivered"),
        # What decides nothing goes on to the guards.
        ("second", None, "waiting"),
        ("first", None, "superseded"),
    ],
)
def test_resumed_before_the_guards(ledger: Database, delivery: str, left: Sent | None, state: str) -> None:
    """Asked first, with the lease in hand; its answer counts."""
    target, nobody = HalfDone(left), Nobody()
    deliver = Deliver(
        rules=RULES, outbox=LedgerOutbox(ledger, lambda: NOW), tags=NoRegistry(), destinations=target, wake_ups=nobody, clock=lambda: NOW,
        pause=lambda _: None, randomness=lambda: 0.0, log=lambda *_, **__: None,
    )  # fmt: skip
    deliver.run(DeliveryId(delivery))
    assert target.resumed[0] == delivery
    assert [one.state for one in trace(ledger, delivery).deliveries] == [state]


class Begins:
    """A target that begins something, which takes some looks. ``dies``: the worker is killed just after it began."""

    def __init__(self, *, looks: int, dies: bool) -> None:
        self._looks = looks
        self._dies = dies
        self.steps: list[str] = []

    def resume(self, order: Order, lease: Lease) -> Sent | None:
        """Look, if anything was begun."""
        if not lease.noted:
            return None
        self.steps.append(f"look {order.delivery_id} {lease.noted['run']} {order.attempt}")
        self._looks -= 1
        return Waiting("it runs", 5.0) if self._looks else Delivered("it ended well")

    def send(self, order: Order, lease: Lease) -> Sent:
        """Begin."""
        lease.note({"run": "17"})
        self.steps.append(f"begin {order.delivery_id}")
        if self._dies:
            raise KeyboardInterrupt
        return Waiting("it began", 5.0)

    def find(self, name: str) -> Destination | None:
        """The one target."""
        return Destination(self, runs_one=False, knows_what_runs=True, registry_host=lambda _: "registry")


class Tagged:
    """A registry where the tag is what was pushed second."""

    def digest(self, source: str, repository: str, tag: str) -> str | None:
        """That."""
        return "sha256:second"


@pytest.mark.parametrize("dies", [False, True])
def test_what_was_begun_is_followed(ledger: Database, dies: bool) -> None:  # noqa: FBT001 - also after a kill
    """Begun once, and looked at when its time has come, by whoever claims it; no look is an attempt, and its end is written."""
    now, target = [NOW], Begins(looks=3, dies=dies)
    outbox = LedgerOutbox(ledger, lambda: now[0])
    deliver = Deliver(
        rules=RULES, outbox=outbox, tags=Tagged(), destinations=target, wake_ups=Nobody(), clock=lambda: now[0],
        pause=lambda _: None, randomness=lambda: 0.0, log=lambda *_, **__: None,
    )  # fmt: skip
    if dies:
        with pytest.raises(KeyboardInterrupt):
            deliver.run(DeliveryId("second"))
        now[0] += LEASE_MS + 1
    for _ in range(6):
        # Nothing else of the target is due until it is over, also the push before.
        for due in outbox.due():
            deliver.run(due)
        assert "first" not in [step.split()[1] for step in target.steps]
        now[0] += 5_000
    attempt = 2 if dies else 1
    looks = [f"look second 17 {attempt}"] * 3
    assert target.steps == ["begin second", *looks]
    (delivery,) = trace(ledger, "second").deliveries
    assert (delivery.state, delivery.reason) == ("delivered", "it ended well")
