"""Which processes of each registry were heard, and where events may be missing: one that ends loses what it had not posted.

A new instance beside an old one may be one more replica or a restart; the record says what is known, and lets a person judge.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, insert, select, update

from wharfinger.ledger import schema
from wharfinger.ledger.log import Appended, append, read_tree
from wharfinger.ledger.record import AuditRecord, RecordKind, canonical_json
from wharfinger.ledger.words import Words

RESTARTED = "restarted"
SILENT = "silent"


@dataclass(frozen=True, slots=True)
class Instance:
    """One process of a registry: when it was heard first and last, milliseconds since the epoch by our clock."""

    source: str
    instance_id: str
    first_at: int
    last_at: int


def note(connection: Connection, words: Words, appended: Sequence[Appended], *, now_ms: int) -> None:
    """Remember who was heard in a batch, and write a gap for each process that is new where another was heard before."""
    heard = {(one.record.source, one.record.instance_id) for one in appended if one.record.instance_id}
    if not heard:
        return
    known = read(connection, words)
    by_key = {(one.source, one.instance_id): one for one in known}
    new = sorted(heard - by_key.keys())
    gaps = [gap for source, ident in new if (gap := _restarted(source, ident, known, now_ms)) is not None]
    numbers = words.numbers(
        connection,
        {(kind, text) for source, ident in heard for kind, text in (("source", source), ("instance_id", ident))},
        epoch=read_tree(connection).epoch,
    )
    table = schema.instances
    for source, ident in sorted(heard & by_key.keys()):
        mine = (table.c.source == numbers["source", source]) & (table.c.instance_id == numbers["instance_id", ident])
        connection.execute(update(table).where(mine).values(last_at=now_ms))
    if new:
        rows = [
            {
                "source": numbers["source", source],
                "instance_id": numbers["instance_id", ident],
                "first_at": now_ms,
                "last_at": now_ms,
            }
            for source, ident in new
        ]
        connection.execute(insert(table), rows)
    if gaps:
        append(connection, words, [(gap, b"") for gap in gaps])


def read(connection: Connection, words: Words) -> list[Instance]:
    """Every process that was ever heard."""
    rows = connection.execute(select(schema.instances)).all()
    texts = words.texts(
        connection, {number for row in rows for number in (row.source, row.instance_id)}, epoch=read_tree(connection).epoch
    )
    return [Instance(texts[row.source], texts[row.instance_id], row.first_at, row.last_at) for row in rows]


def silent(source: str, last_at: int, *, now_ms: int) -> AuditRecord:
    """The record of a registry that fell silent: the same for the same last event, so it is written once."""
    detail = {"why": SILENT, "last_heard": last_at}
    return AuditRecord(
        kind=RecordKind.GAP,
        recorded_at=now_ms,
        occurred_at=last_at,
        source=source,
        event_id=f"gap/{SILENT}/{last_at}",
        reason=SILENT,
        detail=canonical_json(detail).decode(),
    )


def _restarted(source: str, ident: str, known: Iterable[Instance], now_ms: int) -> AuditRecord | None:
    others = sorted((one for one in known if one.source == source), key=lambda one: one.last_at)
    if not others:
        return None
    detail = {"why": RESTARTED, "former": others[-1].instance_id, "last_heard": others[-1].last_at}
    return AuditRecord(
        kind=RecordKind.GAP,
        recorded_at=now_ms,
        occurred_at=others[-1].last_at,
        source=source,
        event_id=f"gap/{ident}",
        instance_id=ident,
        reason=RESTARTED,
        detail=canonical_json(detail).decode(),
    )
