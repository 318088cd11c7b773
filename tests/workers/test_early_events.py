"""Events that are quicker than their tokens' records: settle waits for those, and for no others, and not for ever."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fakeredis
import pytest

from tests.trail import ask
from wharfinger.ledger.database import Database
from wharfinger.runtime.log import discard
from wharfinger.wire import keys
from wharfinger.wire.issuance import Credential, Issuance, to_fields
from wharfinger.wire.jti import JtiKeys, mint
from wharfinger.wire.names import Account, Jti
from wharfinger.wire.notification import Notification, StoredNotification, compress
from wharfinger.wire.notification import to_fields as notification_fields
from wharfinger.wire.scope import Scope
from workers.adapters.bodies import SpilledBodies
from workers.adapters.issuances import StoredIssuances
from workers.adapters.ledger import LedgerOfBatches
from workers.adapters.streams import CLAIM_MS, RedisStreams
from workers.adapters.wake_ups import RqWakeUps
from workers.decide.plan import LATE_RECORD_MS, Planner
from workers.settle import Settle

NOW = 1_795_477_900_000
KEYS = JtiKeys((b"k" * 32,))
ZOE = Account("zoe")


def issuance(nonce: int) -> Issuance:
    """A token's record."""
    return Issuance(
        jti=mint(KEYS, account=ZOE, now_ms=NOW, nonce=nonce),
        account=ZOE,
        credential=Credential(kind="static", id="c1"),
        authenticated_by="basic",
        client_addr="10.0.0.7",
        granted=(Scope("repository", "shop/cart", ("pull", "push")),),
        issued_at=NOW // 1_000,
        not_before=NOW // 1_000 - 10,
        expires_at=NOW // 1_000 + 900,
    )


FIRST, SECOND = issuance(1), issuance(2)


class House:
    """Settle on a Redis in this process and a ledger in its file, with a clock."""

    def __init__(self, folder: Path) -> None:
        self.client = fakeredis.FakeRedis()
        self.database = Database(f"sqlite:///{folder}/ledger.db")
        self.now = NOW
        self.settle = Settle(
            streams=RedisStreams(self.client, consumer="one"),
            bodies=SpilledBodies(folder / "spill"),
            issuances=StoredIssuances(self.client, self.database),
            ledger=LedgerOfBatches(self.database),
            wake_ups=RqWakeUps(self.client, lambda: 0),
            planner=Planner(KEYS, ()),
            clock=lambda: self.now,
            log=discard,
        )

    def hear(self, *named: tuple[str, str], received_at: int = NOW) -> None:
        """A notification with events, each with an id and the subject it names."""
        events = [
            {
                "id": ident,
                "action": "pull",
                "target": {"repository": "shop/cart", "digest": "sha256:" + "ab" * 32},
                "actor": {"name": subject},
            }
            for ident, subject in named
        ]
        body = json.dumps({"events": events}).encode()
        sha256 = hashlib.sha256(body).hexdigest()
        record = Notification(source="main", peer="10.0.0.1", received_at=received_at, size=len(body), sha256=sha256)
        fields: Any = notification_fields(StoredNotification(record, compress(body)))
        self.client.xadd(keys.EVENTS, fields)

    def issued(self, one: Issuance) -> None:
        """The record arrives."""
        fields: Any = to_fields(one)
        self.client.xadd(keys.ISSUANCES, fields)
        self.client.set(keys.issuance(one.jti), fields["record"])

    def look_again(self) -> None:
        """As much later as an entry that nobody settled is taken up again."""
        self.now += CLAIM_MS
        pending = self.client.xpending_range(keys.EVENTS, keys.SETTLE_GROUP, "-", "+", 100)
        for one in pending:
            self.client.xclaim(keys.EVENTS, keys.SETTLE_GROUP, "one", 0, [one["message_id"]], idle=CLAIM_MS + 1)
        self.settle.run()

    def pending(self) -> int:
        """Notifications that wait."""
        return int(self.client.xpending(keys.EVENTS, keys.SETTLE_GROUP)["pending"])

    def verdicts(self) -> dict[str, tuple[str, str]]:
        """What the ledger says of each event."""
        rows = ask(self.database, "SELECT event_id, verdict, reason FROM records WHERE kind = 'event'")
        return {row[0]: (row[1], row[2]) for row in rows}


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """One."""
    made = House(tmp_path)
    yield made
    made.database.close()


