"""The port IssuanceLookup: its suite on the fake and on Redis with the ledger behind it, and which of the two is believed."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from msgspec import structs

from tests.stores import STORES, Store, in_process
from tests.workers.adapters.test_streams import issued
from tests.workers.fakes import KnownIssuances
from wharfinger.ledger.database import Database
from wharfinger.ledger.erasure import erase_account
from wharfinger.ledger.errors import LedgerMisuse
from wharfinger.ledger.issued import to_record
from wharfinger.ledger.settlement import commit
from wharfinger.ledger.values import Entry
from wharfinger.wire import keys
from wharfinger.wire.codec import encode
from wharfinger.wire.issuance import Issuance
from wharfinger.wire.names import Account, Jti
from workers.adapters.issuances import StoredIssuances
from workers.errors import Unavailable
from workers.ports import IssuanceLookup


@dataclass
class Subject:
    """An implementation, how records come into it, and the same with nobody there."""

    port: IssuanceLookup
    keep: Callable[[Issuance], None]
    settle: Callable[[Issuance], None]
    replay: Callable[[], None]
    gone: IssuanceLookup


@pytest.fixture
def ledger(ledger_url: str) -> Iterator[Database]:
    """A new ledger."""
    database = Database(ledger_url)
    yield database
    database.close()


def settle(database: Database, issuance: Issuance) -> None:
    """Write a record into the ledger."""
    now_ms = issuance.issued_at * 1_000
    commit(database, [Entry(to_record(issuance, now_ms=now_ms), issuance=issuance)], now_ms=now_ms)


@pytest.fixture(params=[pytest.param("fake"), pytest.param("ledger"), *STORES])
def subject(request: pytest.FixtureRequest, store_of: Callable[[str], Store], ledger: Database) -> Iterator[Subject]:
    """Each implementation: of the real one, with the record in the ledger alone and in Redis alone."""
    if request.param == "fake":
        fake = KnownIssuances()

        def know(one: Issuance) -> None:
            fake.known[one.jti] = one

        yield Subject(fake, know, know, lambda: setattr(fake, "replays", True), KnownIssuances(gone=True))
        return
    store = store_of("fakeredis" if request.param == "ledger" else request.param)
    client, nobody = store.client(), store.gone().client()

    def keep(one: Issuance) -> None:
        if request.param == "ledger":
            settle(ledger, one)
        else:
            client.set(keys.issuance(one.jti), encode(one))

    def replay() -> None:
        client.set(keys.REPLAYING, 1)

    gone = StoredIssuances(nobody, ledger)
    yield Subject(StoredIssuances(client, ledger), keep, lambda one: settle(ledger, one), replay, gone)
    client.close()
    nobody.close()


def test_records_are_found_whole(subject: Subject) -> None:
    """Those that exist of those that are asked for, and no other."""
    for number in range(3):
        subject.keep(issued(number))
    asked = {issued(0).jti, issued(2).jti, Jti("n" * 26)}
    assert subject.port.find(asked) == {issued(number).jti: issued(number) for number in (0, 2)}


def test_nothing_asked(subject: Subject) -> None:
    """Nothing found; nobody need answer."""
    assert subject.port.find(set()) == {}


def test_none_found(subject: Subject) -> None:
    """No record is an answer."""
    assert subject.port.find({Jti("n" * 26)}) == {}


def test_nobody_answers(subject: Subject) -> None:
    """Which is not the same as no record."""
    with pytest.raises(Unavailable):
        subject.gone.find({issued().jti})


def test_many_at_once(subject: Subject) -> None:
    """More than SQL or Redis take in one piece by habit."""
    known = {issued(number).jti: issued(number) for number in range(300)}
    for one in known.values():
        subject.keep(one)
    assert subject.port.find(set(known)) == known


def test_candidates_of_an_account(subject: Subject) -> None:
    """Its issuances since then, newest first; in Redis nobody looks for them, for there they have no order."""
    known = [structs.replace(issued(number), issued_at=10 * number) for number in range(1, 4)]
    for one in (*known, structs.replace(issued(9), account=Account("max"), issued_at=20)):
        subject.settle(one)
    found = subject.port.of_accounts({Account("zoe"), Account("nobody")}, since_ms=20_000)
    assert {account: list(those) for account, those in found.items()} == {Account("zoe"): known[:0:-1], Account("nobody"): []}


def test_an_erased_account_has_no_candidates(ledger: Database) -> None:
    """Also where they were asked for before; and what was its is no anonymous client's."""
    settle(ledger, structs.replace(issued(1), issued_at=10))
    client = in_process().client()
    port = StoredIssuances(client, ledger)
    asked = (Account("zoe"), Account(""))
    assert [len(port.of_accounts(set(asked), since_ms=0)[account]) for account in asked] == [1, 0]
    erase_account(ledger, "zoe", now_ms=20_000)
    for one in (port, StoredIssuances(client, ledger)):
        assert [len(one.of_accounts(set(asked), since_ms=0)[account]) for account in asked] == [0, 0]
    client.close()


def test_a_service_that_sends_what_it_could_not(subject: Subject) -> None:
    """Is known by a flag that it keeps up."""
    assert not subject.port.replaying()
    subject.replay()
    assert subject.port.replaying()
    with pytest.raises(Unavailable):
        subject.gone.replaying()


@pytest.mark.parametrize(
    "value",
    [b"{", b"", encode(issued(7)), b"\xff", b'{"jti":"x"}'],
    ids=["damaged", "empty", "another token's", "no text", "half"],
)
def test_a_key_that_cannot_be_believed(store: Store, ledger: Database, value: bytes) -> None:
    """Damaged, or put there under another token's name: the ledger's record counts, or there is none."""
    client = store.client()
    client.set(keys.issuance(issued().jti), value)
    port = StoredIssuances(client, ledger)
    assert port.find({issued().jti}) == {}
    settle(ledger, issued())
    assert port.find({issued().jti}) == {issued().jti: issued()}
    client.close()


def test_a_key_of_another_type(store: Store, ledger: Database) -> None:
    """Redis gives nothing for it."""
    client = store.client()
    client.rpush(keys.issuance(issued().jti), b"x")
    assert StoredIssuances(client, ledger).find({issued().jti}) == {}
    client.close()


def test_the_ledger_must_be_this_process_own(store: Store, tmp_path: Path) -> None:
    """A fault of the ledger is not taken for a record that is missing."""
    client, database = store.client(), Database(f"sqlite:///{tmp_path}/other.db")
    database._pid += 1
    with pytest.raises(LedgerMisuse):
        StoredIssuances(client, database).find({issued().jti})
    database.close()
    client.close()
