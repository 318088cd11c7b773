"""The sequencer: gives records their numbers, hashes them into the log, and writes both. Runs inside its caller's transaction.

Crash before the commit: nothing of the batch exists, and its stream entries are settled again. After: all of it exists once,
for a record that is already there is left out by its source, event id and hash.
"""

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from sqlalchemy import Connection

from wharfinger.ledger import schema
from wharfinger.ledger.bulk import bulk_insert, bulk_replace, rows_in, rows_of, run
from wharfinger.ledger.merkle import Frontier, leaf_hash
from wharfinger.ledger.packing import pack_digest, pack_hash, unpack_digest
from wharfinger.ledger.record import SECRET_BYTES, AuditRecord, RecordKind, canonical, commitments
from wharfinger.ledger.rows import identity_key, to_row, words_of
from wharfinger.ledger.tiles import extend
from wharfinger.ledger.words import Words

ID_REUSED: Final = "id_reused"
"""Flag: the same event id came with another body, by a clash or by somebody's hand."""
_READ_TREE: Final = "SELECT size, frontier, recorded_at, epoch FROM tree"
_LOCK_TREE: Final = f"{_READ_TREE} FOR UPDATE"
_TAGS: Final = (
    "SELECT tags.source, tags.repository, tags.tag, tags.digest FROM wanted JOIN tags"
    " ON tags.repository = wanted.repository AND tags.tag = wanted.tag AND tags.source = wanted.source"
)

Place = tuple[str, str, str]
"""Source, repository and tag."""


@dataclass(frozen=True, slots=True)
class Appended:
    """A record as it stands in the log, with its number."""

    seq: int
    record: AuditRecord


@dataclass(frozen=True, slots=True)
class Tree:
    """The sequencer's row."""

    size: int
    frontier: bytes
    recorded_at: int
    epoch: int


def read_tree(connection: Connection, *, lock: bool = False) -> Tree:
    """The log as it is. ``lock``: for appending; others wait (SQLite's one writer holds its lock already)."""
    row = run(connection, _LOCK_TREE if lock and connection.dialect.name != "sqlite" else _READ_TREE).one()
    return Tree(row.size, row.frontier, row.recorded_at, row.epoch)


def append(connection: Connection, words: Words, records: Sequence[tuple[AuditRecord, bytes]]) -> list[Appended | None]:
    """Write records at the log's end.

    Args:
        connection: inside a writing transaction.
        words: the process's dictionary.
        records: each with its raw event, compressed; empty when not kept.

    Returns:
        for each record where it stands now, or None when the log had it already.
    """
    if not records:
        return []
    tree = read_tree(connection, lock=True)
    keys = [identity_key(record) for record, _ in records]
    known = _Known(connection, keys)
    tags = _Tags(connection, words, [record for record, _ in records], tree.epoch)
    appended: list[Appended | None] = []
    seq = tree.size
    for (record, _), key in zip(records, keys, strict=True):
        marked = known.mark(record, key)
        if marked is None:
            appended.append(None)
            continue
        recorded_at = max(marked.recorded_at, tree.recorded_at)
        written = tags.remember(replace(marked, recorded_at=recorded_at) if recorded_at != marked.recorded_at else marked)
        appended.append(Appended(seq, written))
        seq += 1
    _write(connection, words, tree, [one for one in appended if one is not None], {
        one.seq: raw for one, (_, raw) in zip(appended, records, strict=True) if one is not None and raw
    })  # fmt: skip
    tags.write(connection, [one for one in appended if one is not None])
    return appended


def _write(connection: Connection, words: Words, tree: Tree, appended: Sequence[Appended], raws: dict[int, bytes]) -> None:
    if not appended:
        return
    wanted = {word for one in appended for word in words_of(one.record)}
    numbers = words.numbers(connection, wanted, epoch=tree.epoch)
    rows: list[tuple[object, ...]] = []
    hashes: list[bytes] = []
    drawn = secrets.token_bytes(SECRET_BYTES * len(appended))
    for at, one in enumerate(appended):
        secret = drawn[at * SECRET_BYTES : (at + 1) * SECRET_BYTES]
        rows.append(to_row(one.record, seq=one.seq, secret=secret, numbers=numbers))
        hashes.append(leaf_hash(canonical(one.record, seq=one.seq, committed=commitments(one.record, secret))))
    bulk_insert(connection, schema.records, rows)
    bulk_insert(connection, schema.raw_events, list(raws.items()))
    _grow(connection, tree, hashes, appended[-1].record.recorded_at)


