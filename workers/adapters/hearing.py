"""Who was heard, behind the workers' port, over the ledger."""

from collections.abc import Mapping

from wharfinger.ledger import instances
from wharfinger.ledger.database import Database
from workers.decide.silence import Silence
from workers.ports import Clock


class LedgersHearing:
    """The port ``Hearing``."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def last_heard(self) -> Mapping[str, int]:
        """When each registry was heard last."""
        with self._database.reading() as connection:
            return instances.last_heard(connection, self._database.words)

    def tell(self, silence: Silence) -> bool:
        """Write it into the trail, once."""
        with self._database.writing() as connection:
            return instances.tell_silence(
                connection, self._database.words, silence.source, silence.last_at, now_ms=self._clock()
            )
