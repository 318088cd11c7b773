"""Warning: told once, and whoever found the fault goes on whatever becomes of that."""

from typing import Any

from wharfinger.ledger.errors import LedgerUnavailable
from wharfinger.ledger.values import TrailAlarm, TrailFault
from workers.warn import Warn

ALARM = TrailAlarm(TrailFault.WITNESS_AHEAD, "w1/9", {"witness": "w1"})


class Trail:
    """The port ``Alarms``, which may be away."""

    def __init__(self) -> None:
        self.told: list[TrailAlarm] = []
        self.away = False

    def tell(self, alarm: TrailAlarm) -> bool:
        """Keep it, once."""
        if self.away:
            raise LedgerUnavailable("away")
        new = alarm not in self.told
        self.told += [alarm] if new else []
        return new


def test_an_alarm_is_told_once_and_as_soon_as_it_can_be() -> None:
    """Not while the ledger is away, which is logged; the next find tells it."""
    trail, logged = Trail(), list[tuple[str, dict[str, Any]]]()
    warn = Warn(trail, ("hook",), lambda event, /, **fields: logged.append((event, fields)))
    trail.away = True
    warn.run(ALARM)
    trail.away = False
    warn.run(ALARM)
    warn.run(ALARM)
    assert [event for event, _ in logged] == ["alarm.unwritten", "alarm.raised"]
    assert [fields["why"] for _, fields in logged] == ["witness_ahead"] * 2
    (told,) = trail.told
    assert [one.target for one in told.deliveries] == ["hook"]
