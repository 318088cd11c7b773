"""Which processes of each registry were heard, and where events may be missing: one that ends loses what it had not posted.

A new instance beside an old one may be one more replica or a restart; one that is not heard may have nothing to say. The record
says what is known, and lets a person judge. After which silence it is told is decided elsewhere.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from sqlalchemy import Connection, exists, func, select

from wharfinger.ledger import schema
from wharfinger.ledger.bulk import bulk_replace, rows_in, run
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

_Key = tuple[int, int]
"""The words of a source and of a process."""


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
    sources = {source: numbers["source", source] for source in sorted({source for source, _ in heard})}
    known = {key: first_at for number in sources.values() for key, first_at in _known(connection, number, keys)}
    new = [key for key in keys if key not in known]
    formers = {source: _former(connection, words, source, number, epoch) for source, number in sources.items()}
    bulk_replace(connection, schema.instances, [(*key, known.get(key, now_ms), now_ms) for key in keys])
    gaps = [_restarted(ident, former, now_ms) for source, ident in map(keys.__getitem__, new) if (former := formers[source])]
    gaps += _ended_silences(connection, [former for former in formers.values() if former], now_ms)
    if gaps:
        append(connection, words, [(gap, b"") for gap in gaps])


def last_heard(connection: Connection, words: Words) -> dict[str, int]:
    """When each registry that was ever heard was so last, whichever process of it."""
    table = schema.instances.c
    rows = connection.execute(select(table.source, func.max(table.last_at).label("last_at")).group_by(table.source)).all()
    texts = words.texts(connection, {row.source for row in rows}, epoch=read_tree(connection).epoch)
    return {texts[row.source]: row.last_at for row in rows}


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


def _known(connection: Connection, source: int, keys: Iterable[_Key]) -> Iterator[tuple[_Key, int]]:
    """The processes of a source that were heard before, and when first."""
    idents = [ident for one, ident in keys if one == source]
    rows = rows_in(
        connection, "SELECT instance_id, first_at FROM instances WHERE source = ? AND instance_id IN", idents, first=[source]
    )
    yield from (((source, row.instance_id), row.first_at) for row in rows)


def _former(connection: Connection, words: Words, source: str, number: int, epoch: int) -> Instance | None:
    """The process of a source that was heard last."""
    latest = "SELECT * FROM instances WHERE source = ? ORDER BY last_at DESC, instance_id DESC LIMIT 1"
    row = run(connection, latest, [number]).first()
    if row is None:
        return None
    texts = words.texts(connection, [row.instance_id], epoch=epoch)
    return Instance(source, texts[row.instance_id], row.first_at, row.last_at)


def _silence_id(last_at: int) -> str:
    # The same for the same last event, so it is written once.
    return f"gap/{Gap.SILENT}/{last_at}"


def _ended_silences(connection: Connection, formers: Iterable[Instance], now_ms: int) -> Iterator[AuditRecord]:
    for former in formers:
        if now_ms - former.last_at >= SHORTEST_SILENCE_MS and _is_told(connection, former.source, former.last_at):
            ended = {"why": Gap.BACK.value, "last_heard": former.last_at, "silent_ms": now_ms - former.last_at}
            yield AuditRecord(
                kind=RecordKind.GAP,
                recorded_at=now_ms,
                occurred_at=now_ms,
                source=former.source,
                event_id=f"gap/{Gap.BACK}/{former.last_at}",
                reason=Gap.BACK.value,
                detail=canonical_json(ended).decode(),
            )


def _is_told(connection: Connection, source: str, last_at: int) -> bool:
    ident, records = _silence_id(last_at), schema.records.c
    told = exists().where(records.event_key == row_key(source, ident), records.event_id == pack_id(ident))
    return bool(connection.execute(select(told)).scalar())


def _restarted(ident: str, former: Instance, now_ms: int) -> AuditRecord:
    detail = {"why": Gap.RESTARTED.value, "former": former.instance_id, "last_heard": former.last_at}
    return AuditRecord(
        kind=RecordKind.GAP,
        recorded_at=now_ms,
        occurred_at=former.last_at,
        source=former.source,
        event_id=f"gap/{ident}",
        instance_id=ident,
        reason=Gap.RESTARTED.value,
        detail=canonical_json(detail).decode(),
    )
