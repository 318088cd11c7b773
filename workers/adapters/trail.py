"""The trail's numbers, behind the workers' port, over the ledger."""

from wharfinger.ledger.database import Database
from wharfinger.ledger.tally import Tally, tally


class LedgersTrail:
    """The port ``Trail``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def tally(self) -> Tally:
        """Count what is in it."""
        return tally(self._database)
