"""Each durable write ended just before and just after it, then started again over the same store and ledger.

The comments that say what a crash means are quoted in the tests' names and docstrings; the ways of ending are in ``rooms``.
"""

import asyncio
import gc
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import redis.asyncio

from authsvc.adapters.streams import Batches, RedisIssuances
from authsvc.errors import Unavailable as AuthUnavailable
from authsvc.metrics import TABLE
from notifier.adapters.event_stream import RedisEvents
from notifier.errors import Unavailable as NotifierUnavailable
from tests.faults.rooms import DIGEST, Dies, Dress, Gives, Killed, Receiver, Rooms, dying, giving, push_event, rooms_in
from tests.faults.witnesses import assert_log_is_whole
from tests.real.conftest import wait_until
from wharfinger.ledger import steering
from wharfinger.ledger.outbox import LEASE_MS
from wharfinger.ledger.steering import Statement
from wharfinger.runtime.metrics import Board
from wharfinger.wire import keys
from wharfinger.wire.issuance import Credential, Issuance
from wharfinger.wire.names import Account, DeliveryId, Jti
from wharfinger.wire.notification import Notification, StoredNotification
from workers.decide.order import Order, Sent
from workers.ports import Batch, Lease, Streams

pytestmark = pytest.mark.real

NOISE = 100_000
"""Bytes that do not compress: the body is spilled to disk."""
OLD_S = 3 * 3_600


@pytest.fixture
def rooms(tmp_path: Path) -> Iterator[Rooms]:
    """A store, a ledger and every use case over them."""
    with rooms_in(tmp_path / "data") as built:
        yield built


def spilled(rooms: Rooms) -> list[str]:
    """What lies in the spill folder."""
    return sorted(file.suffix for file in rooms.spill.iterdir()) if rooms.spill.is_dir() else []


def grown_old(rooms: Rooms) -> None:
    """Let hours pass over the spilled files."""
    for file in rooms.spill.iterdir():
        then = file.stat().st_mtime - OLD_S
        os.utime(file, (then, then))


def queued(rooms: Rooms, queue: str) -> int:
    """Jobs that wait in a queue."""
    with rooms.client() as client:
        return int(client.llen(f"rq:queue:{queue}"))


def settled_once(rooms: Rooms) -> None:
    """The token and its push stand in the ledger once each, exactly attributed, with one delivery; the log is whole."""
    query = "SELECT kind, verdict FROM records WHERE kind != 'delivery' ORDER BY kind"
    assert rooms.rows(query) == [("event", "exact"), ("issuance", "")]
    assert rooms.rows("SELECT count(*) FROM deliveries") == [(1,)]
    assert_log_is_whole(rooms.database)


def settle_the_rest(rooms: Rooms) -> None:
    """Other settle workers, until nothing is left: what the first had in hand may be taken over after a while."""

    def nothing_left() -> bool:
        rooms.settle().run()
        with rooms.client() as client:
            return not any(client.xpending(stream, keys.SETTLE_GROUP)["pending"] for stream in keys.STREAMS)

    wait_until("everything to be settled", nothing_left)


# workers/settle.py, wharfinger/ledger/settlement.py and log.py, workers/ports.py, workers/adapters/bodies.py


@pytest.mark.parametrize(
    ("port", "call", "done", "committed", "orphans"),
    [
        pytest.param("ledger", "commit", False, False, 1, id="before the commit"),
        pytest.param("ledger", "commit", True, True, 1, id="after the commit, before the acknowledgement"),
        pytest.param("streams", "acknowledge", True, True, 1, id="after the acknowledgement, before the body is forgotten"),
        pytest.param("bodies", "forget", True, True, 0, id="after the body is forgotten, before the wake-ups"),
    ],
)
def test_settle(rooms: Rooms, *, port: str, call: str, done: bool, committed: bool, orphans: int) -> None:
    """Wherever settle ends: all of the batch exists once, and its delivery is found by sweep."""
    rooms.take(push_event(rooms.token(), noise=NOISE))
    settle = rooms.settle()
    dressed: dict[str, Any] = {port: Dies(getattr(settle, port), call, done=done)}
    with pytest.raises(Killed):
        replace(settle, **dressed).run()
    assert rooms.rows("SELECT count(*) > 0 FROM records") == [(committed,)]
    assert len(spilled(rooms)) == orphans
    settle_the_rest(rooms)
    settled_once(rooms)
    assert queued(rooms, keys.DELIVER_QUEUE) == (not committed)
    rooms.sweep().run()
    assert queued(rooms, keys.DELIVER_QUEUE) == 1


