"""Which processes of each registry were heard, and where events may be missing: one that ends loses what it had not posted.

A new instance beside an old one may be one more replica or a restart; the record says what is known, and lets a person judge.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, insert, select, tuple_, update
from sqlalchemy.sql import ColumnElement

from wharfinger.ledger import schema
from wharfinger.ledger.log import Appended, append, read_tree
from wharfinger.ledger.record import AuditRecord, RecordKind, canonical_json
from wharfinger.ledger.words import Words

RESTARTED = "restarted"
SILENT = "silent"
_CHUNK: Final = 500


@dataclass(frozen=True, slots=True)
class Instance:
    """One process of a registry: when it was heard first and last, milliseconds since the epoch by our clock."""

    source: str
    instance_id: str
    first_at: int
    last_at: int


def note(connection: Connection, words: Words, appended: Sequence[Appended], *, now_ms: int) -> None:
    """Remember who was heard in a batch, and write a gap for each process that is new where another was heard before.

    Looks at those that were heard and at one former of each source: whoever may post can name any number of processes.
    """
    heard = {(one.record.source, one.record.instance_id) for one in appended if one.record.instance_id}
    if not heard:
        return
    epoch = read_tree(connection).epoch
    named = {(kind, text) for pair in heard for kind, text in zip(("source", "instance_id"), pair, strict=True)}
    numbers = words.numbers(connection, named, epoch=epoch)
    keys = {(numbers["source", source], numbers["instance_id", ident]): (source, ident) for source, ident in sorted(heard)}
    known = _known(connection, list(keys))
    new = [key for key in keys if key not in known]
    sources = {keys[key][0]: key[0] for key in new}
    formers = {source: _former(connection, words, source, number, epoch) for source, number in sources.items()}
    table = schema.instances
    for at in range(0, len(known), _CHUNK):
        chosen = _among(sorted(known)[at : at + _CHUNK])
        connection.execute(update(table).where(chosen).values(last_at=now_ms))
    if new:
        rows = [{"source": source, "instance_id": ident, "first_at": now_ms, "last_at": now_ms} for source, ident in new]
        connection.execute(insert(table), rows)
    gaps = [_restarted(ident, former, now_ms) for source, ident in map(keys.__getitem__, new) if (former := formers[source])]
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


def _among(keys: Sequence[tuple[int, int]]) -> ColumnElement[bool]:
    return tuple_(schema.instances.c.source, schema.instances.c.instance_id).in_(keys)


def _known(connection: Connection, keys: Sequence[tuple[int, int]]) -> set[tuple[int, int]]:
    table = schema.instances.c
    found: set[tuple[int, int]] = set()
    for at in range(0, len(keys), _CHUNK):
        query = select(table.source, table.instance_id).where(_among(keys[at : at + _CHUNK]))
        found |= {(row.source, row.instance_id) for row in connection.execute(query)}
    return found


def _former(connection: Connection, words: Words, source: str, number: int, epoch: int) -> Instance | None:
    """The process of a source that was heard last."""
    table = schema.instances
    query = select(table).where(table.c.source == number).order_by(table.c.last_at.desc(), table.c.instance_id.desc()).limit(1)
    row = connection.execute(query).first()
    if row is None:
        return None
    texts = words.texts(connection, [row.instance_id], epoch=epoch)
    return Instance(source, texts[row.instance_id], row.first_at, row.last_at)


def _restarted(ident: str, former: Instance, now_ms: int) -> AuditRecord:
    detail = {"why": RESTARTED, "former": former.instance_id, "last_heard": former.last_at}
    return AuditRecord(
        kind=RecordKind.GAP,
        recorded_at=now_ms,
        occurred_at=former.last_at,
        source=former.source,
        event_id=f"gap/{ident}",
        instance_id=ident,
        reason=RESTARTED,
        detail=canonical_json(detail).decode(),
    )
