"""Writing a settled batch: records, leaves, issuances and deliveries in one transaction. What to write was decided before.

Crash before the commit: nothing is written, and the streams deliver the batch again. After the commit, before the streams are
acknowledged: the batch comes again and writes nothing, for its records are known by (event key, hash) and only a record that is
new brings its issuance and its deliveries.
"""

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, insert, select

from wharfinger.ledger import schema
from wharfinger.ledger.database import Database
from wharfinger.ledger.log import append
from wharfinger.ledger.record import canonical_json
from wharfinger.ledger.values import DeliveryState, Entry, Settled, scopes_json
from wharfinger.wire.codec import decode
from wharfinger.wire.issuance import Credential, Issuance
from wharfinger.wire.names import Account, DeliveryId, Jti
from wharfinger.wire.scope import Scope


def commit(database: Database, entries: Sequence[Entry], *, now_ms: int) -> Settled:
    """Write a batch. Raises LedgerUnavailable when it is not written."""
    with database.writing() as connection:
        appended = append(connection, [(entry.record, entry.raw) for entry in entries])
        new = [(written.seq, entry) for written, entry in zip(appended, entries, strict=True) if written is not None]
        _write_issuances(connection, new)
        due = _write_deliveries(connection, new, now_ms)
    return Settled(len(new), len(entries) - len(new), due)


def find_issuances(database: Database, jtis: Iterable[Jti]) -> dict[Jti, Issuance]:
    """The issuances of some tokens, as far as the ledger knows them. Erased accounts read as empty."""
    table, people = schema.issuances, schema.personal
    query = select(table, people.c.account, people.c.client_addr, people.c.claimed_addr, people.c.user_agent).join(
        people, people.c.seq == table.c.seq
    )
    with database.reading() as connection:
        rows = connection.execute(query.where(table.c.jti.in_(list(jtis)))).all()
    return {Jti(row.jti): _issuance(row._mapping) for row in rows}  # noqa: SLF001 - SQLAlchemy's public name for a row as mapping


def _write_issuances(connection: Connection, new: Sequence[tuple[int, Entry]]) -> None:
    rows = [_issuance_row(seq, entry.issuance) for seq, entry in new if entry.issuance is not None]
    if rows:
        connection.execute(insert(schema.issuances), rows)


def _write_deliveries(connection: Connection, new: Sequence[tuple[int, Entry]], now_ms: int) -> tuple[DeliveryId, ...]:
    planned = [(seq, delivery) for seq, entry in new for delivery in entry.deliveries]
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


def _issuance_row(seq: int, issuance: Issuance) -> dict[str, object]:
    return {
        "jti": issuance.jti,
        "seq": seq,
        "credential_kind": issuance.credential.kind,
        "credential_id": issuance.credential.id,
        "authenticated_by": issuance.authenticated_by,
        "service": issuance.service,
        "asked": scopes_json(issuance.asked),
        "granted": scopes_json(issuance.granted),
        "rules": canonical_json(list(issuance.rules)).decode(),
        "policy": issuance.policy,
        "issued_at": issuance.issued_at,
        "not_before": issuance.not_before,
        "expires_at": issuance.expires_at,
    }


def _issuance(row: object) -> Issuance:
    values = dict(row)  # type: ignore[call-overload]  # a RowMapping, whose type SQLAlchemy does not export
    return Issuance(
        jti=Jti(values["jti"]),
        account=Account(values["account"]),
        credential=Credential(kind=values["credential_kind"], id=values["credential_id"]),
        authenticated_by=values["authenticated_by"],
        client_addr=values["client_addr"],
        claimed_addr=values["claimed_addr"],
        user_agent=values["user_agent"],
        service=values["service"],
        asked=decode(tuple[Scope, ...], values["asked"].encode()),
        granted=decode(tuple[Scope, ...], values["granted"].encode()),
        rules=decode(tuple[int | None, ...], values["rules"].encode()),
        policy=values["policy"],
        issued_at=values["issued_at"],
        not_before=values["not_before"],
        expires_at=values["expires_at"],
    )
