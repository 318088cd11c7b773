"""What is an alarm about the trail, and when two are the same."""

import pytest

from wharfinger.ledger.checkpoint import Refuse
from wharfinger.ledger.values import ALARM_RULE, TrailAlarm, TrailFault
from workers.decide.alarms import heard_by, not_signed, witness_ahead, witness_contradicts

AHEAD = {"witness": "w1", "cosigned": 9, "size": 7}


@pytest.mark.parametrize(
    ("alarm", "fault", "about", "detail"),
    [
        (not_signed(Refuse("it is torn", about="torn/3")), TrailFault.CHECKPOINT_REFUSED, "torn/3", {"problem": "it is torn"}),
        (witness_ahead("w1", cosigned=9, size=7), TrailFault.WITNESS_AHEAD, "w1/9", AHEAD),
        (witness_contradicts("w1", cosigned=9, size=7), TrailFault.WITNESS_CONTRADICTS, "w1/9", AHEAD),
    ],
)
def test_faults(alarm: TrailAlarm, fault: TrailFault, about: str, detail: dict[str, object]) -> None:
    """Each with what it is about, which does not change while the log grows, and what a person wants to know."""
    assert (alarm.fault, alarm.about, alarm.detail, alarm.deliveries) == (fault, about, detail, ())


def test_who_hears_of_it() -> None:
    """Each target once, by a delivery of its own that is the same each time."""
    alarm = witness_ahead("w1", cosigned=9, size=7)
    heard = heard_by(alarm, ("hook", "pager", "hook"))
    assert [(one.rule, one.target) for one in heard.deliveries] == [(ALARM_RULE, "hook"), (ALARM_RULE, "pager")]
    again = heard_by(witness_ahead("w1", cosigned=9, size=8), ("hook", "pager"))
    other = heard_by(witness_contradicts("w1", cosigned=9, size=7), ("hook", "pager"))
    idents = [{one.id for one in alarm.deliveries} for alarm in (heard, again, other)]
    assert idents[0] == idents[1]
    assert not idents[0] & idents[2]
    assert heard_by(alarm, ()) == alarm