def subject(one: Issuance) -> str:
    """What its token carries."""
    return f"{one.account}#{one.jti}"


EXACT, LOST = ("exact", ""), ("unattributed", "record_lost")


def test_the_record_comes_a_moment_later(house: House) -> None:
    """Redis was away, and is back: the event is there first. It is settled with its record, once."""
    house.hear(("e1", subject(FIRST)))
    house.settle.run()
    assert (house.verdicts(), house.pending()) == ({}, 1)
    house.issued(FIRST)
    house.look_again()
    assert (house.verdicts(), house.pending()) == ({"e1": EXACT}, 0)


def test_the_others_do_not_wait(house: House) -> None:
    """Neither those with a record nor those that name no token of ours; nor is anything of them repeated."""
    house.issued(SECOND)
    forged = mint(JtiKeys((b"l" * 32,)), account=ZOE, now_ms=NOW, nonce=3)
    house.hear(("e1", subject(FIRST)))
    house.hear(("e2", subject(SECOND)))
    house.hear(("e3", f"zoe#{forged}"))
    house.hear(("e4", "zoe"))
    house.client.xadd(keys.EVENTS, {"record": b"rubbish"})
    house.settle.run()
    assert house.verdicts() == {"e2": EXACT, "e3": ("forged", ""), "e4": ("unattributed", "no_id")}
    assert house.pending() == 1


def test_a_notification_waits_whole(house: House) -> None:
    """Its other events too; what of it is known already is not written twice."""
    house.issued(SECOND)
    house.hear(("e1", subject(FIRST)), ("e2", subject(SECOND)))
    house.settle.run()
    assert (house.verdicts(), house.pending()) == ({}, 1)
    house.issued(FIRST)
    house.look_again()
    assert (house.verdicts(), house.pending()) == ({"e1": EXACT, "e2": EXACT}, 0)


def test_a_record_that_never_comes(house: House) -> None:
    """Ten seconds after it was heard the event is called what it is."""
    house.hear(("e1", subject(FIRST)))
    house.settle.run()
    for _ in range(LATE_RECORD_MS // CLAIM_MS - 1):
        house.look_again()
        assert house.pending() == 1
    house.look_again()
    assert (house.verdicts(), house.pending()) == ({"e1": LOST}, 0)


@pytest.mark.parametrize("away_ms", [-LATE_RECORD_MS, LATE_RECORD_MS])
def test_clocks_that_differ(house: House, away_ms: int) -> None:
    """A notifier's clock that is wrong by that much makes nothing wait."""
    house.hear(("e1", subject(FIRST)), received_at=NOW + away_ms)
    house.settle.run()
    assert house.verdicts() == {"e1": LOST}


def test_while_a_journal_is_replayed(house: House) -> None:
    """However long that takes, an event whose record may be in it waits."""
    house.hear(("e1", subject(FIRST)), received_at=NOW - 100 * LATE_RECORD_MS)
    house.client.set(keys.REPLAYING, b"1")
    house.settle.run()
    house.now += 100 * LATE_RECORD_MS
    house.look_again()
    assert (house.verdicts(), house.pending()) == ({}, 1)
    house.client.delete(keys.REPLAYING)
    house.look_again()
    assert (house.verdicts(), house.pending()) == ({"e1": LOST}, 0)


def test_another_account_is_not_waited_for(house: House) -> None:
    """An id proves its account too: under another's name it is no token that we gave."""
    house.hear(("e1", f"yan#{FIRST.jti}"), ("e2", f"zoe#{Jti('-' * 26)}"))
    house.settle.run()
    assert house.verdicts() == {"e1": ("forged", ""), "e2": ("forged", "")}