def test_a_body_that_settle_did_not_forget(rooms: Rooms) -> None:
    """Ended before it is removed: an orphan, which sweep removes when it is old."""
    rooms.take(push_event(rooms.token(), noise=NOISE))
    settle = rooms.settle()
    with pytest.raises(Killed):
        replace(settle, bodies=Dies(settle.bodies, "forget", done=False)).run()
    rooms.sweep().tidy()
    assert spilled(rooms) == [".z"]
    grown_old(rooms)
    rooms.sweep().tidy()
    assert spilled(rooms) == []


COMMIT = """
import hashlib, os, signal, sys
from wharfinger.ledger import settlement
from wharfinger.ledger.database import Database
from wharfinger.ledger.record import AuditRecord, Personal, RecordKind
from wharfinger.ledger.values import Entry

class Batch(list):
    turns = int(sys.argv[2])

    def __iter__(self):
        self.turns -= 1
        if self.turns == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().__iter__()

def entry(number):
    sha = hashlib.sha256(b"%d" % number).hexdigest()
    return Entry(AuditRecord(kind=RecordKind.EVENT, recorded_at=1, event_id=str(number), event_sha=sha, personal=Personal(raw_sha256=sha)))

settlement.commit(Database(sys.argv[1]), Batch(map(entry, range(50))), now_ms=1)
os.kill(os.getpid(), signal.SIGKILL)
"""
"""Commits a batch that kills its process when it is gone through so many times. The second time the records are written."""


@pytest.mark.parametrize(("turns", "records"), [pytest.param(2, 0, id="inside"), pytest.param(9, 50, id="after")])
def test_a_commit_is_whole_or_nothing(rooms: Rooms, turns: int, records: int) -> None:
    """A process killed inside the transaction leaves nothing of the batch; killed after it, all of it."""
    command = [sys.executable, "-c", COMMIT, rooms.settings.workers.ledger_url, str(turns)]
    assert subprocess.run(command, check=False, timeout=60).returncode == -signal.SIGKILL
    assert rooms.rows("SELECT count(*), (SELECT size FROM tree) FROM records") == [(records, records)]
    assert_log_is_whole(rooms.database)


# A settle worker that is stopped, overtaken and woken (workers/adapters/streams.py).


@dataclass
class Slow:
    """Streams whose reader is stopped just after a read, until another has settled what it read."""

    rooms: Rooms
    streams: Streams
    stops: bool = True

    def next(self) -> Batch | None:
        """Read, then sleep through it."""
        batch = self.streams.next()
        if batch is not None and self.stops:
            self.stops = False
            settle_the_rest(self.rooms)
        return batch

    def holds(self, batch: Batch) -> bool:
        """As it is."""
        return self.streams.holds(batch)

    def acknowledge(self, batch: Batch) -> None:
        """As it is."""
        self.streams.acknowledge(batch)


@pytest.mark.parametrize("noise", [0, NOISE])
def test_a_settle_worker_overtaken_between_reading_and_deciding(rooms: Rooms, noise: int) -> None:
    """It finds that all is there; a spilled body that the other has forgotten is no lost one."""
    rooms.take(push_event(rooms.token(), noise=noise))
    settle = rooms.settle()
    replace(settle, streams=Slow(rooms, settle.streams)).run()
    settled_once(rooms)


# workers/deliver.py, wharfinger/ledger/outbox.py


def delivery_of(rooms: Rooms) -> DeliveryId:
    """A push, settled: its delivery, which is due."""
    rooms.take(push_event(rooms.token()))
    rooms.settle().run()
    ((delivery,),) = rooms.rows("SELECT id FROM deliveries")
    return DeliveryId(delivery)


