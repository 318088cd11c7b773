"""Alarms about the trail itself, written into it: where everybody looks, and where nobody can take them back.

The log that something is wrong with takes the record like any other; what was signed before is not touched by it.
"""

from wharfinger.ledger.database import Database
from wharfinger.ledger.errors import LedgerUnavailable
from wharfinger.ledger.log import append
from wharfinger.ledger.record import AuditRecord, RecordKind, canonical_json
from wharfinger.ledger.settlement import write_deliveries
from wharfinger.ledger.values import TrailAlarm


def raise_trail_alarm(database: Database, alarm: TrailAlarm, *, now_ms: int) -> bool:
    """Write an alarm with the deliveries it brings; whether it is new, for the same one is written once.

    Crash before the commit: the fault is found again, and told. After: it is told.

    Raises:
        LedgerUnavailable: it is not written, perhaps because the fault is one that nothing can be appended behind.
    """
    record = AuditRecord(
        kind=RecordKind.ALARM,
        recorded_at=now_ms,
        occurred_at=now_ms,
        event_id=f"alarm/{alarm.fault.value}/{alarm.about}",
        reason=alarm.fault.value,
        detail=canonical_json(dict(alarm.detail)).decode(),
    )
    try:
        with database.writing() as connection:
            (written,) = append(connection, database.words, [(record, b"")])
            if written is not None:
                write_deliveries(connection, [(written.seq, alarm.deliveries)], now_ms)
    except ValueError as fault:
        raise LedgerUnavailable(f"the log takes no record: {fault}") from fault
    return written is not None
