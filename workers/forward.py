"""Forward: hand the trail on to one other system, in its order, from where it came to. Deciding and writing is not here.

Crash after a record was handed over, before that is kept: it is handed over again. Records are told by their number, so the
other system knows it for the same. None is left out.
"""

from dataclasses import dataclass
from typing import Final

from wharfinger.runtime.log import Log
from workers.errors import Unavailable
from workers.ports import Passage, Sink

MOST: Final = 500
"""Records handed over together: what is repeated after a crash, and what memory holds."""


@dataclass(slots=True)
class Forward:
    """The use case with what it needs. ``name``: as configured."""

    name: str
    passage: Passage
    sink: Sink
    log: Log
    _told: str = ""

    def run(self) -> bool:
        """Hand over what is there; whether it was taken.

        Raises:
            LedgerUnavailable: nothing is lost; the next look goes on.
        """
        while (found := self.passage.following(MOST)) is not None:
            records, following = found
            try:
                if records:
                    self.sink.hand_over(records)
            except Unavailable as fault:
                self._away(str(fault))
                return False
            self._back()
            self.passage.advance(following)
        return True

    def _away(self, problem: str) -> None:
        # Once for each reason, not each second.
        if problem != self._told:
            self.log("forward.unavailable", forward=self.name, problem=problem)
        self._told = problem

    def _back(self) -> None:
        if self._told:
            self.log("forward.resumed", forward=self.name)
        self._told = ""