def test_deliver_after_the_claim(rooms: Rooms) -> None:
    """The lease runs out, and another worker takes the delivery with a higher fence."""
    delivery = delivery_of(rooms)
    with pytest.raises(Killed):
        replace(rooms.deliver(), outbox=Dies(rooms.outbox(), "claim", done=True)).run(delivery)
    rooms.deliver().run(delivery)
    assert rooms.receiver.asked == []
    rooms.skew_ms += LEASE_MS + 1
    assert list(rooms.outbox().due()) == [delivery]
    rooms.deliver().run(delivery)
    assert rooms.receiver.asked == [delivery]
    assert rooms.rows("SELECT state, fence, attempts FROM deliveries") == [("delivered", 2, 2)]


@pytest.mark.parametrize(("done", "asked"), [(False, 2), (True, 1)])
def test_deliver_around_its_outcome(rooms: Rooms, *, done: bool, asked: int) -> None:
    """Before it is written the target is asked again, under the same id; after it nothing is."""
    delivery = delivery_of(rooms)
    with pytest.raises(Killed):
        replace(rooms.deliver(), outbox=Gives(rooms.outbox(), "claim", "finish", done=done)).run(delivery)
    rooms.skew_ms += LEASE_MS + 1
    for waiting in rooms.outbox().due():
        rooms.deliver().run(waiting)
    assert rooms.receiver.asked == [delivery] * asked
    assert rooms.rows("SELECT state FROM deliveries") == [("delivered",)]
    assert rooms.rows("SELECT verdict FROM records WHERE kind = 'delivery'") == [("delivered",)]
    assert_log_is_whole(rooms.database)


@dataclass(kw_only=True)
class Sleeper(Receiver):
    """A target whose worker is stopped just after it was asked, until another has taken over."""

    meanwhile: Callable[[], None]

    def send(self, order: Order, lease: Lease) -> Sent:
        """Carry out an order, and sleep."""
        sent = super().send(order, lease)
        self.meanwhile()
        return sent


def test_a_deliver_worker_overtaken_after_it_asked(rooms: Rooms) -> None:
    """It learns so when it writes its outcome, and changes nothing."""
    delivery = delivery_of(rooms)
    second = rooms.deliver()

    def take_over() -> None:
        rooms.skew_ms += LEASE_MS + 1
        second.run(delivery)

    rooms.receiver = first = Sleeper(meanwhile=take_over)
    rooms.deliver().run(delivery)
    assert first.asked == [delivery]
    assert rooms.rows("SELECT state, fence FROM deliveries") == [("delivered", 2)]
    assert rooms.rows("SELECT outcome FROM attempts ORDER BY attempt") == [("",), ("delivered",)]


def paused_delivery(rooms: Rooms) -> DeliveryId:
    """A push whose rule is paused."""
    delivery = delivery_of(rooms)
    assert steering.pause(rooms.database, "tour", Statement("os:root", "a freeze", rooms.now_ms()))
    return delivery


@pytest.mark.parametrize("done", [False, True])
def test_deliver_around_holding_off(rooms: Rooms, *, done: bool) -> None:
    """Before it is written the lease runs out and it is looked at again; after it, it is held. It goes when the pause ends."""
    delivery = paused_delivery(rooms)
    with pytest.raises(Killed):
        replace(rooms.deliver(), outbox=Gives(rooms.outbox(), "claim", "hold", done=done)).run(delivery)
    rooms.skew_ms += LEASE_MS + 1
    assert list(rooms.outbox().due()) == ([] if done else [delivery])
    for waiting in rooms.outbox().due():
        rooms.deliver().run(waiting)
    assert rooms.rows("SELECT state, attempts FROM deliveries") == [("held", 0 if done else 1)]
    assert steering.resume(rooms.database, "tour", Statement("os:root", "over", rooms.now_ms()))
    for waiting in rooms.outbox().due():
        rooms.deliver().run(waiting)
    assert rooms.receiver.asked == [delivery]
    assert_log_is_whole(rooms.database)


