"""Writing a settled batch: records, leaves, issuances and deliveries in one transaction. What to write was decided before.

Crash before the commit: nothing is written, and the streams deliver the batch again. After the commit, before the streams are
acknowledged: the batch comes again and writes nothing, for its records are known by (event key, hash) and only a record that is
new brings its issuance and its deliveries.
"""

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, insert, select, update

from wharfinger.ledger import instances, schema
from wharfinger.ledger.database import Database
from wharfinger.ledger.issued import from_record
from wharfinger.ledger.log import Appended, append
from wharfinger.ledger.packing import pack_jti
from wharfinger.ledger.reading import read_records
from wharfinger.ledger.values import DeliveryState, Entry, Settled
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
        due = _write_deliveries(connection, new, now_ms)
    return Settled(len(new), len(entries) - len(new), due)


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


def _write_deliveries(connection: Connection, new: Sequence[tuple[Appended, Entry]], now_ms: int) -> tuple[DeliveryId, ...]:
    planned = [(written.seq, delivery) for written, entry in new for delivery in entry.deliveries]
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
                "due_at": now_ms,
            }
            for seq, delivery in planned
        ]
        connection.execute(insert(schema.deliveries), rows)
    return tuple(delivery.id for _, delivery in planned if delivery.state is DeliveryState.WAITING)
