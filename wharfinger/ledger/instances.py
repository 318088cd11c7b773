"""Which processes of each registry were heard, and where events may be missing: one that ends loses what it had not posted.

A new instance beside an old one may be one more replica or a restart; one that is not heard may have nothing to say. The record
says what is known, and lets a person judge. After which silence it is told is decided elsewhere.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from sqlalchemy import Connection, exists, insert, select, update

from wharfinger.ledger import schema
from wharfinger.ledger.log import Appended, append, read_tree
from wharfinger.ledger.packing import pack_id
from wharfinger.ledger.record import AuditRecord, RecordKind, canonical_json
from wharfinger.ledger.rows import row_key
from wharfinger.ledger.words import Words


class Gap(StrEnum):
    """Why a registry may have lost events."""

    RESTARTED = "restarted"
    """Another process of it was heard than before."""
    SILENT = "silent"
    """Nothing was heard for longer than its silences may last."""
    BACK = "back"
    """It is heard again after a silence that was told."""


SHORTEST_SILENCE_MS: Final = 60_000
"""No silence is told that was shorter (``MIN_SILENCE_S`` of the configuration), so nobody looks for one in steady traffic."""


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
    gaps += _ended_silences(connection, {source for source, _ in heard}, known, now_ms)
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


def last_heard(connection: Connection, words: Words) -> dict[str, int]:
    """When each registry that was ever heard was so last, whichever process of it."""
    return _latest(read(connection, words))


def tell_silence(connection: Connection, words: Words, source: str, last_at: int, *, now_ms: int) -> bool:
    """Write that a registry fell silent after an event; once, however often it is told, and not if it was heard meanwhile.

    Crash before the commit: the next look finds the same silence. After: it is told.

    Returns:
        whether it was written now.
    """
    # Under the sequencer's lock, as what is heard is noted: a silence is never told behind the event that ends it.
    read_tree(connection, lock=True)
    if last_heard(connection, words).get(source) != last_at:
        return False
    (written,) = append(connection, words, [(_silent(source, last_at, now_ms), b"")])
    return written is not None


def _silent(source: str, last_at: int, now_ms: int) -> AuditRecord:
    return AuditRecord(
        kind=RecordKind.GAP,
        recorded_at=now_ms,
        occurred_at=last_at,
        source=source,
        event_id=_silence_id(last_at),
        reason=Gap.SILENT.value,
        detail=canonical_json({"why": Gap.SILENT.value, "last_heard": last_at}).decode(),
    )


def _silence_id(last_at: int) -> str:
    # The same for the same last event, so it is written once.
    return f"gap/{Gap.SILENT}/{last_at}"


def _ended_silences(
    connection: Connection, heard: Iterable[str], known: Iterable[Instance], now_ms: int
) -> Iterable[AuditRecord]:
    latest = _latest(known)
    for source in sorted(heard):
        last_at = latest.get(source, now_ms)
        if now_ms - last_at >= SHORTEST_SILENCE_MS and _is_told(connection, source, last_at):
            yield AuditRecord(
                kind=RecordKind.GAP,
                recorded_at=now_ms,
                occurred_at=now_ms,
                source=source,
                event_id=f"gap/{Gap.BACK}/{last_at}",
                reason=Gap.BACK.value,
                detail=canonical_json({"why": Gap.BACK.value, "last_heard": last_at, "silent_ms": now_ms - last_at}).decode(),
            )


def _is_told(connection: Connection, source: str, last_at: int) -> bool:
    ident, records = _silence_id(last_at), schema.records.c
    told = exists().where(records.event_key == row_key(source, ident), records.event_id == pack_id(ident))
    return bool(connection.execute(select(told)).scalar())


def _latest(instances: Iterable[Instance]) -> dict[str, int]:
    latest: dict[str, int] = {}
    for one in instances:
        latest[one.source] = max(one.last_at, latest.get(one.source, one.last_at))
    return latest


def _restarted(source: str, ident: str, known: Iterable[Instance], now_ms: int) -> AuditRecord | None:
    others = sorted((one for one in known if one.source == source), key=lambda one: one.last_at)
    if not others:
        return None
    detail = {"why": Gap.RESTARTED.value, "former": others[-1].instance_id, "last_heard": others[-1].last_at}
    return AuditRecord(
        kind=RecordKind.GAP,
        recorded_at=now_ms,
        occurred_at=others[-1].last_at,
        source=source,
        event_id=f"gap/{ident}",
        instance_id=ident,
        reason=Gap.RESTARTED.value,
        detail=canonical_json(detail).decode(),
    )
