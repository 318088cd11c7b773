"""A witness's cosignature, asked for and kept: from any state it may be in, after any crash, and never from a log that went back."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.wharfinger.ledger import logs, vectors
from tests.wharfinger.ledger.logs import NOW, fill, sign
from tests.witness import Witness
from wharfinger.ledger import outbox, schema
from wharfinger.ledger.checkpoint import Checkpoint, SignedCheckpoint, add_checkpoint_request
from wharfinger.ledger.checkpoint import sign as sign_checkpoint
from wharfinger.ledger.checkpoints import newest
from wharfinger.ledger.database import Database
from wharfinger.ledger.errors import LedgerUnavailable
from wharfinger.ledger.note import Signature, cosigned_at, parse_vkey
from wharfinger.ledger.search import Criteria, search
from wharfinger.ledger.settlement import commit
from workers.adapters.alarms import LedgersAlarms
from workers.adapters.checkpoints import LedgersCheckpoints
from workers.cosign import Cosign
from workers.decide.cosigning import WitnessAnswer
from workers.errors import Unavailable
from workers.warn import Warn


class InProcess:
    """The port ``Witness``, over the test's witness."""

    def __init__(self, witness: Witness) -> None:
        self._witness = witness

    def ask(self, body: bytes) -> WitnessAnswer:
        """Ask it."""
        return WitnessAnswer(*self._witness.add_checkpoint(body))


class World:
    """A ledger with a signed log, a witness, and what was logged."""

    def __init__(self, folder: Path) -> None:
        self.database = Database(f"sqlite:///{folder}/ledger.db")
        self.witness = Witness([vectors.LOG_VKEY])
        self.logged: list[tuple[str, dict[str, Any]]] = []
        fill(self.database, 10)
        sign(self.database)

    def log(self, event: str, /, **fields: Any) -> None:
        """The log."""
        self.logged.append((event, fields))

    def use_case(self) -> Cosign:
        """As after a start: it remembers nothing."""
        warn = Warn(LedgersAlarms(self.database, lambda: NOW), ("hook",), self.log)
        signed_log = LedgersCheckpoints(self.database)
        return Cosign("w1", parse_vkey(self.witness.vkey), InProcess(self.witness), signed_log, warn, self.log)

    def alarms(self) -> list[tuple[str, dict[str, Any]]]:
        """The alarms of the trail."""
        found = search(self.database, Criteria(kinds=("alarm",))).records
        return [(one.record.reason, json.loads(one.record.detail)) for one in found]

    def grow(self) -> None:
        """One record more, signed."""
        commit(self.database, [logs.event(logs.size_of(self.database))], now_ms=NOW)
        sign(self.database)

    def newest(self) -> SignedCheckpoint:
        """The newest checkpoint."""
        with self.database.reading() as connection:
            stored = newest(connection)
        assert stored is not None
        return stored.signed()

    def cosigned_at(self) -> int | None:
        """When the witness saw the newest checkpoint."""
        return cosigned_at(self.newest().note, parse_vkey(self.witness.vkey))

    def events(self) -> list[str]:
        """What was logged."""
        return [event for event, _ in self.logged]


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A new one."""
    return World(tmp_path)


def test_each_checkpoint_is_cosigned_once(world: World) -> None:
    """With one request each, by a consistency proof from the last; without news there is nothing to ask."""
    cosign = world.use_case()
    for _ in range(3):
        cosign.run()
        cosign.run()
        assert world.cosigned_at() == world.witness.time_s
        world.grow()
    assert world.witness.asked == [200, 200, 200]
    assert world.events() == ["checkpoint.cosigned"] * 3


def test_after_a_start_the_witness_says_from_where(world: World) -> None:
    """409 with its size; the second request carries the proof from there."""
    world.use_case().run()
    world.grow()
    world.use_case().run()
    assert world.witness.asked == [200, 409, 200]
    assert world.cosigned_at() == world.witness.time_s


def test_a_witness_that_forgot_is_told_from_the_beginning(world: World) -> None:
    """It names a smaller size than it cosigned; nothing is lost by that."""
    cosign = world.use_case()
    cosign.run()
    world.witness.seen.clear()
    world.grow()
    cosign.run()
    assert world.witness.asked == [200, 409, 200]


def test_a_crash_before_the_cosignature_is_kept(world: World) -> None:
    """The witness has cosigned and remembers; it says its size, and cosigns the same checkpoint once more."""
    cosign = world.use_case()
    cosign.signed_log = Breaking(world.database)
    with pytest.raises(LedgerUnavailable):
        cosign.run()
    assert world.cosigned_at() is None
    world.use_case().run()
    assert world.witness.asked == [200, 409, 200]
    assert world.cosigned_at() == world.witness.time_s


class Breaking(LedgersCheckpoints):
    """A ledger that goes away when the cosignature is there."""

    def add(self, size: int, cosignature: Signature) -> None:
        """As a crash just before."""
        raise LedgerUnavailable("away")


def test_a_log_that_lost_records_is_told_of(world: World) -> None:
    """A restored backup, or somebody's hand: the witness saw more than there is, and cosigns nothing. An alarm, once."""
    world.witness.seen[vectors.ORIGIN] = (99, b"x" * 32)
    found = {"witness": "w1", "cosigned": 99, "size": 10}
    for _ in range(2):
        world.use_case().run()
        world.use_case().run()
        assert world.alarms() == [("witness_ahead", found)]
        assert world.cosigned_at() is None
        world.grow()
    assert world.logged[:3] == [
        ("witness.ahead", found),
        ("alarm.raised", {"why": "witness_ahead"}),
        ("witness.ahead", found),
    ]
    assert len(outbox.due(world.database, now_ms=NOW)) == 1