def _grow(connection: Connection, tree: Tree, hashes: Sequence[bytes], recorded_at: int) -> None:
    changed = extend(lambda level, number: read_tile(connection, level, number), tree.size, hashes)
    bulk_replace(connection, schema.tiles, [(level, number, held) for (level, number), held in changed.items()])
    grown = Frontier.from_bytes(tree.size, tree.frontier).append(hashes)
    run(connection, "UPDATE tree SET size = ?, frontier = ?, recorded_at = ?", (grown.size, grown.to_bytes(), recorded_at))


def read_tile(connection: Connection, level: int, number: int) -> bytes:
    """The hashes of a tile; empty when it is not there."""
    found = run(connection, "SELECT hashes FROM tiles WHERE level = ? AND number = ?", (level, number)).scalar()
    return found or b""


class _Known:
    """Which of a batch's records the log has already, and which ids it has with another body."""

    def __init__(self, connection: Connection, keys: Sequence[bytes]) -> None:
        self._bodies: dict[bytes, set[bytes | None]] = {}
        for row in rows_in(connection, "SELECT event_key, event_sha FROM records WHERE event_key IN", list(set(keys))):
            self._bodies.setdefault(row.event_key, set()).add(row.event_sha)

    def mark(self, record: AuditRecord, key: bytes) -> AuditRecord | None:
        """The record, flagged when its id is known with another body; None when it is known itself."""
        bodies = self._bodies.setdefault(key, set())
        body = pack_hash(record.event_sha)
        # An erased record has no hash any more: whatever comes again under its id is taken for it.
        if body in bodies or None in bodies:
            return None
        reused = bool(bodies)
        bodies.add(body)
        return replace(record, flags=" ".join(sorted({*record.flags.split(), ID_REUSED}))) if reused else record


class _Tags:
    """What each tag of a batch was before, and is after it."""

    def __init__(self, connection: Connection, words: Words, records: Sequence[AuditRecord], epoch: int) -> None:
        self._words, self._epoch = words, epoch
        self._now: dict[Place, str] = {}
        self._changed: dict[Place, tuple[str, int]] = {}
        wanted = {_place(record) for record in records if _moves_tag(record)}
        if not wanted:
            return
        named = {("source", source) for source, _, _ in wanted} | {("repository", repository) for _, repository, _ in wanted}
        self._numbers = words.numbers(connection, named, epoch=epoch)
        by_number = {self._key(place): place for place in wanted}
        for row in rows_of(connection, _TAGS, ("repository", "tag", "source"), list(by_number)):
            self._now[by_number[row.repository, row.tag, row.source]] = unpack_digest(row.digest)

    def remember(self, record: AuditRecord) -> AuditRecord:
        """The record with what its tag was before; from then on the tag is what the record says."""
        if not _moves_tag(record):
            return record
        place = _place(record)
        previous = self._now.get(place, "")
        self._now[place] = record.digest
        return replace(record, previous_digest=previous) if previous else record

    def write(self, connection: Connection, appended: Iterable[Appended]) -> None:
        """Keep what the tags are now."""
        latest = {_place(one.record): one.seq for one in appended if _moves_tag(one.record)}
        bulk_replace(connection, schema.tags, [self._row(place, seq) for place, seq in latest.items()])

    def _row(self, place: Place, seq: int) -> tuple[object, ...]:
        repository, tag, source = self._key(place)
        return source, repository, tag, pack_digest(self._now[place]), seq

    def _key(self, place: Place) -> tuple[int, str, int]:
        source, repository, tag = place
        return self._numbers["repository", repository], tag, self._numbers["source", source]


def _place(record: AuditRecord) -> Place:
    return record.source, record.repository, record.tag


def _moves_tag(record: AuditRecord) -> bool:
    return record.kind is RecordKind.EVENT and bool(record.tag) and record.action in {"push", "untag"}
