"""A forward's thread over a real ledger: it goes on by itself, and one that fails keeps no other waiting."""

from collections.abc import Iterator, Sequence

import pytest

from tests.real.conftest import wait_until
from tests.wharfinger.ledger.test_settlement import NOW, push
from wharfinger.ledger.database import Database
from wharfinger.ledger.reading import Stored
from wharfinger.ledger.settlement import commit
from workers.adapters.forwarding import ForwardInThread, LedgersPassage
from workers.errors import Unavailable
from workers.forward import Forward


class Taking:
    """A sink: what it took; ``error`` is raised instead."""

    def __init__(self) -> None:
        self.taken: list[int] = []
        self.error: Exception | None = None

    def hand_over(self, records: Sequence[Stored]) -> None:
        """Take them."""
        if self.error is not None:
            raise self.error
        self.taken += [one.seq for one in records]

    def close(self) -> None:
        """Nothing is open."""


class House:
    """A thread over a ledger of its own."""

    def __init__(self, url: str) -> None:
        self.ledger, self.opened = Database(url), list[Database]()
        self.sink, self.logged = Taking(), list[str]()
        self._url = url
        self.thread = self.another()

    def another(self) -> ForwardInThread:
        """A thread, as after a start."""
        self.opened.append(Database(self._url))
        passage = LedgersPassage(self.opened[-1], "siem", lambda: NOW)
        return ForwardInThread(Forward("siem", passage, self.sink, self.log), self.log)

    def log(self, event: str, /, **_fields: object) -> None:
        """What was said."""
        self.logged.append(event)


@pytest.fixture
def house(ledger_url: str) -> Iterator[House]:
    """It runs not yet."""
    made = House(ledger_url)
    yield made
    for database in (made.ledger, *made.opened):
        database.close()


def test_it_follows_the_trail(house: House) -> None:
    """What is committed while it runs is handed over; at the end it ends."""
    house.thread.start()
    for number in range(3):
        commit(house.ledger, [push(f"e{number}")], now_ms=NOW)
        wait_until("the record", lambda number=number: len(house.sink.taken) == number + 1)  # type: ignore[misc]
    house.thread.stop(within_s=10)
    assert not house.thread.alive()
    assert (house.sink.taken, house.logged) == ([0, 1, 2], [])


def test_after_a_restart(house: House) -> None:
    """It goes on where it was."""
    commit(house.ledger, [push("e1")], now_ms=NOW)
    house.thread.start()
    wait_until("the record", lambda: house.sink.taken)
    house.thread.stop(within_s=10)
    commit(house.ledger, [push("e2")], now_ms=NOW)
    again = house.another()
    again.start()
    wait_until("the next", lambda: house.sink.taken == [0, 1])
    again.stop(within_s=10)


def test_a_sink_that_is_away(house: House) -> None:
    """It is tried again until it is back."""
    commit(house.ledger, [push("e1")], now_ms=NOW)
    house.sink.error = Unavailable("away")
    house.thread.start()
    wait_until("the first try", lambda: house.logged)
    house.sink.error = None
    wait_until("the record", lambda: house.sink.taken)
    house.thread.stop(within_s=10)
    assert house.logged == ["forward.unavailable", "forward.resumed"]


def test_a_mistake_of_ours(house: House) -> None:
    """It is told, and the thread ends: whoever watches it starts all anew."""
    commit(house.ledger, [push("e1")], now_ms=NOW)
    house.sink.error = ValueError("ours")
    house.thread.start()
    wait_until("its end", lambda: not house.thread.alive())
    assert house.logged == ["forward.failed"]
