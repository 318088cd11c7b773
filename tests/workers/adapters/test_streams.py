"""The port Streams: its suite on the fake and on Redis, and what a consumer group does when servers and readers come and go."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol, cast

import pytest
import redis
from msgspec import structs

from tests.stores import STORES, Store
from tests.workers.fakes import Entries, Streamed
from wharfinger.wire import issuance as wire_issuance
from wharfinger.wire import keys
from wharfinger.wire import notification as wire_notification
from wharfinger.wire.codec import encode
from wharfinger.wire.issuance import Credential, Issuance, Refusal
from wharfinger.wire.names import Account, Jti
from wharfinger.wire.notification import Notification, StoredNotification
from workers.adapters.streams import BATCH, CLAIM_MS, RedisStreams
from workers.decide.plan import Unreadable
from workers.errors import Unavailable
from workers.ports import Backlog, Batch, Streams


def issued(number: int = 0) -> Issuance:
    """A token's record."""
    return Issuance(
        jti=Jti(f"{number:026}"),
        account=Account("zoe"),
        credential=Credential(kind="static", id="c1"),
        authenticated_by="basic",
        client_addr="10.0.0.7",
        issued_at=1,
        not_before=0,
        expires_at=2,
    )


def refused(number: int = 0) -> Refusal:
    """A refusal's record."""
    return Refusal(id=f"ref_{number}", reason="wrong_password", account=Account("zoe"), since=1, until=1)


def posted(number: int = 0) -> StoredNotification:
    """A notification."""
    record = Notification(source="main", peer="10.0.0.1", received_at=number, size=4, sha256="ab" * 32)
    return StoredNotification(record, b"\x00body")


class Reader(Streams, Backlog, Protocol):
    """What both implementations are: settle's port, and sweep's."""


@dataclass
class Subject:
    """An implementation, how services write for it, how a reader is lost, and the same with nobody there."""

    port: Reader
    add: Callable[..., None]
    abandon: Callable[[], None]
    take_over: Callable[[], None]
    gone: Reader


@pytest.fixture(params=[pytest.param("fake"), *STORES])
def subject(request: pytest.FixtureRequest, store_of: Callable[[str], Store]) -> Iterator[Subject]:
    """Each implementation."""
    if request.param == "fake":
        fake = Entries(size=BATCH)
        yield Subject(fake, fake.add, fake.abandon, fake.take_over, Entries(gone=True))
        return
    store = store_of(request.param)
    client, nobody = store.client(), store.gone().client()
    writer = Writer(client)
    one, gone = RedisStreams(client, consumer="one"), RedisStreams(nobody, consumer="one")
    yield Subject(one, writer.add, writer.abandon, writer.abandon, gone)
    client.close()
    nobody.close()


@dataclass
class Writer:
    """The services' side of the streams."""

    client: redis.Redis

    def add(self, *entries: Streamed) -> None:
        """Write as they do."""
        for entry in entries:
            match entry:
                case Issuance():
                    self.client.xadd(keys.ISSUANCES, wire_issuance.to_fields(entry))  # type: ignore[arg-type]  # bytes are what redis-py sends
                case Refusal():
                    self.client.xadd(keys.REFUSALS, wire_issuance.to_fields(entry))  # type: ignore[arg-type]  # the same
                case StoredNotification():
                    self.client.xadd(keys.EVENTS, wire_notification.to_fields(entry))  # type: ignore[arg-type]  # the same

    def abandon(self) -> None:
        """Make all that is pending look as if its reader had been silent for long enough: no test waits for it."""
        for stream in keys.STREAMS:
            pending = self.client.xpending_range(stream, keys.SETTLE_GROUP, min="-", max="+", count=10_000)
            idents = cast("list[bytes]", [one["message_id"] for one in pending])
            if idents:
                self.client.xclaim(stream, keys.SETTLE_GROUP, "lost", 0, list(idents), idle=CLAIM_MS + 1, justid=True)


def taken(port: Streams) -> Batch:
    """The next batch, which there is."""
    batch = port.next()
    assert batch is not None
    return batch


def test_nothing(subject: Subject) -> None:
    """No entries are no batch, and nothing waits."""
    assert subject.port.next() is None
    assert not subject.port.lag()


def test_entries_come_as_they_were_written(subject: Subject) -> None:
    """Each of its kind, in the order of its kind."""
    subject.add(issued(1), refused(2), posted(3), issued(4), posted(5))
    batch = taken(subject.port)
    assert [one for one in batch.records if isinstance(one, Issuance)] == [issued(1), issued(4)]
    assert [one for one in batch.records if isinstance(one, Refusal)] == [refused(2)]
    assert batch.notifications == (posted(3), posted(5))
    assert sum(len(idents) for _, idents in batch.ids) == 5


def test_what_is_acknowledged_is_done(subject: Subject) -> None:
    """It does not come again, also when its reader is lost afterwards."""
    subject.add(issued(1), posted(2))
    subject.port.acknowledge(taken(subject.port))
    subject.abandon()
    assert subject.port.next() is None
    assert not subject.port.lag()


