"""Checkpoints in the ledger: signing the log as it is committed, keeping what was signed, adding what witnesses say.

Crash before the commit: the checkpoint was signed and nobody has it; the next one is signed from what is committed then.
After: it is kept before anybody is shown it, so nothing we have shown is ever forgotten.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, Row, func, insert, select, update

from wharfinger.ledger import schema
from wharfinger.ledger.checkpoint import (
    RESTORE,
    Checkpoint,
    Head,
    Latest,
    Nothing,
    Refuse,
    Sign,
    SignedCheckpoint,
    next_step,
    parse_signed,
    recent,
    sign,
)
from wharfinger.ledger.database import Database
from wharfinger.ledger.log import Tree, read_tile, read_tree
from wharfinger.ledger.log_keys import LogKeys
from wharfinger.ledger.merkle import Frontier
from wharfinger.ledger.note import MalformedNote, Note, Signature, Signer, Verdict, VerifierKey, verify
from wharfinger.ledger.tiles import consistency, root

_C = schema.checkpoints.c
PAGE: Final = 500


@dataclass(frozen=True, slots=True)
class Stored:
    """A row: what its columns say, and its note as it stands there."""

    size: int
    root: bytes
    note: str
    made_at: int

    def signed(self) -> SignedCheckpoint:
        """The note, read. Raises MalformedNote: somebody changed it."""
        return parse_signed(self.note.encode())


def make_checkpoint(
    database: Database, keys: LogKeys, signer: Signer, *, now_ms: int, every_ms: int = 0
) -> SignedCheckpoint | Nothing | Refuse:
    """Sign the log and keep the checkpoint, if there is news.

    Args:
        database: the ledger.
        keys: whose checkpoints count.
        signer: the log's own.
        now_ms: milliseconds since the epoch.
        every_ms: not sooner than this after the newest one, whoever made it.

    Raises:
        LedgerUnavailable: nothing was kept.
    """
    with database.reading() as connection:
        # Most of the time there is no news: the sequencer's lock is left alone then.
        if isinstance(step := _step(connection, keys, read_tree(connection), now_ms, every_ms), Nothing | Refuse):
            return step
    with database.writing() as connection:
        tree = read_tree(connection, lock=True)
        step = _step(connection, keys, tree, now_ms, every_ms)
        if not isinstance(step, Sign):
            return step
        made = sign(Checkpoint(signer.verifier.name, tree.size, Frontier.from_bytes(tree.size, tree.frontier).root()), signer)
        row = {"size": tree.size, "root": made.checkpoint.root, "note": made.note.to_bytes().decode(), "made_at": now_ms}
        connection.execute(insert(schema.checkpoints).values(row))
    return made


def add_cosignature(database: Database, size: int, signature: Signature) -> None:
    """Keep what a witness said of a checkpoint; once, however often it says it.

    Crash before the commit: the witness is asked again, and says it again.
    """
    with database.writing() as connection:
        query = select(_C.note).where(_C.size == size).with_for_update()
        note = connection.execute(query).scalar_one()
        known = parse_signed(note.encode()).note.signatures
        if any((one.name, one.key_id) == (signature.name, signature.key_id) for one in known):
            return
        connection.execute(update(schema.checkpoints).where(_C.size == size).values(note=note + signature.line()))


def newest(connection: Connection) -> Stored | None:
    """The newest checkpoint."""
    row = connection.execute(select(schema.checkpoints).order_by(_C.size.desc()).limit(1)).one_or_none()
    return None if row is None else _stored(row)


def checkpoints_above(connection: Connection, size: int) -> list[Stored]:
    """A page of the checkpoints that are larger, smallest first."""
    query = select(schema.checkpoints).where(_C.size > size).order_by(_C.size).limit(PAGE)
    return [_stored(row) for row in connection.execute(query)]


def has_news(connection: Connection) -> bool:
    """Whether there are records that no checkpoint has."""
    size = read_tree(connection).size
    return size > (connection.execute(select(func.max(_C.size))).scalar() or 0)


def key_problem(connection: Connection, keys: LogKeys) -> str:
    """Why the log cannot go on being signed here; empty when it can. Without checkpoints it may begin with any key, or none."""
    stored = newest(connection)
    if stored is None:
        return ""
    origin, _, _ = stored.note.partition("\n")
    if keys.signer is None:
        return f"the key of the log {origin} is not there: {RESTORE}"
    try:
        signatures = stored.signed().note.signatures
    except MalformedNote:
        return ""  # changed, not another's: verifying tells, and signing is refused
    known = {(key.name, key.key_id) for key in keys.logs}
    if any((one.name, one.key_id) in known for one in signatures):
        return ""
    return f"the log {origin} was signed with another key than {keys.signer.verifier}: {RESTORE}"


def newest_covering(connection: Connection, seq: int, *, limit: int) -> list[Stored]:
    """The newest checkpoints of trees that have a record, newest first."""
    query = select(schema.checkpoints).where(_C.size > seq).order_by(_C.size.desc()).limit(limit)
    return [_stored(row) for row in connection.execute(query)]


def prove_consistency(connection: Connection, old: int, new: int) -> Sequence[bytes]:
    """The proof that the log of ``new`` records began as that of ``old``; none is needed from the empty one."""
    return consistency(lambda level, number: read_tile(connection, level, number), old, new) if old else []


def signed_by(note: Note, keys: Sequence[VerifierKey]) -> VerifierKey | None:
    """Which of the log's keys signed a checkpoint under its own name; None when none did, or one wrongly."""
    verdicts = {key: verify(note, key) for key in keys if note.text.startswith(f"{key.name}\n")}
    if Verdict.WRONG in verdicts.values():
        return None
    return next((key for key, verdict in verdicts.items() if verdict is Verdict.VALID), None)


def _step(connection: Connection, keys: LogKeys, tree: Tree, now_ms: int, every_ms: int) -> Sign | Nothing | Refuse:
    stored = newest(connection)
    if stored is not None and recent(stored.made_at, now_ms=now_ms, within_ms=every_ms):
        return Nothing()
    latest = None
    if stored is not None:
        try:
            signed = stored.signed()
        except MalformedNote as fault:
            problem = f"the checkpoint of {stored.size} records was changed: {fault}; run `wharfinger audit verify`"
            return Refuse(problem, about=f"changed/{stored.size}")
        signer = signed_by(signed.note, keys.logs)
        latest = Latest(signed.checkpoint, signer, _root(connection, signed.checkpoint.size))
    try:
        frontier = Frontier.from_bytes(tree.size, tree.frontier).root()
    except ValueError:
        frontier = None
    return next_step(Head(tree.size, frontier, _root(connection, tree.size)), latest)


def _root(connection: Connection, size: int) -> bytes | None:
    try:
        return root(lambda level, number: read_tile(connection, level, number), size)
    except ValueError:
        return None


def _stored(row: Row[Any]) -> Stored:
    return Stored(row.size, row.root, row.note, row.made_at)
