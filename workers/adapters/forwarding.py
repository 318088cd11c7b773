"""How far a forward has come, behind the workers' port, over the ledger; and a thread for each forward."""

from collections.abc import Sequence
from threading import Event, Thread
from typing import Final

from wharfinger.ledger.database import Database
from wharfinger.ledger.errors import LedgerUnavailable
from wharfinger.ledger.forwarding import advance, next_records
from wharfinger.ledger.reading import Stored
from wharfinger.runtime.log import Log, place_of
from workers.forward import Forward
from workers.ports import Clock

LOOK_S: Final = 0.5
"""Between two looks for news."""
LONGEST_PAUSE_S: Final = 30.0
"""Between two tries at what does not take anything; each waits twice as long as the one before."""


class LedgersPassage:
    """The port ``Passage``."""

    def __init__(self, database: Database, name: str, clock: Clock) -> None:
        self._database = database
        self._name = name
        self._clock = clock

    def following(self, most: int) -> tuple[Sequence[Stored], int] | None:
        """Records, and the number after them."""
        return next_records(self._database, self._name, most=most)

    def advance(self, to: int) -> None:
        """Keep how far it has come."""
        advance(self._database, self._name, to=to, now_ms=self._clock())


class ForwardInThread:
    """One forward, for ever, in a thread of its own: a server that hangs keeps no other waiting."""

    def __init__(self, forward: Forward, log: Log) -> None:
        self._forward = forward
        self._log = log
        self._stopping = Event()
        # Daemon: stopping waits for nobody. What was cut off is handed over again.
        self._thread = Thread(target=self._loop, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def alive(self) -> bool:
        """Whether it goes on."""
        return self._thread.is_alive()

    def stop(self, *, within_s: float) -> None:
        """End after what is under way, or leave it to itself."""
        self._stopping.set()
        self._thread.join(within_s)

    def _loop(self) -> None:
        pause_s = LOOK_S
        try:
            while not self._stopping.wait(pause_s):
                pause_s = LOOK_S if self._taken() else min(2 * pause_s, LONGEST_PAUSE_S)
        except Exception as error:  # noqa: BLE001 - the thread's outermost frame: its end is the process's, which starts anew
            self._log("forward.failed", forward=self._forward.name, error=type(error).__name__, **place_of(error.__traceback__))
        finally:
            self._forward.sink.close()

    def _taken(self) -> bool:
        try:
            return self._forward.run()
        except LedgerUnavailable as fault:
            self._log("forward.unavailable", forward=self._forward.name, problem=str(fault))
            return False
