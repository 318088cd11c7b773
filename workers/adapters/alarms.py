"""Alarms about the trail itself, behind the workers' port, over the ledger."""

from wharfinger.ledger.database import Database
from wharfinger.ledger.trail_alarms import raise_trail_alarm
from wharfinger.ledger.values import TrailAlarm
from workers.ports import Clock


class LedgersAlarms:
    """The port ``Alarms``."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def tell(self, alarm: TrailAlarm) -> bool:
        """Write it, with the deliveries it brings."""
        return raise_trail_alarm(self._database, alarm, now_ms=self._clock())
