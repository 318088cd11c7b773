"""The ledger's rules of retention, a little at a time: a sweep that prunes for minutes would leave crashes lying about."""

from wharfinger.ledger.database import Database
from wharfinger.ledger.pruning import prune, retention_of
from wharfinger.runtime.settings import RetentionSettings
from workers.ports import Clock

CHUNKS = 2
"""Of each kind in one go: four thousand records, a fraction of a second."""


class LedgerRetention:
    """The port ``Retention``."""

    def __init__(self, database: Database, settings: RetentionSettings, clock: Clock) -> None:
        self._database = database
        self._rules = retention_of(settings.seconds)
        self._clock = clock

    def prune(self) -> int:
        """Remove some of what is old; how many records went."""
        if not self._rules:
            return 0
        return sum(prune(self._database, self._rules, now_ms=self._clock(), chunks=CHUNKS).counts.values())
