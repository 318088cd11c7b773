"""Settling: batches become ledger rows once, in an order that a crash at any step only repeats."""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from tests.workers.fakes import Entries, KnownIssuances, MemoryBodies, MemoryLedger, Told
from wharfinger.ledger.errors import LedgerUnavailable
from wharfinger.ledger.record import RecordKind
from wharfinger.ledger.values import Entry
from wharfinger.runtime.settings import DeploySettings, Match, Require, Rule
from wharfinger.wire.issuance import Credential, Issuance, Refusal
from wharfinger.wire.jti import JtiKeys, mint
from wharfinger.wire.names import Account, Jti
from wharfinger.wire.notification import Notification, StoredNotification, compress
from wharfinger.wire.scope import Scope
from workers.decide.plan import Heard, Planner, Reading, Unreadable
from workers.decide.rules import compile_rules
from workers.errors import Unavailable
from workers.settle import PART_BYTES, TURN_MS, Settle

NOW_MS = 1_795_477_900_000
KEYS = JtiKeys((b"k" * 32,))
RULES = compile_rules(DeploySettings((Rule("web", Match("shop/*"), Require.EXACT, ("hook",), 1),)))
MANIFEST = "application/vnd.oci.image.manifest.v1+json"


def issuance(nonce: int = 7) -> Issuance:
    """A token's record."""
    return Issuance(
        jti=mint(KEYS, account=Account("zoe"), now_ms=NOW_MS - 5_000, nonce=nonce),
        account=Account("zoe"),
        credential=Credential(kind="static", id="c1"),
        authenticated_by="basic",
        client_addr="10.0.0.7",
        granted=(Scope("repository", "shop/cart", ("pull", "push")),),
        issued_at=NOW_MS // 1_000 - 5,
        not_before=NOW_MS // 1_000 - 15,
        expires_at=NOW_MS // 1_000 + 895,
    )


ISSUANCE = issuance()


def event(ident: str = "e1", *, jti: Jti = ISSUANCE.jti, tag: str = "v1") -> dict[str, Any]:
    """A push, as a registry tells it."""
    return {
        "id": ident,
        "action": "push",
        "target": {"repository": "shop/cart", "mediaType": MANIFEST, "tag": tag, "digest": "sha256:" + "ab" * 32},
        "request": {"method": "PUT"},
        "actor": {"name": f"zoe#{jti}"},
    }


def post(*events: dict[str, Any], body: bytes | None = None, **record: Any) -> StoredNotification:
    """A stream entry of the notifier."""
    content = json.dumps({"events": events}).encode() if body is None else body
    fields: dict[str, Any] = {
        "source": "main",
        "peer": "10.0.0.1",
        "received_at": NOW_MS,
        "size": len(content),
        "sha256": "ab",
    } | record
    return StoredNotification(Notification(**fields), compress(content))


class House:
    """The use case on fakes that share a journal."""

    def __init__(self, *known: Issuance, infers: bool = False) -> None:
        self.journal: list[str] = []
        self.streams, self.bodies = Entries(journal=self.journal), MemoryBodies(journal=self.journal)
        self.issuances = KnownIssuances({one.jti: one for one in known})
        self.ledger, self.told = MemoryLedger(journal=self.journal), Told(journal=self.journal)
        self.logged: list[dict[str, object]] = []
        self.settle = Settle(
            streams=self.streams,
            bodies=self.bodies,
            issuances=self.issuances,
            ledger=self.ledger,
            wake_ups=self.told,
            planner=Planner(KEYS, RULES, infers=infers),
            clock=lambda: NOW_MS,
            log=self._log,
        )

    def _log(self, event: str, /, **fields: object) -> None:
        self.logged.append({"event": event, **fields})

    def verdicts(self) -> list[tuple[str, str]]:
        """Of the events in the ledger."""
        return [(one.verdict, one.reason) for one in self.ledger.records if one.kind is RecordKind.EVENT]


def test_a_push_and_its_token() -> None:
    """Both are recorded, the push is exact, its delivery waits and somebody is woken for it."""
    house = House(ISSUANCE)
    house.streams.add(ISSUANCE, post(event()))
    assert house.settle.run() == 2
    assert house.verdicts() == [("exact", "")]
    assert house.ledger.issuances == {ISSUANCE.jti: ISSUANCE}
    assert house.told.deliveries == list(house.ledger.rows)
    assert len(house.ledger.rows) == 1
    assert house.logged == [{"event": "batch.settled", "records": 2, "duplicates": 0, "deliveries": 1}]


