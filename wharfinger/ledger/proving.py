"""Receipts made from the ledger: which record a reference names, and the proof that it is in the log. Writes nothing.

What is handed out was verified before: a row that does not give its leaf, or a leaf that does not lead to the signed root, is
given no receipt but the reason.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, Select, select
from sqlalchemy.sql import ColumnElement

from wharfinger.ledger import schema
from wharfinger.ledger.checkpoint import SignedCheckpoint
from wharfinger.ledger.checkpoints import newest_covering, signed_by
from wharfinger.ledger.codes import CODES
from wharfinger.ledger.database import Database
from wharfinger.ledger.log import read_tile, read_tree
from wharfinger.ledger.log_keys import LogKeys
from wharfinger.ledger.merkle import HASH_BYTES
from wharfinger.ledger.note import MalformedNote, Verdict, verify
from wharfinger.ledger.packing import pack_id, pack_jti
from wharfinger.ledger.queries import log_number, named
from wharfinger.ledger.reading import Stored, read_records
from wharfinger.ledger.receipt import Receipt
from wharfinger.ledger.record import canonical
from wharfinger.ledger.rows import row_key
from wharfinger.ledger.tiles import WIDTH, inclusion, verify_inclusion
from wharfinger.ledger.verification.batches import Batches
from wharfinger.ledger.verification.findings import Report
from wharfinger.ledger.verification.rebuilding import Rebuilt
from wharfinger.ledger.words import Words
from wharfinger.wire.event import Action, Kind
from wharfinger.wire.jti import has_shape

MAX_NAMED: Final = 20
"""Records of a reference that people choose from."""
MAX_CHECKPOINTS: Final = 64
"""Newest ones among which the best cosigned is taken."""
_R = schema.records.c
_CHANGES: Final = tuple(CODES[action] for action in (Action.PUSH, Action.MOUNT, Action.DELETE, Action.UNTAG))
_MANIFESTS: Final = (CODES[Kind.MANIFEST], CODES[Kind.INDEX])


@dataclass(frozen=True, slots=True)
class Uncovered:
    """No checkpoint has the record yet."""


@dataclass(frozen=True, slots=True)
class Unprovable:
    """The ledger no longer has what was signed."""

    why: str


def named_records(database: Database, ref: str, *, seq: int | None = None) -> list[Stored]:
    """The records that a reference names, the one it means first.

    Args:
        database: the ledger.
        ref: a log number, delivery id, token id, event id, digest, repository:tag, or the SHA-256 of what had no id. It means
            the delivery's outcome, the token's issuance, the event, or the newest push of a manifest.
        seq: only this number, when the reference names it.

    Raises:
        LedgerUnavailable: the ledger did not answer.
    """
    with database.reading() as connection:
        numbers: list[int] = []
        for query in _queries(connection, database.words, ref):
            chosen = query if seq is None else query.where(_R.seq == seq)
            numbers += connection.execute(chosen.limit(MAX_NAMED)).scalars()
        ordered = list(dict.fromkeys(numbers))[:MAX_NAMED]
        found = {one.seq: one for one in read_records(connection, database.words, ordered)}
    return [found[number] for number in ordered if number in found]


def make_receipt(database: Database, keys: LogKeys, seq: int) -> Receipt | Uncovered | Unprovable:
    """The receipt of a record, under the checkpoint that most witnesses cosigned; of those, the newest."""
    with database.reading() as connection:
        tree = read_tree(connection)
        report = Report(tree.size, b"")
        at = seq % WIDTH * HASH_BYTES
        leaf = read_tile(connection, 0, seq // WIDTH)[at : at + HASH_BYTES]
        rebuilt = Batches(report).read(connection, seq, seq + 1, {seq: leaf}).get(seq, "its row is gone")
        if isinstance(rebuilt, str) or rebuilt.leaf != leaf or not report.proved:
            found = rebuilt if isinstance(rebuilt, str) else "; ".join(one.detail for one in report.findings.kept)
            return Unprovable(f"record {seq}: {found or 'its row does not give its leaf'}")
        covering = _covering(connection, keys, seq)
        if covering is None:
            return Uncovered()
        return _receipt(connection, rebuilt, covering)


def _receipt(connection: Connection, rebuilt: Rebuilt, signed: SignedCheckpoint) -> Receipt | Unprovable:
    seq, checkpoint = rebuilt.seq, signed.checkpoint
    try:
        proof = inclusion(lambda level, number: read_tile(connection, level, number), seq, checkpoint.size)
    except ValueError as fault:
        return Unprovable(str(fault))
    if not verify_inclusion(rebuilt.leaf, seq, checkpoint.size, proof, checkpoint.root):
        return Unprovable(f"record {seq}: the log's hashes do not lead from it to the root that was signed")
    return Receipt(canonical(rebuilt.record, seq=seq, committed=rebuilt.committed), seq, tuple(proof), signed)


def _covering(connection: Connection, keys: LogKeys, seq: int) -> SignedCheckpoint | None:
    best, most = None, -1
    for stored in newest_covering(connection, seq, limit=MAX_CHECKPOINTS):
        try:
            signed = stored.signed()
        except MalformedNote:
            continue
        if signed_by(signed.note, keys.logs) is None:
            continue
        cosigned = sum(verify(signed.note, witness) is Verdict.VALID for witness in keys.witnesses.values())
        if cosigned > most:
            best, most = signed, cosigned
    return best


def _queries(connection: Connection, words: Words, ref: str) -> Iterator[Select[Any]]:
    """Queries for numbers, in the order in which a reference is understood."""
    numbers = select(_R.seq).order_by(_R.seq.desc())
    if (number := log_number(ref)) is not None:
        yield numbers.where(_R.seq == number)
        return
    yield from (numbers.where(*one) for one in _outcomes(connection, words, ref))
    if has_shape(ref):
        yield numbers.where(_R.seq.in_(select(schema.issuances.c.seq).where(schema.issuances.c.jti == pack_jti(ref))))
    for conditions in named(connection, words, ref):
        records = select(_R.seq).where(*conditions)
        pushed = (_R.action == CODES[Action.PUSH]) & _R.object_kind.in_(_MANIFESTS) & (_R.tag != "")
        yield records.order_by(pushed.desc(), _R.action.in_(_CHANGES).desc(), _R.seq.desc())


def _outcomes(connection: Connection, words: Words, ref: str) -> Iterator[Sequence[ColumnElement[bool]]]:
    row = connection.execute(select(schema.deliveries.c.fence).where(schema.deliveries.c.id == ref)).one_or_none()
    if row is None:
        return
    sources = ["", *words.all_of(connection, "source")]
    for fence in range(row.fence, max(0, row.fence - MAX_NAMED), -1):
        event_id = f"{ref}/{fence}"
        yield _R.event_key.in_([row_key(source, event_id) for source in sources]), _R.event_id == pack_id(event_id)
