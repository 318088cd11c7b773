"""The sequencer: gives records their numbers, hashes them into the log, and writes both. Runs inside its caller's transaction.

Crash before the commit: nothing of the batch exists, and its stream entries are settled again. After: all of it exists once,
for a record that is already there is left out by its (event key, hash).
"""

import secrets
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Final

from sqlalchemy import Connection, insert, select, update

from wharfinger.ledger import schema
from wharfinger.ledger.merkle import Frontier, leaf_hash
from wharfinger.ledger.record import PUBLIC_FIELDS, SECRET_BYTES, AuditRecord, canonical, commitments, event_key

ID_REUSED: Final = "id_reused"
"""Flag: the same event id came with another body, by a clash or by somebody's hand."""


@dataclass(frozen=True, slots=True)
class Appended:
    """A record as it stands in the log, with its number."""

    seq: int
    record: AuditRecord


def append(connection: Connection, records: Sequence[tuple[AuditRecord, bytes]]) -> list[Appended | None]:
    """Write records at the log's end.

    Args:
        connection: inside a writing transaction.
        records: each with its raw event, compressed; empty when not kept.

    Returns:
        for each record where it stands now, or None when the log had it already.
    """
    size, frontier = connection.execute(select(schema.tree.c.size, schema.tree.c.frontier)).one()
    tree = Frontier.from_bytes(size, frontier)
    known = _known(connection, [record for record, _ in records])
    keys = {key for key, _ in known}
    appended: list[Appended | None] = []
    rows: list[dict[str, object]] = []
    people: list[dict[str, object]] = []
    raws: list[dict[str, object]] = []
    hashes: list[bytes] = []
    for record, raw in records:
        identity = (event_key(record.source, record.event_id), record.event_sha)
        if identity in known:
            appended.append(None)
            continue
        written = _flagged(record) if identity[0] in keys else record
        known.add(identity)
        keys.add(identity[0])
        seq = size + len(rows)
        secret = secrets.token_bytes(SECRET_BYTES)
        rows.append({name: getattr(written, name) for name in PUBLIC_FIELDS} | {"seq": seq, "event_key": identity[0]})
        people.append(asdict(written.personal) | {"seq": seq, "secret": secret})
        hashes.append(leaf_hash(canonical(written, seq=seq, committed=commitments(written, secret))))
        if raw:
            raws.append({"seq": seq, "body": raw})
        appended.append(Appended(seq, written))
    if rows:
        _insert(connection, rows, people, raws)
        connection.execute(insert(schema.leaves), [{"idx": size + at, "hash": leaf} for at, leaf in enumerate(hashes)])
        grown = tree.append(hashes)
        connection.execute(update(schema.tree).values(size=grown.size, frontier=grown.to_bytes()))
    return appended


def _flagged(record: AuditRecord) -> AuditRecord:
    return replace(record, flags=" ".join(sorted({*record.flags.split(), ID_REUSED})))


def _insert(
    connection: Connection, rows: list[dict[str, object]], people: list[dict[str, object]], raws: list[dict[str, object]]
) -> None:
    connection.execute(insert(schema.records), rows)
    connection.execute(insert(schema.personal), people)
    if raws:
        connection.execute(insert(schema.raw_events), raws)


def _known(connection: Connection, records: Sequence[AuditRecord]) -> set[tuple[bytes, str]]:
    keys = {event_key(record.source, record.event_id) for record in records}
    table = schema.records.c
    found = connection.execute(select(table.event_key, table.event_sha).where(table.event_key.in_(keys)))
    return {(row.event_key, row.event_sha) for row in found}