def test_acknowledging_twice(subject: Subject) -> None:
    """A worker that was overtaken says so too."""
    subject.add(posted(1))
    batch = taken(subject.port)
    subject.port.acknowledge(batch)
    subject.port.acknowledge(batch)
    assert subject.port.next() is None


def test_what_is_being_settled_is_left_to_its_reader(subject: Subject) -> None:
    """It waits for nobody else yet."""
    subject.add(posted(1))
    taken(subject.port)
    assert subject.port.next() is None
    assert not subject.port.lag()


def test_what_was_abandoned_comes_again(subject: Subject) -> None:
    """Before anything that is new."""
    subject.add(issued(1), posted(2))
    taken(subject.port)
    subject.add(posted(3))
    subject.abandon()
    assert subject.port.lag()
    again = taken(subject.port)
    assert (again.records, again.notifications) == ((issued(1),), (posted(2),))
    subject.port.acknowledge(again)
    assert taken(subject.port).notifications == (posted(3),)


def test_a_part_of_what_was_abandoned_is_acknowledged(subject: Subject) -> None:
    """The rest comes again."""
    subject.add(posted(1))
    subject.port.acknowledge(taken(subject.port))
    subject.add(posted(2))
    taken(subject.port)
    subject.abandon()
    assert taken(subject.port).notifications == (posted(2),)


def test_more_than_a_batch(subject: Subject) -> None:
    """It comes in batches, whole and in order, whether it is new or was abandoned."""
    written = tuple(posted(number) for number in range(BATCH + 7))
    subject.add(*written)
    first, second = taken(subject.port), taken(subject.port)
    assert first.notifications + second.notifications == written
    assert subject.port.next() is None
    subject.abandon()
    again = [taken(subject.port).notifications for _ in range(2)]
    assert again[0] + again[1] == written
    assert subject.port.next() is None


def test_what_is_unread_waits(subject: Subject) -> None:
    """For somebody who is to be woken, in whichever stream it is."""
    for entry in (issued(1), refused(2), posted(3)):
        assert not subject.port.lag()
        subject.add(entry)
        assert subject.port.lag()
        subject.port.acknowledge(taken(subject.port))


def test_nobody_answers(subject: Subject) -> None:
    """Every call says so."""
    batch = Batch((), (), ((keys.EVENTS, (b"1-0",)),), ())
    gone = subject.gone
    for call in (gone.next, gone.lag, lambda: gone.acknowledge(batch), lambda: gone.holds(batch)):
        with pytest.raises(Unavailable):
            call()


def test_a_batch_is_held_by_its_reader(subject: Subject) -> None:
    """Until it is acknowledged, or somebody else took it over."""
    subject.add(issued(1), posted(2))
    batch = taken(subject.port)
    assert subject.port.holds(batch)
    subject.take_over()
    assert not subject.port.holds(batch)


def test_what_comes_too_early_stays(subject: Subject) -> None:
    """A batch without some of its notifications acknowledges the others: those come again."""
    subject.add(issued(1), posted(2), posted(3))
    batch = taken(subject.port)
    subject.port.acknowledge(batch.without(frozenset({posted(2).notification})))
    subject.abandon()
    again = taken(subject.port)
    assert (again.records, again.notifications) == ((), (posted(2),))


@pytest.mark.parametrize(
    ("sizes", "most", "parts"),
    [
        ((), 10, [0]),
        ((4, 4), 10, [2]),
        ((4, 4, 4), 10, [0, 2, 1]),
        ((40,), 10, [1]),
        ((40, 4, 40), 10, [0, 1, 1, 1]),
        ((0, 0, 4), 0, [0, 2, 1]),
    ],
)
def test_parts(subject: Subject, sizes: tuple[int, ...], most: int, parts: list[int]) -> None:
    """Each takes so much or is one notification; records come first, and every entry is acknowledged with one of them."""
    notifications = [
        StoredNotification(structs.replace(posted(number).notification, size=size), b"")
        for number, size in enumerate(sizes, start=2)
    ]
    subject.add(issued(1), *notifications)
    batch = taken(subject.port)
    found = list(batch.parts(most))
    assert [len(one.notifications) for one in found] == parts
    assert found[0].records == batch.records
    assert [one for part in found for one in part.notifications] == list(batch.notifications)
    for part in found:
        subject.port.acknowledge(part)
    subject.abandon()
    assert subject.port.next() is None


def test_parts_of_streams_whose_ids_are_equal() -> None:
    """Ids are a stream's own: an issuance's entry may be called as a notification's, and stays with its record."""
    two = (posted(2), posted(3))
    batch = Batch((issued(1),), two, ((keys.ISSUANCES, (b"1-0",)), (keys.EVENTS, (b"1-0", b"2-0"))), (b"1-0", b"2-0"))
    assert [part.ids for part in batch.parts(0)] == [
        ((keys.ISSUANCES, (b"1-0",)),),
        ((keys.EVENTS, (b"1-0",)),),
        ((keys.EVENTS, (b"2-0",)),),
    ]


