"""Erasing what the ledger knows of a person, while every proof still holds: values and salts go, what they committed to stays.

Runs in small transactions, so that settling goes on between them. Crash between two: some records are erased and some not; the
same call again goes on, for an erased record is not found by its account any more. The last transaction writes the record that
tells of it, and removes the words nobody names; a crash before it leaves words that the next call removes.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, delete, exists, or_, select, text, update

from wharfinger.ledger import schema
from wharfinger.ledger.bulk import bulk_insert
from wharfinger.ledger.codes import CODES
from wharfinger.ledger.database import Database
from wharfinger.ledger.log import append
from wharfinger.ledger.packing import pack_commitments
from wharfinger.ledger.raw import unpack_raw
from wharfinger.ledger.reading import Stored, read_records
from wharfinger.ledger.record import OF_NOBODY, PERSONAL_FIELDS, AuditRecord, RecordKind, canonical_json, commitments
from wharfinger.ledger.words import Words

CHUNK: Final = 500
_R = schema.records.c


_OF_NOBODY: Final = [CODES[kind] for kind in OF_NOBODY]


@dataclass(frozen=True, slots=True)
class Erased:
    """What was erased: records, token ids among them (so that Redis forgets them too), and the number of the record of it."""

    records: int
    jtis: tuple[str, ...]
    seq: int | None


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
    count, jtis = 0, []
    for find in (_of_account, _quarantined):
        after = -1
        while True:
            with database.writing() as connection:
                found = find(connection, database.words, account, after)
                _erase(connection, found)
            if not found:
                break
            after = found[-1].seq
            count += len(found)
            jtis += [one.record.jti for one in found if one.record.jti]
            told(count)
    seq = None
    with database.writing() as connection:
        if count:
            record = AuditRecord(
                kind=RecordKind.ERASURE,
                recorded_at=now_ms,
                occurred_at=now_ms,
                event_id=f"erasure/{now_ms}/{count}",
                detail=canonical_json({"records": count}).decode(),
            )
            (written,) = append(connection, database.words, [(record, b"")])
            seq = None if written is None else written.seq
        _forget_words(connection, account)
    _scrub(database)
    return Erased(count, tuple(dict.fromkeys(jtis)), seq)


def _of_account(connection: Connection, words: Words, account: str, after: int) -> list[Stored]:
    number = 0 if not account else words.existing(connection, "account", [account]).get(account)
    if number is None:
        return []
    query = (
        select(_R.seq)
        .where(_R.account == number, _R.seq > after, _R.secret.is_not(None), _R.kind.not_in(_OF_NOBODY))
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
