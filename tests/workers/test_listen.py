"""Listening: a registry that fell silent is told of once, in the ledger as it is."""

import json
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import replace

import pytest

from tests.workers.fakes import Entries
from wharfinger.ledger.database import Database
from wharfinger.ledger.record import AuditRecord, Personal, RecordKind
from wharfinger.ledger.search import Criteria, search
from wharfinger.ledger.settlement import commit
from wharfinger.ledger.values import Entry
from wharfinger.wire.issuance import Refusal
from wharfinger.wire.names import Account
from workers.adapters.hearing import LedgersHearing
from workers.decide.silence import Silence
from workers.errors import Unavailable
from workers.listen import Listen

NOW_MS = 1_795_477_900_000
HOUR = 3_600_000
REFUSAL = Refusal(id="ref_1", reason="wrong_password", account=Account("zoe"), since=1, until=1)


class House:
    """The use case over a real ledger, with its clock."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.now_ms = NOW_MS
        self.streams = Entries()
        self.logged: list[dict[str, object]] = []
        self.listen = self.joined()

    def joined(self) -> Listen:
        """As a process that was started just now."""
        return Listen(
            hearing=LedgersHearing(self.database, lambda: self.now_ms),
            streams=self.streams,
            allowed_ms={"main": 12 * HOUR, "quiet": 0},
            clock=lambda: self.now_ms,
            log=lambda event, /, **fields: self.logged.append({"event": event, **fields}),
        )

    def hear(self, number: int, source: str = "main") -> None:
        """An event is settled now."""
        record = AuditRecord(
            kind=RecordKind.EVENT, recorded_at=self.now_ms, source=source, event_id=f"e{number}", event_sha=f"{number:064x}",
            instance_id=f"i-{source}", personal=Personal(raw_sha256=f"{number:064x}"),
        )  # fmt: skip
        commit(self.database, [Entry(record)], now_ms=self.now_ms)

    def told(self) -> list[tuple[str, str]]:
        """The gaps of the trail, oldest first."""
        return [(one.record.source, one.record.reason) for one in search(self.database, Criteria(kinds=("gap",))).records][::-1]


@pytest.fixture
def house(ledger_url: str) -> Iterator[House]:
    """A house of two registries, one of which may be silent for ever."""
    with closing(Database(ledger_url)) as database:
        built = House(database)
        built.hear(1)
        built.hear(2, "quiet")
        yield built


def test_a_night_is_no_silence(house: House) -> None:
    """Nothing is told within what the configuration allows."""
    house.now_ms += 12 * HOUR
    house.listen.run()
    assert (house.told(), house.logged) == ([], [])


def test_a_silence_is_told_once(house: House) -> None:
    """However often it is looked at, also by a process that was started since; and its end."""
    house.now_ms += 12 * HOUR + 1
    house.listen.run()
    house.listen.run()
    house.now_ms += HOUR
    house.joined().run()
    assert house.logged == [{"event": "source.silent", "source": "main", "last_heard": NOW_MS}]
    assert house.told() == [("main", "silent")]
    house.hear(3)
    house.listen.run()
    assert house.told() == [("main", "silent"), ("main", "back")]
    house.now_ms += 13 * HOUR
    house.listen.run()
    assert house.told() == [("main", "silent"), ("main", "back"), ("main", "silent")]


def test_what_waits_is_settled_first(house: House) -> None:
    """After an outage of ours the events are there, and nobody was silent but us."""
    house.now_ms += 13 * HOUR
    house.streams.add(REFUSAL)
    house.listen.run()
    assert house.told() == []


def test_redis_does_not_answer(house: House) -> None:
    """Then nobody knows who was heard; the next look does."""
    house.now_ms += 13 * HOUR
    house.streams.gone = True
    with pytest.raises(Unavailable):
        house.listen.run()
    house.streams.gone = False
    house.listen.run()
    assert house.told() == [("main", "silent")]


def test_it_was_heard_while_this_was_decided(house: House) -> None:
    """Nothing is told, nor said to be."""

    class Late:
        """Hears an event between the look and the word."""

        def last_heard(self) -> Mapping[str, int]:
            found = LedgersHearing(house.database, lambda: house.now_ms).last_heard()
            house.hear(4)
            return found

        def tell(self, silence: Silence) -> bool:
            return LedgersHearing(house.database, lambda: house.now_ms).tell(silence)

    house.now_ms += 13 * HOUR
    replace(house.listen, hearing=Late()).run()
    assert (house.told(), house.logged) == ([], [])


def test_what_it_says_is_of_the_last_event(house: House) -> None:
    """For whoever asks the registry's own log what came after."""
    house.now_ms += 13 * HOUR
    house.listen.run()
    (gap,) = search(house.database, Criteria(kinds=("gap",))).records
    assert (gap.record.occurred_at, json.loads(gap.record.detail)) == (NOW_MS, {"why": "silent", "last_heard": NOW_MS})
