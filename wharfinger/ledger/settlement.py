"""Writing a settled batch: records, leaves, issuances and deliveries in one transaction. What to write was decided before.

Crash before the commit: nothing is written, and the streams deliver the batch again. After the commit, before the streams are
acknowledged: the batch comes again and writes nothing, for its records are known by (event key, hash) and only a record that is
new brings its issuance and its deliveries.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from sqlalchemy import Connection, insert, select, update

from wharfinger.ledger import instances, schema
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

_CHUNK = 500


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
    table = schema.issuances.c
    with database.reading() as connection:
        seqs: list[int] = []
        for at in range(0, len(packed), _CHUNK):
            seqs += connection.execute(select(table.seq).where(table.jti.in_(packed[at : at + _CHUNK]))).scalars()
        found = read_records(connection, database.words, seqs)
    return {Jti(one.record.jti): from_record(one.record, erased=one.erased) for one in found}


def _write_issuances(connection: Connection, new: Sequence[tuple[Appended, Entry]]) -> None:
    rows = [
        {"jti": pack_jti(entry.issuance.jti), "seq": written.seq, "expires_at": entry.issuance.expires_at}
        for written, entry in new
        if entry.issuance is not None
    ]
    if rows:
        connection.execute(insert(schema.issuances), rows)


def _note_uses(connection: Connection, appended: Sequence[Appended], now_ms: int) -> None:
    # Only that it was used counts, and roughly when: once for a batch, whatever its events.
    used = [packed for one in appended if one.record.kind == "event" and (packed := pack_jti(one.record.jti))]
    table = schema.issuances
    for at in range(0, len(used), _CHUNK):
        chosen = table.c.jti.in_(list(dict.fromkeys(used[at : at + _CHUNK])))
        connection.execute(update(table).where(chosen, table.c.used_at == 0).values(used_at=now_ms))


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
