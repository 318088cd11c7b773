"""How many alarms and gaps the trail tells of, by why, and who was heard last. Writes nothing.

Counted in the ledger, not by who raised them: so the numbers are one for all processes and machines, and survive every restart.
No rule of retention removes alarms or gaps, so they never fall.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, func, select, text

from wharfinger.ledger import schema
from wharfinger.ledger.codes import CODES
from wharfinger.ledger.database import Database
from wharfinger.ledger.instances import last_heard
from wharfinger.ledger.record import RecordKind

_R = schema.records.c


@dataclass(frozen=True, slots=True)
class Tally:
    """Alarms and gaps by reason; when each registry was heard last, milliseconds since the epoch."""

    alarms: Mapping[str, int]
    gaps: Mapping[str, int]
    last_heard: Mapping[str, int]


def tally(database: Database) -> Tally:
    """Count. Raises LedgerUnavailable."""
    with database.reading() as connection:
        return Tally(
            alarms=_by_reason(connection, RecordKind.ALARM),
            gaps=_by_reason(connection, RecordKind.GAP),
            last_heard=last_heard(connection, database.words),
        )


def _by_reason(connection: Connection, kind: RecordKind) -> dict[str, int]:
    # A partial index is only found by its own condition, to the letter.
    query = (
        select(_R.reason, func.count().label("times")).where(_R.kind == CODES[kind], text(schema.NOT_EVENT)).group_by(_R.reason)
    )
    return {row.reason: row.times for row in connection.execute(query)}