def test_two_readers_share_without_overlap(store: Store) -> None:
    """An entry goes to one of them; what one lost, the other takes over."""
    client = store.client()
    one, two = RedisStreams(client, consumer="one"), RedisStreams(client, consumer="two")
    Writer(client).add(*(posted(number) for number in range(BATCH + 3)))
    first, second = taken(one), taken(two)
    assert not set(first.ids[0][1]) & set(second.ids[0][1])
    two.acknowledge(second)
    Writer(client).abandon()
    assert taken(two).notifications == first.notifications
    client.close()


def test_what_was_written_before_settle_first_ran(store: Store) -> None:
    """The group begins at the stream's beginning."""
    client = store.client()
    Writer(client).add(posted(1))
    assert taken(RedisStreams(client, consumer="one")).notifications == (posted(1),)
    client.close()


def test_a_server_that_came_back_empty(store: Store) -> None:
    """Without groups and entries: reading goes on, and so does the look whether anything waits."""
    client = store.client()
    reader, sweeper = RedisStreams(client, consumer="one"), RedisStreams(client, consumer="sweep")
    assert reader.next() is None
    assert not sweeper.lag()
    client.flushall()
    assert not sweeper.lag()
    client.flushall()
    Writer(client).add(issued(1))
    assert sweeper.lag()
    client.flushall()
    Writer(client).add(issued(2))
    assert taken(reader).records == (issued(2),)
    client.close()


def test_a_key_that_is_no_stream(store: Store) -> None:
    """Somebody else's: that is a fault of the store, for every call."""
    client = store.client()
    client.set(keys.REFUSALS, b"x")
    with pytest.raises(Unavailable):
        RedisStreams(client, consumer="one").next()
    reader = RedisStreams(client, consumer="one")
    client.delete(keys.REFUSALS)
    assert reader.next() is None
    client.set(keys.REFUSALS, b"x")
    with pytest.raises(Unavailable):
        reader.next()
    with pytest.raises(Unavailable):
        reader.lag()
    client.close()


def test_other_groups_are_others_business(store: Store) -> None:
    """The issuances are a public interface: somebody else who reads slowly wakes nobody."""
    client = store.client()
    reader = RedisStreams(client, consumer="one")
    Writer(client).add(issued(1))
    reader.acknowledge(taken(reader))
    client.xgroup_create(keys.ISSUANCES, "another", id="0")
    assert not reader.lag()
    client.close()


@pytest.mark.parametrize(
    ("stream", "fields"),
    [
        (keys.EVENTS, {b"x": b"s3cret"}),
        (keys.EVENTS, {b"record": b"{", b"body": b"s3cret"}),
        (keys.ISSUANCES, {b"record": b'{"jti": "s3cret"}'}),
        (keys.ISSUANCES, {b"record": encode(structs.replace(issued(1), jti=Jti("s3cret")))}),
        (keys.ISSUANCES, {b"record": encode(structs.replace(issued(1), expires_at=2**53))}),
        (keys.REFUSALS, {b"record": encode(structs.replace(refused(1), since=-1))}),
        (keys.EVENTS, {b"record": encode(structs.replace(posted(1).notification, sha256="s3cret")), b"body": b""}),
        (keys.REFUSALS, {b"record": b"\xff"}),
        (keys.REFUSALS, {b"record": b'{"schema": "1"}'}),
    ],
)
def test_entries_that_are_no_records(store: Store, stream: str, fields: dict[bytes, bytes]) -> None:
    """They become values too, also those that no ledger could hold, with their time, and the same content has the same hash; they are acknowledged as any other."""
    client = store.client()
    reader = RedisStreams(client, consumer="one")
    for ident in ("1795477894123-7", "1795477894123-8"):
        client.xadd(stream, fields, id=ident)  # type: ignore[arg-type]  # bytes are what redis-py sends
    Writer(client).add(posted(1))
    batch = taken(reader)
    first, again = batch.records
    assert isinstance(first, Unreadable)
    assert (first, first.received_at) == (again, 1_795_477_894_123)
    assert first.size >= sum(map(len, fields.values()))
    assert "s3cret" not in first.problem
    assert stream in first.problem
    assert batch.notifications == (posted(1),)
    reader.acknowledge(batch)
    Writer(client).abandon()
    assert reader.next() is None
    client.close()


def test_an_entry_that_was_trimmed_while_it_was_pending(store: Store) -> None:
    """There is nothing left to settle of it, and it is in nobody's way."""
    client = store.client()
    reader, writer = RedisStreams(client, consumer="one"), Writer(client)
    writer.add(posted(1), posted(2))
    batch = taken(reader)
    client.xdel(keys.EVENTS, batch.ids[0][1][0])
    writer.abandon()
    again = reader.next()
    assert again is None or again.notifications == (posted(2),)
    client.close()