SAY = """
import os, signal, sys, time
from wharfinger.ledger import steering
from wharfinger.ledger.database import Database

def die():
    os.kill(os.getpid(), signal.SIGKILL)

class Statement:
    who, now_ms = "os:root", time.time_ns() // 1_000_000

    @property
    def why(self):
        if sys.argv[2] == "inside":
            die()
        return "it is so"

said, database = Statement(), Database(sys.argv[1])
{
    "resume": lambda: steering.resume(database, "tour", said),
    "vote": lambda: steering.vote(database, sys.argv[4], said, approves=True),
    "block": lambda: steering.block(database, sys.argv[5], "", said),
}[sys.argv[3]]()
die()
"""
"""Says something, and is killed inside of its transaction, with its rows changed and no record written, or just after it."""


@pytest.mark.parametrize("where", ["inside", "after"])
@pytest.mark.parametrize("what", ["resume", "vote", "block"])
def test_saying_is_whole_or_nothing(rooms: Rooms, what: str, where: str) -> None:
    """Killed inside, nothing was said, and nobody is looked at for it; killed after it, it is a record and what it concerns is due."""
    delivery = paused_delivery(rooms)
    rooms.deliver().run(delivery)
    assert rooms.rows("SELECT state FROM deliveries") == [("held",)]
    tables = {"resume": "pauses", "vote": "votes", "block": "bad_digests"}
    before = rooms.rows(f"SELECT count(*) FROM {tables[what]}")
    command = [sys.executable, "-c", SAY, rooms.settings.workers.ledger_url, where, what, delivery, DIGEST]
    assert subprocess.run(command, check=False, timeout=60).returncode == -signal.SIGKILL
    done = where == "after"
    assert (rooms.rows(f"SELECT count(*) FROM {tables[what]}") != before) is done
    assert rooms.rows("SELECT count(*) FROM records WHERE kind = 'steering'") == [(1 + done,)]
    assert list(rooms.outbox().due()) == ([delivery] if done else [])
    assert_log_is_whole(rooms.database)


# notifier/ingest.py, notifier/adapters/spill.py and event_stream.py


@pytest.mark.parametrize("noise", [0, NOISE])
def test_ingest_after_the_entry(rooms: Rooms, noise: int) -> None:
    """Ended before the answer: the registry posts again, and settle knows the event by its id."""
    body = push_event(rooms.token(), noise=noise)
    with pytest.raises(Killed):
        rooms.take(body, stream=dying("append", done=True))
    rooms.take(body)
    rooms.settle().run()
    settled_once(rooms)
    assert spilled(rooms) == []


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(
    ("dressed", "left"),
    [
        pytest.param({"spill": giving("open", "keep")}, ".part", id="before the rename"),
        pytest.param({"spill": giving("open", "keep", done=True)}, ".z", id="after the rename"),
        pytest.param({"stream": dying("append")}, ".z", id="before the entry"),
    ],
)
def test_ingest_before_the_entry(rooms: Rooms, dressed: dict[str, Dress], left: str) -> None:
    """Nothing was answered, so the registry posts again; the orphan is removed when it is old, and nothing else is."""
    body = push_event(rooms.token(), noise=NOISE)
    with pytest.raises(Killed):
        rooms.take(body, **dressed)  # type: ignore[arg-type]  # its ports
    gc.collect()  # a dead process has no open file
    assert spilled(rooms) == [left]
    grown_old(rooms)
    rooms.take(body)
    rooms.sweep().tidy()
    assert spilled(rooms) == [".z"]
    rooms.settle().run()
    settled_once(rooms)


def test_ingest_before_the_wake_up(rooms: Rooms) -> None:
    """The entry is there and the flag that settle is on its way, but no job: sweep wakes settle when the flag is gone."""
    rooms.take(push_event(rooms.token()), wakes=False)
    sweep = rooms.sweep()

    def woken() -> int:
        sweep.run()
        return queued(rooms, keys.SETTLE_QUEUE)

    assert woken() == 0
    wait_until("the wake-up", woken)


# authsvc/issue.py and authsvc/adapters/streams.py


