"""Decides what is an alarm about the trail itself, by what it is the same as another, and who hears of it. Writes nothing."""

from collections.abc import Sequence
from dataclasses import replace

from wharfinger.ledger.checkpoint import Refuse
from wharfinger.ledger.values import ALARM_RULE, NewDelivery, TrailAlarm, TrailFault
from workers.decide.rules import id_of


def not_signed(refused: Refuse) -> TrailAlarm:
    """The log is not signed on."""
    return TrailAlarm(TrailFault.CHECKPOINT_REFUSED, refused.about, {"problem": refused.problem})


def witness_ahead(witness: str, *, cosigned: int, size: int) -> TrailAlarm:
    """A witness cosigned more records than the log has: those are lost, by a restored backup or by somebody's hand."""
    return _of_witness(TrailFault.WITNESS_AHEAD, witness, cosigned, size)


def witness_contradicts(witness: str, *, cosigned: int, size: int) -> TrailAlarm:
    """A witness says that the log does not begin as what it cosigned."""
    return _of_witness(TrailFault.WITNESS_CONTRADICTS, witness, cosigned, size)


def _of_witness(fault: TrailFault, witness: str, cosigned: int, size: int) -> TrailAlarm:
    # The same for what it cosigned, however much the log grows meanwhile.
    return TrailAlarm(fault, f"{witness}/{cosigned}", {"witness": witness, "cosigned": cosigned, "size": size})


def heard_by(alarm: TrailAlarm, targets: Sequence[str]) -> TrailAlarm:
    """The alarm with a delivery to each target that wants to hear of such."""
    deliveries = tuple(
        NewDelivery(id_of("alarm", alarm.fault.value, alarm.about, target), ALARM_RULE, target)
        for target in dict.fromkeys(targets)
    )
    return replace(alarm, deliveries=deliveries)
