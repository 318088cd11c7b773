"""Erasing what the ledger knows of a person, while every proof still holds: values and salts go, what they committed to stays.

Runs in small transactions, so that settling goes on between them. Each erases some records and writes the record of the log
that tells exactly which: so at no time is one erased that the log does not tell of, which would be tampering. Crash between
two: some are erased and told of, the others neither; the same call again goes on, for an erased record is not found by its
account any more. The last transaction removes the words nobody names; a crash before it leaves words for the next call.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from sqlalchemy import Connection, and_, delete, exists, or_, select, text, update

from wharfinger.ledger import schema
from wharfinger.ledger.bulk import bulk_insert
from wharfinger.ledger.codes import CODES
from wharfinger.ledger.database import Database
from wharfinger.ledger.log import append
from wharfinger.ledger.packing import pack_commitments
from wharfinger.ledger.raw import unpack_raw
from wharfinger.ledger.reading import Stored, read_records
from wharfinger.ledger.record import OF_NOBODY, PERSONAL_FIELDS, AuditRecord, RecordKind, canonical_json, commitments
from wharfinger.ledger.rows import identity_key
from wharfinger.ledger.words import Words

CHUNK: Final = 500
_R = schema.records.c


_OF_NOBODY: Final = [CODES[kind] for kind in OF_NOBODY]


@dataclass(frozen=True, slots=True)
class Erased:
    """What was erased: records, token ids among them (so that Redis forgets them too). ``told_by``: what tells of it."""

    records: int
    jtis: tuple[str, ...]
    told_by: tuple[int, ...]


def knows(database: Database, account: str) -> bool:
    """Whether there is anything to erase of an account. Raises LedgerUnavailable."""
    with database.reading() as connection:
        return any(find(connection, database.words, account, -1) for find in (_of_account, _quarantined))


def erase_account(
    database: Database, account: str, *, now_ms: int, told: Callable[[int], None] = lambda _count: None
) -> Erased:
    """Erase every personal value that stands beside an account, and raw events that tell of it.

    Args:
        database: the ledger.
        account: its name; empty for the anonymous one.
        now_ms: milliseconds since the epoch.
        told: is told how many records are erased so far.

    Raises:
        LedgerUnavailable: it did not answer; what was erased is erased, the rest by the next call.
    """
    count, jtis, told_by = 0, list[str](), list[int]()
    for find in (_of_account, _quarantined):
        after = -1
        while True:
            with database.writing() as connection:
                found = find(connection, database.words, account, after)
                if found:
                    told_by.append(erase_records(connection, database.words, found, now_ms=now_ms))
            if not found:
                break
            after = found[-1].seq
            count += len(found)
            jtis += [one.record.jti for one in found if one.record.jti]
            told(count)
    with database.writing() as connection:
        _forget_words(connection, account)
    _scrub(database)
    return Erased(count, tuple(dict.fromkeys(jtis)), tuple(told_by))


def erase_records(connection: Connection, words: Words, found: Sequence[Stored], *, now_ms: int) -> int:
    """Erase the personal values of some records, and write the record that tells which; its number. In one transaction."""
    _erase(connection, found)
    seqs = sorted(one.seq for one in found)
    record = AuditRecord(
        kind=RecordKind.ERASURE,
        recorded_at=now_ms,
        occurred_at=now_ms,
        # None of them is ever erased again: no other erasure begins with the same.
        event_id=f"erasure/{seqs[0]}/{seqs[-1]}",
        detail=canonical_json({"records": len(seqs), "numbers": numbers_text(seqs)}).decode(),
    )
    (written,) = append(connection, words, [(record, b"")])
    assert written is not None  # noqa: S101 - these numbers were never erased before
    return written.seq


def numbers_text(seqs: Iterable[int]) -> str:
    """Which records, for the record that tells of them: ascending numbers as runs, ``3-5,9``."""
    runs: list[list[int]] = []
    for seq in seqs:
        if runs and seq == runs[-1][1] + 1:
            runs[-1][1] = seq
        else:
            runs.append([seq, seq])
    return ",".join(f"{first}-{last}" if last > first else str(first) for first, last in runs)


def told_numbers(record: AuditRecord) -> Iterator[range]:
    """Which records an erasure tells of, as runs. Raises ValueError: it is none of ours, or of a newer version."""
    try:
        text = json.loads(record.detail)["numbers"]
        for run in text.split(","):
            first, _, last = run.partition("-")
            yield range(int(first), int(last or first) + 1)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError("an erasure that does not tell which records") from error


def _of_account(connection: Connection, words: Words, account: str, after: int) -> list[Stored]:
    number = 0 if not account else words.existing(connection, "account", [account]).get(account)
    if number is None:
        return []
    # Nor is an alarm about the trail itself, which is of no registry.
    about_the_trail = and_(_R.kind == CODES[RecordKind.ALARM], _R.source == 0)
    query = (
        select(_R.seq)
        .where(_R.account == number, _R.seq > after, _R.secret.is_not(None), _R.kind.not_in(_OF_NOBODY), ~about_the_trail)
        .order_by(_R.seq)
        .limit(CHUNK)
    )
    return read_records(connection, words, connection.execute(query).scalars())


def _quarantined(connection: Connection, words: Words, account: str, after: int) -> list[Stored]:
    """What could not be read names nobody in a column; its text may."""
    if not account:
        return []
    mentioned = [account.encode(), json.dumps(account)[1:-1].encode()]
    raw = schema.raw_events.c
    query = (
        select(_R.seq, raw.body)
        .join(schema.raw_events, raw.seq == _R.seq)
        .where(_R.kind == CODES[RecordKind.QUARANTINE], text(schema.NOT_EVENT), _R.seq > after)
        .order_by(_R.seq)
    )
    seqs = [row.seq for row in connection.execute(query) if any(one in _text(row.body) for one in mentioned)]
    return read_records(connection, words, seqs[:CHUNK])


def _text(body: bytes) -> bytes:
    try:
        return unpack_raw(body)
    except ValueError:
        return b""


def _erase(connection: Connection, found: Sequence[Stored]) -> None:
    seqs = [one.seq for one in found]
    rows: list[tuple[object, ...]] = []
    for one in found:
        committed = commitments(one.record, one.secret or b"")
        rows.append((one.seq, pack_commitments(committed, PERSONAL_FIELDS)))
    bulk_insert(connection, schema.erased, rows)
    for one in found:
        if not one.record.event_id and one.record.event_sha:
            # Looked for by the hash of what came, which would let a guess at it be tried.
            key = identity_key(replace(one.record, event_sha=""))
            connection.execute(update(schema.records).where(_R.seq == one.seq).values(event_key=key))
    for at in range(0, len(seqs), CHUNK):
        chunk = seqs[at : at + CHUNK]
        connection.execute(
            update(schema.records)
            .where(_R.seq.in_(chunk))
            .values(secret=None, account=0, actor="", client_addr=0, claimed_addr=0, user_agent=0, event_sha=None)
        )
        connection.execute(delete(schema.raw_events).where(schema.raw_events.c.seq.in_(chunk)))


def _forget_words(connection: Connection, account: str) -> None:
    """Remove the account's word, and addresses and agents that no record names; other processes' memories with them."""
    word = schema.words.c
    kinds = {name: number for number, name in enumerate(schema.WORD_KINDS, start=1)}
    named = exists().where(or_(_R.client_addr == word.id, _R.claimed_addr == word.id))
    agents = exists().where(_R.user_agent == word.id)
    gone = [
        delete(schema.words).where(word.kind == kinds["account"], word.text == account),
        delete(schema.words).where(word.kind == kinds["client_addr"], ~named),
        delete(schema.words).where(word.kind == kinds["user_agent"], ~agents),
    ]
    for statement in gone:
        connection.execute(statement)
    connection.execute(update(schema.tree).values(epoch=schema.tree.c.epoch + 1))


def _scrub(database: Database) -> None:
    """Take the old values off the disk too: out of the write-ahead log, or out of dead rows."""
    database.maintain(
        sqlite=("PRAGMA wal_checkpoint(TRUNCATE)",), postgresql=("VACUUM records", "VACUUM raw_events", "VACUUM words")
    )