@pytest.mark.parametrize(("done", "recorded"), [(False, 0), (True, 1)])
def test_issue_around_the_record(rooms: Rooms, *, done: bool, recorded: int) -> None:
    """Before it: no record and no token. After it: a record whose token nobody has, which harms nothing."""
    with pytest.raises(Killed):
        rooms.token(dying("record", done=done))
    assert issuances(rooms) == (recorded, recorded)
    rooms.take(push_event(rooms.token()))
    rooms.settle().run()
    assert rooms.rows("SELECT count(*) FROM records WHERE kind = 'issuance'") == [(1 + recorded,)]
    assert rooms.rows("SELECT verdict FROM records WHERE kind = 'event'") == [("exact",)]


def issuances(rooms: Rooms) -> tuple[int, int]:
    """How many issuances the stream holds, and how many keys."""
    with rooms.client() as client:
        return int(client.xlen(keys.ISSUANCES)), len(client.keys(keys.issuance(Jti("*"))))


EXEC = b"*1\r\n$4\r\nEXEC\r\n"


@asynccontextmanager
async def cut_at_exec(rooms: Rooms, *, carried_out: bool) -> AsyncIterator[str]:
    """A way to the store that breaks at EXEC: before the store has it, or before its answer comes back. Its URL."""

    async def carry(client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        store, to_store = await asyncio.open_unix_connection(rooms.url.removeprefix("unix://"))
        answers = asyncio.create_task(_pour(store, to_client))
        sent = b""
        while EXEC not in sent and (data := await client.read(65_536)):
            sent += data
            if EXEC in sent:
                answers.cancel()  # from here on nothing comes back
            to_store.write(data if carried_out else data.partition(EXEC)[0])
        to_store.write_eof()
        # The store has dealt with all of it when it closes its side.
        await asyncio.gather(answers, return_exceptions=True)
        await store.read()
        for writer in (to_store, to_client):
            writer.close()
            await writer.wait_closed()

    path = rooms.settings.data / "cut.sock"
    async with await asyncio.start_unix_server(carry, path):
        yield f"unix://{path}"


async def _pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65_536):
        writer.write(data)


async def record_issuance(client: redis.asyncio.Redis) -> None:
    """Record one as authsvc does."""
    await RedisIssuances(Batches(client, Board(TABLE).meter())).record(ISSUANCE)


async def append_event(client: redis.asyncio.Redis) -> None:
    """Append one as the notifier does."""
    await RedisEvents(client, Mute()).append(StoredNotification(NOTIFICATION, b""))  # type: ignore[arg-type]  # it is not reached


class Mute:
    """A waker that is not reached."""

    def wake(self) -> None:
        """Nothing."""


ISSUANCE = Issuance(
    jti=Jti("0pDLmR9V8xGZ4-0_aTkqQwErTy"), account=Account("zoe"), credential=Credential(kind="static", id="c1"),
    authenticated_by="basic", client_addr="10.0.0.7", issued_at=1, not_before=0, expires_at=900,
)  # fmt: skip
NOTIFICATION = Notification(source="main", peer="10.0.0.1", received_at=1, size=1, sha256="ab")


@pytest.mark.parametrize(("carried_out", "exists"), [(False, 0), (True, 1)])
@pytest.mark.parametrize(
    ("write", "fault", "stream"),
    [
        pytest.param(record_issuance, AuthUnavailable, keys.ISSUANCES, id="issuance"),
        pytest.param(append_event, NotifierUnavailable, keys.EVENTS, id="event"),
    ],
)
async def test_the_store_goes_away_at_exec(
    rooms: Rooms,
    *,
    write: Callable[[redis.asyncio.Redis], Awaitable[None]],
    fault: type[Exception],
    stream: str,
    carried_out: bool,
    exists: int,
) -> None:
    """Before it nothing exists, after it everything does; unanswered it is Unavailable either way, and nothing leaves."""
    async with cut_at_exec(rooms, carried_out=carried_out) as url, rooms.loop_client(url) as client:
        with pytest.raises(fault):
            await write(client)
    with rooms.client() as direct:
        assert direct.xlen(stream) == exists
    assert issuances(rooms)[0] == issuances(rooms)[1]
