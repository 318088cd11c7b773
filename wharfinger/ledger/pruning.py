"""Removing old records by the rules of retention. The tree keeps their leaves; a record of the log tells which numbers went.

Each chunk is one transaction: rows, the numbers in ``pruned``, and the record that commits to them. Crash before its commit:
all is there; after: all of the chunk is gone and told of. A number that is missing and not so told of is tampering.
"""

import hashlib
import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from sqlalchemy import Connection, and_, delete, exists, func, select, text
from sqlalchemy.sql import ColumnElement

from wharfinger.ledger import schema
from wharfinger.ledger.bulk import bulk_insert
from wharfinger.ledger.codes import CODES
from wharfinger.ledger.database import Database
from wharfinger.ledger.log import append
from wharfinger.ledger.record import AuditRecord, RecordKind, canonical_json
from wharfinger.ledger.search import seq_at

CHUNK: Final = 2_000
_R = schema.records.c
_ENDED: Final = ("delivered", "unchanged", "superseded", "tag_missing", "refused", "undone", "failed", "cancelled")


class Kept(StrEnum):
    """What a rule of retention is about."""

    PUSHES = "pushes"
    """Events that changed a registry, with their deliveries."""
    PULLS = "pulls"
    TOKENS = "tokens"
    UNUSED_TOKENS = "unused_tokens"
    REFUSALS = "refusals"
    DELIVERIES = "deliveries"
    """The records of outcomes; the rows go with their push."""
    QUARANTINE = "quarantine"
    RAW = "raw"
    """Events as they came. Their records stay."""


Retention = Mapping[Kept, int]
"""How long each is kept, in milliseconds; what is not named is kept for ever."""


def retention_of(seconds: Mapping[str, float]) -> Retention:
    """Rules as the configuration has them."""
    return {Kept(name): int(age * 1_000) for name, age in seconds.items()}


@dataclass(frozen=True, slots=True)
class Pruned:
    """How much of each kind went, or would go."""

    counts: Mapping[Kept, int]


def plan(database: Database, retention: Retention, *, now_ms: int) -> Pruned:
    """What :func:`prune` would remove, without removing anything. Raises LedgerUnavailable."""
    counts = {}
    with database.reading() as connection:
        for kept, age_ms in retention.items():
            before = seq_at(connection, now_ms - age_ms)
            source = schema.raw_events if kept is Kept.RAW else schema.records
            query = select(func.count()).select_from(source).where(source.c.seq < before, *_CONDITIONS[kept])
            counts[kept] = connection.execute(query).scalar_one()
    return Pruned(counts)


def prune(
    database: Database,
    retention: Retention,
    *,
    now_ms: int,
    told: Callable[[Kept, int], None] = lambda _kept, _count: None,
    chunks: int | None = None,
) -> Pruned:
    """Remove what is older than the rules say.

    Args:
        database: the ledger.
        retention: the rules.
        now_ms: milliseconds since the epoch.
        told: is told how much of each kind went so far.
        chunks: of each kind at most; None: all there is.

    Raises:
        LedgerUnavailable: it did not answer; the same call goes on where it stopped.
    """
    counts = dict.fromkeys(retention, 0)
    for kept, age_ms in retention.items():
        for _ in itertools.count() if chunks is None else range(chunks):
            with database.writing() as connection:
                gone = _prune_chunk(connection, database, kept, now_ms - age_ms, now_ms)
            counts[kept] += gone
            told(kept, counts[kept])
            if gone < CHUNK:
                break
    return Pruned(counts)


def _prune_chunk(connection: Connection, database: Database, kept: Kept, before_ms: int, now_ms: int) -> int:
    before = seq_at(connection, before_ms)
    source = schema.raw_events if kept is Kept.RAW else schema.records
    query = select(source.c.seq).where(source.c.seq < before, *_CONDITIONS[kept]).order_by(source.c.seq).limit(CHUNK)
    seqs = list(connection.execute(query).scalars())
    if not seqs:
        return 0
    if kept is Kept.RAW:
        connection.execute(delete(schema.raw_events).where(schema.raw_events.c.seq.in_(seqs)))
        return len(seqs)
    detail = {"what": kept.value, "before": before_ms, "records": len(seqs), "sha256": numbers_hash(seqs)}
    record = AuditRecord(
        kind=RecordKind.PRUNING,
        recorded_at=now_ms,
        occurred_at=now_ms,
        event_id=f"pruning/{kept.value}/{seqs[0]}/{seqs[-1]}",
        event_sha=numbers_hash(seqs),
        detail=canonical_json(detail).decode(),
    )
    (written,) = append(connection, database.words, [(record, b"")])
    assert written is not None  # noqa: S101 - these numbers were never pruned before
    _remove(connection, seqs)
    bulk_insert(connection, schema.pruned, [(seq, written.seq) for seq in seqs])
    return len(seqs)


def numbers_hash(seqs: Sequence[int]) -> str:
    """What a pruning record commits to: SHA-256 of the removed numbers, ascending, eight bytes each, in hex."""
    return hashlib.sha256(b"".join(seq.to_bytes(8) for seq in seqs)).hexdigest()


_PENDING: Final = exists().where(schema.deliveries.c.seq == _R.seq, schema.deliveries.c.state.not_in(_ENDED))
_UNUSED: Final = exists().where(schema.issuances.c.seq == _R.seq, schema.issuances.c.used_at == 0)


def _of_kind(kind: RecordKind) -> ColumnElement[bool]:
    # A partial index is only found by its own condition, to the letter.
    return and_(_R.kind == CODES[kind], text(schema.NOT_EVENT))


_CONDITIONS: Final[Mapping[Kept, tuple[ColumnElement[bool], ...]]] = {
    Kept.PUSHES: (_R.kind == CODES["event"], and_(text(schema.NOT_READ)), ~_PENDING),
    Kept.PULLS: (_R.kind == CODES["event"], _R.action.in_([CODES["pull"], CODES["probe"]])),
    Kept.TOKENS: (_of_kind(RecordKind.ISSUANCE),),
    Kept.UNUSED_TOKENS: (_of_kind(RecordKind.ISSUANCE), _UNUSED),
    Kept.REFUSALS: (_of_kind(RecordKind.REFUSAL),),
    Kept.DELIVERIES: (_of_kind(RecordKind.DELIVERY),),
    Kept.QUARANTINE: (_of_kind(RecordKind.QUARANTINE),),
    Kept.RAW: (),
}


def _remove(connection: Connection, seqs: Sequence[int]) -> None:
    for at in range(0, len(seqs), 500):
        chunk = seqs[at : at + 500]
        deliveries = select(schema.deliveries.c.id).where(schema.deliveries.c.seq.in_(chunk))
        for beside in (schema.attempts, schema.votes):
            connection.execute(delete(beside).where(beside.c.delivery.in_(deliveries)))
        for table in (schema.deliveries, schema.issuances, schema.raw_events, schema.erased, schema.records):
            connection.execute(delete(table).where(table.c.seq.in_(chunk)))
