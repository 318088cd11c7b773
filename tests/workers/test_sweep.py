"""Sweeping: what is due or waits unread is told to somebody, and nothing else is done."""

import pytest

from tests.workers.fakes import Entries, MemoryHousekeeping, MemoryLedger, MemoryOutbox, Told
from wharfinger.ledger.record import AuditRecord, RecordKind
from wharfinger.ledger.values import DeliveryState, Entry, NewDelivery
from wharfinger.wire.issuance import Refusal
from wharfinger.wire.names import Account, DeliveryId
from workers.errors import Unavailable
from workers.sweep import Sweep

NOW_MS = 1_795_477_900_000
REFUSAL = Refusal(id="ref_1", reason="wrong_password", account=Account("zoe"), since=1, until=1)


class NothingOld:
    """Retention with nothing to remove."""

    def prune(self) -> int:
        """Nothing went."""
        return 0


class House:
    """The use case on fakes, with its clock."""

    def __init__(self) -> None:
        self.now_ms = NOW_MS
        self.streams, self.ledger, self.told = Entries(), MemoryLedger(), Told()
        self.outbox, self.housekeeping = MemoryOutbox(self.ledger, lambda: self.now_ms), MemoryHousekeeping()
        self.logged: list[dict[str, object]] = []
        self.sweep = Sweep(
            streams=self.streams,
            outbox=self.outbox,
            wake_ups=self.told,
            housekeeping=self.housekeeping,
            retention=NothingOld(),
            log=self._log,
        )

    def _log(self, event: str, /, **fields: object) -> None:
        self.logged.append({"event": event, **fields})

    def deliver_later(self) -> DeliveryId:
        """A delivery that waits, whose wake-up was lost."""
        ident = DeliveryId("dlv_1")
        record = AuditRecord(kind=RecordKind.EVENT, recorded_at=NOW_MS, event_id="e1", event_sha="s1")
        self.ledger.commit([Entry(record, deliveries=(NewDelivery(ident, "web", "hook"),))], now_ms=NOW_MS)
        return ident


def test_nothing_to_do() -> None:
    """Nobody is woken."""
    house = House()
    house.sweep.run()
    house.sweep.tidy()
    assert (house.told.deliveries, house.told.settles, house.logged) == ([], 0, [])


def test_a_delivery_that_is_due() -> None:
    """Somebody is woken for it; the row itself is not touched."""
    house = House()
    ident = house.deliver_later()
    house.sweep.run()
    assert (house.told.deliveries, house.told.settles) == ([ident], 0)
    assert list(house.outbox.due()) == [ident]


def test_a_delivery_that_a_killed_worker_held() -> None:
    """It is due again once its lease ran out, not before."""
    house = House()
    ident = house.deliver_later()
    assert house.outbox.claim(ident) is not None
    house.sweep.run()
    assert house.told.deliveries == []
    house.now_ms += 60_000
    house.sweep.run()
    assert house.told.deliveries == [ident]


def test_entries_that_nobody_reads() -> None:
    """Settle is woken for what is unread, and for what its reader abandoned."""
    house = House()
    house.streams.add(REFUSAL)
    house.sweep.run()
    assert house.told.settles == 1
    house.told.settles = 0
    house.streams.next()
    house.sweep.run()
    assert house.told.settles == 0
    house.streams.abandon()
    house.sweep.run()
    assert house.told.settles == 1


def test_the_store_does_not_answer() -> None:
    """The next look finds the same."""
    house = House()
    house.streams.gone = True
    with pytest.raises(Unavailable):
        house.sweep.run()
    house.streams.gone = False
    house.streams.add(REFUSAL)
    house.sweep.run()
    assert house.told.settles == 1


def test_tidying_says_how_much_went() -> None:
    """Once; afterwards there is nothing."""
    house = House()
    house.housekeeping.old_and_committed = 3
    house.sweep.tidy()
    house.sweep.tidy()
    assert house.logged == [{"event": "sweep.tidied", "removed": 3}]


def test_what_was_overtaken_while_it_was_held() -> None:
    """It is woken, and somebody is told at the next look."""
    house = House()
    first, second = (
        AuditRecord(
            kind=RecordKind.EVENT, recorded_at=NOW_MS + at, event_id=f"e{at}", event_sha=f"s{at}", action="push", repository="web", tag="v1", digest=f"sha256:{at}",
        )
        for at in (1, 2)
    )  # fmt: skip
    held = NewDelivery(DeliveryId("dlv_1"), "web", "hook", DeliveryState.HELD, wait_ms=10**9)
    house.ledger.commit([Entry(first, deliveries=(held,))], now_ms=NOW_MS + 1)
    house.sweep.tidy()
    house.ledger.commit([Entry(second)], now_ms=NOW_MS + 2)
    house.sweep.tidy()
    house.sweep.tidy()
    house.sweep.run()
    assert house.logged == [{"event": "sweep.overtaken", "deliveries": 1}]
    assert house.told.deliveries == ["dlv_1"]


def test_room_is_made_only_when_memory_is_short() -> None:
    """Then also of what others could still read, and it is said."""
    house = House()
    house.housekeeping.young_and_committed = 3
    house.sweep.make_room()
    assert house.logged == []
    house.housekeeping.short = True
    house.sweep.make_room()
    house.sweep.make_room()
    assert house.logged == [{"event": "sweep.made_room", "removed": 3}]
