"""Writing a settled batch: records, leaves, issuances and deliveries in one transaction. What to write was decided before.

Crash before the commit: nothing is written, and the streams deliver the batch again. After the commit, before the streams are
acknowledged: the batch comes again and writes nothing, for its records are known by (event key, hash) and only a record that is
new brings its issuance and its deliveries.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from sqlalchemy import Connection, insert

from wharfinger.ledger import instances, schema
from wharfinger.ledger.bulk import bulk_insert, rows_in, run_in
from wharfinger.ledger.database import Database
from wharfinger.ledger.decisions import to_text
from wharfinger.ledger.issued import from_record
from wharfinger.ledger.log import ID_REUSED, Appended, append
from wharfinger.ledger.packing import pack_jti
from wharfinger.ledger.reading import read_records
from wharfinger.ledger.record import AuditRecord, Personal, RecordKind, canonical_json
from wharfinger.ledger.values import DeliveryState, Entry, NewDelivery, Settled
from wharfinger.wire.issuance import Issuance
from wharfinger.wire.names import DeliveryId, Jti

_NEVER_USED: Final = 0


def commit(database: Database, entries: Sequence[Entry], *, now_ms: int) -> Settled:
    """Write a batch. Raises LedgerUnavailable when it is not written."""
    with database.writing() as connection:
        appended = append(connection, database.words, [(entry.record, entry.raw) for entry in entries])
        new = [(written, entry) for written, entry in zip(appended, entries, strict=True) if written is not None]
        _write_issuances(connection, new)
        _note_uses(connection, [written for written, _ in new], now_ms)
        instances.note(connection, database.words, [written for written, _ in new], now_ms=now_ms)
        due = write_deliveries(connection, [(written.seq, entry.deliveries) for written, entry in new], now_ms)
        raised = [(written, entry, why) for written, entry in new if (why := _alarm(written, entry))]
        due += _raise(connection, database, raised, now_ms)
    return Settled(len(new), len(entries) - len(new), due, tuple(why for _, _, why in raised))


def find_issuances(database: Database, jtis: Iterable[Jti]) -> dict[Jti, Issuance]:
    """The issuances of some tokens, as far as the ledger knows them."""
    packed = [pack_jti(jti) for jti in jtis]
    with database.reading() as connection:
        seqs = [row.seq for row in rows_in(connection, "SELECT seq FROM issuances WHERE jti IN", packed)]
        found = read_records(connection, database.words, seqs)
    return {Jti(one.record.jti): from_record(one.record, erased=one.erased) for one in found}


def _write_issuances(connection: Connection, new: Sequence[tuple[Appended, Entry]]) -> None:
    issued = [(written.seq, entry.issuance) for written, entry in new if entry.issuance is not None]
    rows = [(pack_jti(issuance.jti), seq, issuance.expires_at, _NEVER_USED) for seq, issuance in issued]
    bulk_insert(connection, schema.issuances, rows)


def _note_uses(connection: Connection, appended: Sequence[Appended], now_ms: int) -> None:
    # Only that it was used counts, and roughly when: once for a batch, whatever its events.
    used = dict.fromkeys(one.record.jti for one in appended if one.record.kind is RecordKind.EVENT and one.record.jti)
    packed = [pack_jti(jti) for jti in used]
    for _ in run_in(connection, "UPDATE issuances SET used_at = ? WHERE used_at = 0 AND jti IN", packed, first=[now_ms]):
        pass


def _alarm(written: Appended, entry: Entry) -> str:
    # Whether an id came with another body, only the log can tell.
    reused = ID_REUSED in written.record.flags.split() and ID_REUSED not in entry.record.flags.split()
    return entry.alarm or (ID_REUSED if reused else "")


def _raise(
    connection: Connection, database: Database, raised: Sequence[tuple[Appended, Entry, str]], now_ms: int
) -> tuple[DeliveryId, ...]:
    records = [(alarm_record(written, why, now_ms=now_ms), b"") for written, _, why in raised]
    appended = append(connection, database.words, records)
    new = [(one.seq, entry.on_alarm) for one, (_, entry, _) in zip(appended, raised, strict=True) if one is not None]
    return write_deliveries(connection, new, now_ms)


def alarm_record(written: Appended, why: str, *, now_ms: int) -> AuditRecord:
    """The record of an alarm about another record."""
    about = written.record
    return AuditRecord(
        kind=RecordKind.ALARM,
        recorded_at=now_ms,
        occurred_at=about.occurred_at,
        source=about.source,
        event_id=f"alarm/{written.seq}",
        repository=about.repository,
        tag=about.tag,
        digest=about.digest,
        reason=why,
        jti=about.jti,
        credential_kind=about.credential_kind,
        credential_id=about.credential_id,
        detail=canonical_json({"record": written.seq}).decode(),
        personal=Personal(account=about.personal.account, client_addr=about.personal.client_addr),
    )


def write_deliveries(
    connection: Connection, new: Sequence[tuple[int, tuple[NewDelivery, ...]]], now_ms: int
) -> tuple[DeliveryId, ...]:
    """Write the deliveries that records bring, each record by its number; those that are due."""
    planned = [(seq, delivery) for seq, deliveries in new for delivery in deliveries]
    if planned:
        rows = [
            {
                "id": delivery.id,
                "seq": seq,
                "rule": delivery.rule,
                "target": delivery.target,
                "state": delivery.state.value,
                "reason": delivery.reason,
                "created_at": now_ms,
                "updated_at": now_ms,
                "due_at": now_ms + delivery.wait_ms,
                "decisions": to_text([replace(one, at=now_ms) for one in delivery.decisions]),
            }
            for seq, delivery in planned
        ]
        connection.execute(insert(schema.deliveries), rows)
    return tuple(delivery.id for _, delivery in planned if delivery.state is DeliveryState.WAITING)
