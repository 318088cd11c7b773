"""Warn: have a fault of the trail told in the trail itself, once, and never fail over it. Deciding is in ``decide``."""

from dataclasses import dataclass

from wharfinger.ledger.errors import LedgerUnavailable
from wharfinger.ledger.values import TrailAlarm
from wharfinger.runtime.log import Log
from workers.decide.alarms import heard_by
from workers.ports import Alarms


@dataclass(frozen=True, slots=True)
class Warn:
    """The use case with what it needs. ``targets``: webhooks that hear of alarms; sweep finds what is due for them."""

    alarms: Alarms
    targets: tuple[str, ...]
    log: Log

    def run(self, alarm: TrailAlarm) -> None:
        """Tell it, if it is new. A ledger that does not take it is logged: who found the fault goes on, and finds it again."""
        try:
            if self.alarms.tell(heard_by(alarm, self.targets)):
                self.log("alarm.raised", why=alarm.fault.value)
        except LedgerUnavailable as fault:
            self.log("alarm.unwritten", why=alarm.fault.value, problem=str(fault))
