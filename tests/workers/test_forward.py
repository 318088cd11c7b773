"""Forwarding the trail: all of it in its order, whatever the other system does, and nothing left out by a crash."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest

from wharfinger.ledger.reading import Stored
from wharfinger.ledger.record import AuditRecord, RecordKind
from workers.errors import Unavailable
from workers.forward import MOST, Forward


def stored(seq: int) -> Stored:
    """A record with its number."""
    return Stored(seq, AuditRecord(kind=RecordKind.EVENT, recorded_at=1), b"s")


@dataclass
class MemoryPassage:
    """``Passage`` over a list; ``crash`` runs before what was handed over is kept."""

    records: list[Stored]
    at: int = 0
    size: int = 0
    crash: Callable[[], None] = lambda: None

    def following(self, most: int) -> tuple[Sequence[Stored], int] | None:
        """What is left."""
        end = min(self.at + most, self.size)
        return ([one for one in self.records if self.at <= one.seq < end], end) if self.at < end else None

    def advance(self, to: int) -> None:
        """Keep it."""
        self.crash()
        self.at = to


@dataclass
class MemorySink:
    """``Sink``: what it took, and why it does not take more."""

    taken: list[int] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def hand_over(self, records: Sequence[Stored]) -> None:
        """Take them, or some of them."""
        if self.problems:
            self.taken.append(records[0].seq)
            raise Unavailable(self.problems.pop(0))
        assert records
        self.taken += [one.seq for one in records]

    def close(self) -> None:
        """Nothing is open."""


class House:
    """The use case on fakes, with so many records of which some were pruned."""

    def __init__(self, size: int, pruned: Sequence[int] = ()) -> None:
        self.logged: list[tuple[str, object]] = []
        self.passage = MemoryPassage([stored(seq) for seq in range(size) if seq not in pruned], size=size)
        self.sink = MemorySink()
        self.forward = Forward("siem", self.passage, self.sink, self._log)

    def _log(self, event: str, /, **fields: object) -> None:
        self.logged.append((event, fields.get("problem")))


@pytest.mark.parametrize("size", [0, 1, MOST, MOST + 1, 3 * MOST])
def test_everything_in_its_order(size: int) -> None:
    """Once each; then there is nothing to do."""
    house = House(size)
    assert house.forward.run()
    assert house.forward.run()
    assert (house.sink.taken, house.logged) == (list(range(size)), [])


def test_what_was_pruned_is_passed_over() -> None:
    """Also where nothing is left of a whole portion."""
    house = House(2 * MOST + 1, range(1, 2 * MOST))
    assert house.forward.run()
    assert house.sink.taken == [0, 2 * MOST]


def test_who_does_not_take_it_gets_it_later() -> None:
    """Said once for each reason, and when it goes on; what it may have is sent once more."""
    house = House(2)
    house.sink.problems = ["away", "away", "full"]
    assert [house.forward.run() for _ in range(4)] == [False, False, False, True]
    assert house.sink.taken == [0, 0, 0, 0, 1]
    assert house.logged == [("forward.unavailable", "away"), ("forward.unavailable", "full"), ("forward.resumed", None)]


def test_a_crash_before_it_is_kept() -> None:
    """It is handed over again: repeated, never left out."""
    house = House(2)
    house.passage.crash = lambda: (_ for _ in ()).throw(KeyboardInterrupt)
    with pytest.raises(KeyboardInterrupt):
        house.forward.run()
    house.passage.crash = lambda: None
    assert house.forward.run()
    assert house.sink.taken == [0, 1, 0, 1]