def test_a_witness_that_another_host_asked_is_not_ahead(world: World) -> None:
    """More was signed and cosigned from there since this one looked: no records are lost, and no alarm is raised."""
    cosign, other = world.use_case(), world.use_case()
    ask = cosign.witness.ask

    class Later:
        """The port ``Witness``, asked when the other host is done."""

        def ask(self, body: bytes) -> WitnessAnswer:
            world.grow()
            other.run()
            return ask(body)

    cosign.witness = Later()
    cosign.run()
    assert (world.events(), world.alarms()) == (["checkpoint.cosigned"], [])
    cosign.witness = InProcess(world.witness)
    world.grow()
    cosign.run()
    assert world.cosigned_at() == world.witness.time_s


def test_a_rewritten_log_is_not_cosigned(world: World) -> None:
    """The witness saw another root of this size, or another beginning: 422, and that is told."""
    world.witness.seen[vectors.ORIGIN] = (7, b"x" * 32)
    world.use_case().run()
    assert world.witness.asked == [409, 422]
    assert world.logged[0][1]["problem"] == "says that the log is not the one it cosigned before"
    world.witness.seen[vectors.ORIGIN] = (10, b"x" * 32)
    world.use_case().run()
    assert world.witness.asked == [409, 422, 409, 422]
    assert world.cosigned_at() is None
    assert world.alarms() == [
        ("witness_contradicts", {"witness": "w1", "cosigned": 10, "size": 10}),
        ("witness_contradicts", {"witness": "w1", "cosigned": 7, "size": 10}),
    ]


def test_the_witness_itself_never_goes_back(world: World) -> None:
    """What these tests rest on: it knows one log, one key, and the last size; it refuses an older checkpoint, whoever asks."""
    older = world.newest()
    world.grow()
    newer = world.newest()
    proof = LedgersCheckpoints(world.database).proof(10, 11)
    ask = world.witness.add_checkpoint
    assert ask(add_checkpoint_request(0, [], older))[0] == 200
    assert ask(add_checkpoint_request(10, [proof[0], *proof], newer))[0] == 422
    assert ask(add_checkpoint_request(10, proof, newer))[0] == 200
    assert ask(add_checkpoint_request(0, [], older))[::2] == (409, b"11\n")
    assert ask(add_checkpoint_request(11, [], older))[0] == 400
    assert world.witness.seen[vectors.ORIGIN][0] == 11
    foreign = sign_checkpoint(Checkpoint("other.example/log", 3, b"x" * 32), vectors.LOG)
    unsigned = replace(newer, note=replace(newer.note, signatures=foreign.note.signatures))
    assert [ask(add_checkpoint_request(11, [], one))[0] for one in (foreign, unsigned)] == [404, 403]


def test_a_witness_that_never_agrees_is_left(world: World) -> None:
    """It names another size each time: three questions are enough."""
    sizes = iter([b"3\n", b"4\n", b"5\n", b"6\n"])

    class Fickle:
        """The port ``Witness``."""

        def ask(self, _body: bytes) -> WitnessAnswer:
            return WitnessAnswer(409, "text/x.tlog.size", next(sizes))

    cosign = world.use_case()
    cosign.witness = Fickle()
    cosign.run()
    assert next(sizes) == b"6\n"


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        ((404, "", b""), "does not know the log"),
        ((200, "", vectors.COSIGNATURE.encode()), "answered no signature of its key"),
        ((200, "", b"\xff"), "answered no signature lines"),
    ],
)
def test_a_witness_that_declines(world: World, answer: tuple[int, str, bytes], problem: str) -> None:
    """Told, and asked again the next time."""
    world.witness.answer_instead = answer
    world.use_case().run()
    assert world.logged == [("witness.declined", {"witness": "w1", "problem": problem})]
    world.witness.answer_instead = None
    world.use_case().run()
    assert world.cosigned_at() == world.witness.time_s


def test_a_witness_that_is_away(world: World) -> None:
    """Told; the log is signed all the same, and when it is back it cosigns the newest."""

    class Away:
        """The port ``Witness``."""

        def ask(self, _body: bytes) -> WitnessAnswer:
            raise Unavailable("it cannot be asked")

    cosign = world.use_case()
    working, cosign.witness = cosign.witness, Away()
    cosign.run()
    world.grow()
    assert world.events() == ["witness.unavailable"]
    cosign.witness = working
    cosign.run()
    assert world.cosigned_at() == world.witness.time_s


def empty(database: Database) -> None:
    """Remove every checkpoint."""
    with database.writing() as connection:
        connection.execute(schema.checkpoints.delete())


def spoil(database: Database) -> None:
    """Change the newest note."""
    logs.rewrite(database, schema.checkpoints.c.note, lambda _note: "x")


@pytest.mark.parametrize("harm", [empty, spoil])
def test_nothing_to_cosign(world: World, harm: Callable[[Database], None]) -> None:
    """No checkpoint, or one that somebody changed: nobody is asked."""
    harm(world.database)
    world.use_case().run()
    assert world.witness.asked == []