def test_the_order_of_steps() -> None:
    """Nothing is acknowledged before it is committed, no body forgotten before that, nobody woken for what is not there."""
    house = House(ISSUANCE)
    house.streams.add(post(event()))
    house.settle.run()
    assert house.journal == ["committed", "acknowledged", "forgotten", "woken"]


def test_until_nothing_is_left() -> None:
    """Batch after batch, each in its own transaction."""
    house = House(ISSUANCE)
    house.streams.size = 2
    house.streams.add(*(post(event(f"e{number}")) for number in range(5)))
    assert house.settle.run() == 5
    assert house.journal.count("committed") == 3
    assert (house.streams.pending, house.streams.lag()) == ({}, False)
    assert house.settle.run() == 0


def test_big_bodies_are_settled_a_few_at_a_time() -> None:
    """A batch takes no more memory and time at once than its parts: however many big bodies wait, they do not end the worker."""
    house = House(ISSUANCE)
    house.streams.add(ISSUANCE, *(post(event(f"e{n}"), size=PART_BYTES // 2) for n in range(4)), post(event("e5")))
    assert house.settle.run() == 6
    assert house.journal.count("committed") == 4
    assert house.verdicts() == [("exact", "")] * 5
    assert not house.streams.pending


def test_an_endless_stream_lets_the_job_end() -> None:
    """After its time it ends between two batches, and wakes the next: RQ would end it within one."""
    house = House(ISSUANCE)
    house.streams.size = 1
    house.streams.add(post(event("e1")), post(event("e2")))
    times = iter([NOW_MS, NOW_MS, NOW_MS + TURN_MS])
    assert replace(house.settle, clock=lambda: next(times)).run() == 1
    assert (len(house.streams.unread), house.told.settles) == (1, 1)


class Mistaken(Planner):
    """A planner with a mistake that one content brings out."""

    def plan(self, readings: Sequence[Reading], *others: Any, **named: Any) -> list[Entry]:
        """Raise what no planner should."""
        if any(isinstance(one, Heard) and one.event.tag == "odd" for one in readings):
            raise KeyError("s3cret")
        return super().plan(readings, *others, **named)


def test_a_mistake_of_ours_stops_nothing() -> None:
    """What it was made on is quarantined, whole and alone; what came with it is settled as ever."""
    house = House(ISSUANCE)
    odd = post(event("e2", tag="odd"))
    house.streams.add(post(event("e1")), odd, post(event("e3")))
    settle = replace(house.settle, planner=Mistaken(KEYS, RULES))
    assert settle.run() == 3
    assert not house.streams.pending
    assert house.verdicts() == [("exact", "")] * 2
    (kept,) = [one for one in house.ledger.records if one.kind is RecordKind.QUARANTINE]
    assert (kept.reason, kept.size) == ("a mistake of ours: KeyError", odd.notification.size)
    (told,) = [one for one in house.logged if one["event"] == "batch.mistaken"]
    assert told["error"] == "KeyError"
    assert "s3cret" not in str(house.logged)


def test_a_batch_knows_its_own_tokens() -> None:
    """After a long outage the token's key is gone, but its record is in the same batch as the event: not lost."""
    house = House()
    house.streams.add(ISSUANCE, post(event()))
    house.settle.run()
    assert house.verdicts() == [("exact", "")]


@pytest.mark.parametrize("settled", [True, False], ids=["settled before", "in the same batch"])
def test_a_plain_subject(settled: bool) -> None:  # noqa: FBT001 - a column
    """Without an id it belongs to the account's only token that fits, by inference: also one that comes with it."""
    house = House(*([ISSUANCE] if settled else []), infers=True)
    house.streams.add(*([] if settled else [ISSUANCE]), post(event() | {"actor": {"name": "zoe"}}))
    house.settle.run()
    assert [verdict for verdict, _ in house.verdicts()] == ["inferred"]
    assert [one.jti for one in house.ledger.records if one.kind is RecordKind.EVENT] == [ISSUANCE.jti]


def test_a_token_that_is_found_nowhere() -> None:
    """Authentic by its id, without a record, and none came in all the time that one may take."""
    house = House()
    house.streams.add(post(event(), received_at=NOW_MS - 3_600_000))
    house.settle.run()
    assert house.verdicts() == [("unattributed", "record_lost")]
    assert house.told.deliveries == []


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        (post(body=b"{"), "not JSON"),
        (post(dropped=True, size=40_000_000), "larger than any registry's notification"),
        (post(event(), spill="1-lost.z"), "the spilled body is lost"),
        (StoredNotification(post().notification, b"damaged"), "the stored body is damaged"),
    ],
    ids=["no event", "tombstone", "lost", "damaged"],
)
def test_quarantine(entry: StoredNotification, reason: str) -> None:
    """What cannot be read is a record too, beside its good neighbours."""
    house = House(ISSUANCE)
    house.streams.add(entry, post(event()))
    assert house.settle.run() == 2
    quarantined, good = house.ledger.records
    assert (quarantined.kind, quarantined.reason, quarantined.source) == (RecordKind.QUARANTINE, reason, "main")
    assert quarantined.size == entry.notification.size
    assert good.verdict == "exact"


def test_an_entry_that_is_no_record() -> None:
    """Something else wrote into our streams: it is kept, and in nobody's way."""
    house = House(ISSUANCE)
    house.streams.add(Unreadable("an entry of x is not a y", "", "", NOW_MS, 3, "cd", b""), post(event()))
    assert house.settle.run() == 2
    assert house.ledger.records[0].reason == "an entry of x is not a y"
    assert house.streams.pending == {}


def test_a_batch_that_was_taken_over() -> None:
    """Its body is gone because another worker settled and forgot it: that is no quarantine."""
    house = House(ISSUANCE)
    house.streams.add(post(event(), spill="1-lost.z"))
    batch = house.streams.next()
    assert batch is not None
    house.streams.take_over()
    house.streams.abandon()
    assert house.settle.run() == 0
    assert (house.ledger.records, house.journal) == ([], [])
    assert house.logged == [{"event": "batch.taken_over"}]


def test_several_events_of_one_body() -> None:
    """Each stands for itself; a body that says nothing gives nothing, and is done with."""
    house = House(ISSUANCE)
    house.streams.add(post(event("e1"), event("e2", tag="v2")), post())
    assert house.settle.run() == 2
    assert house.streams.pending == {}


def test_a_spilled_body_is_removed() -> None:
    """After its events are in the ledger."""
    house = House(ISSUANCE)
    house.bodies.spilled["1-a.z"] = post(event()).compressed
    house.streams.add(post(spill="1-a.z"))
    assert house.settle.run() == 1
    assert house.bodies.spilled == {}


def test_refusals_are_records() -> None:
    """With nobody to wake."""
    house = House()
    house.streams.add(Refusal(id="ref_1", reason="wrong_password", account=Account("zoe"), since=1, until=1))
    assert house.settle.run() == 1
    assert house.ledger.records[0].kind is RecordKind.REFUSAL


def test_the_ledger_does_not_answer() -> None:
    """Nothing is acknowledged, no body is forgotten; the batch comes again and is whole."""
    house = House(ISSUANCE)
    house.bodies.spilled["1-a.z"] = post(event()).compressed
    house.streams.add(post(spill="1-a.z"))
    house.ledger.gone = True
    with pytest.raises(LedgerUnavailable):
        house.settle.run()
    assert (house.journal, list(house.bodies.spilled)) == ([], ["1-a.z"])
    house.ledger.gone = False
    house.streams.abandon()
    assert house.settle.run() == 1
    assert house.verdicts() == [("exact", "")]


def test_issuances_cannot_be_asked_for() -> None:
    """No answer is not the same as no record: nothing is decided."""
    house = House(ISSUANCE)
    house.issuances.gone = True
    house.streams.add(post(event()))
    with pytest.raises(Unavailable):
        house.settle.run()
    assert house.journal == []


def test_a_crash_between_commit_and_acknowledgement() -> None:
    """The batch comes again and writes nothing new: the record and its delivery are there once."""
    house = House(ISSUANCE)
    house.streams.add(post(event()))
    house.streams.deaf = True
    with pytest.raises(Unavailable):
        house.settle.run()
    assert (len(house.ledger.records), len(house.streams.pending)) == (1, 1)
    house.streams.deaf = False
    house.streams.abandon()
    assert house.settle.run() == 0
    assert (len(house.ledger.records), len(house.ledger.rows), house.streams.pending) == (1, 1, {})


def test_a_wake_up_that_is_lost() -> None:
    """Everything is settled by then; sweep finds the delivery."""
    house = House(ISSUANCE)
    house.told.gone = True
    house.streams.add(post(event()))
    with pytest.raises(Unavailable):
        house.settle.run()
    assert (house.streams.pending, len(house.ledger.rows)) == ({}, 1)
