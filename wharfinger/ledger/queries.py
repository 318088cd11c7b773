"""Reading the ledger for people: what a reference names, and the chain issuance → push → deliveries around it. Writes nothing.

A reference is a digest or its beginning, ``repository:tag``, a token, event or delivery id, a number of the log, or the
SHA-256 of what came and had no id of its own; the chain is walked both ways from it.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from sqlalchemy import Connection, Row, func, literal_column, select
from sqlalchemy.sql import ColumnElement

from wharfinger.ledger import schema
from wharfinger.ledger.checkpoint import MAX_SIZE
from wharfinger.ledger.codes import CODES
from wharfinger.ledger.database import Database
from wharfinger.ledger.decisions import from_text
from wharfinger.ledger.issued import from_record
from wharfinger.ledger.packing import pack_digest, pack_digest_range, pack_hash, pack_id, pack_jti
from wharfinger.ledger.reading import Stored, read_records
from wharfinger.ledger.record import RecordKind
from wharfinger.ledger.rows import content_key, row_key
from wharfinger.ledger.values import NEVER, Decision
from wharfinger.ledger.words import Words
from wharfinger.wire.jti import has_shape
from wharfinger.wire.scope import Scope

MAX_DIGITS: Final = 19
"""Of a number of the log."""
MAX_EVENTS: Final = 200
"""Events of one trace, newest first; a digest that is pulled all day has more than anybody reads."""

_SHA256: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)
_R = schema.records.c
_MEANT: Final = tuple(CODES[action] for action in ("push", "mount", "delete", "untag"))


@dataclass(frozen=True, slots=True)
class Attributed:
    """An event's tie."""

    verdict: str
    account: str
    jti: str
    reason: str
    flags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TracedEvent:
    """One event of a chain. ``seq``: its number in the log; ``erased``: what told of a person is gone from it."""

    seq: int
    event_id: str
    source: str
    action: str
    kind: str
    repository: str
    tag: str
    digest: str
    previous_digest: str
    occurred_at: int
    client_addr: str
    user_agent: str
    attribution: Attributed
    erased: bool


@dataclass(frozen=True, slots=True)
class TracedIssuance:
    """One token of a chain. ``erased``: what told of a person is gone from it."""

    seq: int
    jti: str
    account: str
    credential: dict[str, str]
    authenticated_by: str
    client_addr: str
    claimed_addr: str
    user_agent: str
    service: str
    asked: list[dict[str, Any]]
    granted: list[dict[str, Any]]
    rules: list[int | None]
    policy: str
    issued_at: int
    expires_at: int
    erased: bool


@dataclass(frozen=True, slots=True)
class TracedAttempt:
    """One try at a target."""

    attempt: int
    started_at: int
    ended_at: int
    outcome: str
    detail: str


@dataclass(frozen=True, slots=True)
class TracedDelivery:
    """One deployment trigger of a chain. ``push``: its event's number in the log."""

    id: str
    push: int
    rule: str
    target: str
    state: str
    reason: str
    created_at: int
    updated_at: int
    attempts: list[TracedAttempt]
    decisions: list[Decision]
    """What each guard said, oldest first."""
    due_at: int | None
    """When one that waits or is held is looked at again; None: when somebody does something."""


@dataclass(frozen=True, slots=True)
class Trace:
    """Everything the ledger ties to a reference, each list oldest first."""

    ref: str
    issuances: list[TracedIssuance]
    events: list[TracedEvent]
    deliveries: list[TracedDelivery]

    def found(self) -> bool:
        """Whether the ledger knows the reference at all."""
        return bool(self.issuances or self.events or self.deliveries)

    def to_json(self) -> dict[str, Any]:
        """The form of ``trace --json``."""
        return asdict(self)


def trace(database: Database, ref: str) -> Trace:
    """Walk the chain around a reference; an empty one names nothing. Raises LedgerUnavailable."""
    if not ref:
        return Trace(ref, [], [], [])
    with database.reading() as connection:
        meant = _of_number(connection, database.words, ref) or ref
        events = _events(connection, database.words, meant)
        jtis = {event.attribution.jti for event in events if event.attribution.jti} | {meant}
        deliveries = _deliveries(connection, [event.seq for event in events])
        return Trace(ref, _issuances(connection, database.words, jtis), events, deliveries)


def log_number(ref: str) -> int | None:
    """A reference as a number of the log; None when it is none."""
    if not (ref.isascii() and ref.isdigit()) or len(ref) > MAX_DIGITS or int(ref) > MAX_SIZE:
        return None
    return int(ref)


def _of_number(connection: Connection, words: Words, ref: str) -> str:
    """The token or the delivery that the record with a number tells of; empty when it is another or none."""
    number = log_number(ref)
    for one in [] if number is None else read_records(connection, words, [number]):
        if one.record.kind is RecordKind.ISSUANCE:
            return one.record.jti
        if one.record.kind is RecordKind.DELIVERY:
            return one.record.event_id.rpartition("/")[0]
    return ""


def _events(connection: Connection, words: Words, ref: str) -> list[TracedEvent]:
    seqs: set[int] = set()
    for conditions in named(connection, words, ref):
        # What changed the registry before what only read it: the push is never crowded out by pulls.
        query = (
            select(_R.seq)
            .where(_R.kind == CODES[RecordKind.EVENT], *conditions)
            .order_by(_R.action.in_(_MEANT).desc(), _R.seq.desc())
            .limit(MAX_EVENTS)
        )
        seqs |= set(connection.execute(query).scalars())
    found = read_records(connection, words, seqs)
    return [_event(one) for one in found if one.record.kind is RecordKind.EVENT][-MAX_EVENTS:]


def named(connection: Connection, words: Words, ref: str) -> Iterator[tuple[ColumnElement[bool], ...]]:
    """Each way in which a reference may name events, as conditions that an index answers."""
    repository, colon, tag = ref.rpartition(":")
    name = ref.partition("@")[2] or ref
    digest, indexed = pack_digest(name), func.substr(_R.digest, literal_column("2"), literal_column("8"))
    yield indexed == (digest or b"")[1:9], _R.digest == digest
    if (beginning := pack_digest_range(name)) is not None:
        first, last = beginning
        yield indexed.between(first[1:9], last[1:9]), _R.digest.between(first, last)
    if (number := log_number(ref)) is not None:
        yield (_R.seq == number,)
    sources = words.all_of(connection, "source")
    keys = [row_key(source, ref) for source in ("", *sources)]
    yield _R.event_key.in_(keys), _R.event_id == pack_id(ref)
    if _SHA256.fullmatch(ref) is not None:
        keys = [content_key(source, ref) for source in ("", *sources)]
        yield _R.event_key.in_(keys), _R.event_sha == pack_hash(ref)
    if has_shape(ref):
        jti = pack_jti(ref)
        yield func.substr(_R.jti, literal_column("1"), literal_column("8")) == (jti or b"")[:8], _R.jti == jti
    yield (_R.seq.in_(select(schema.deliveries.c.seq).where(schema.deliveries.c.id == ref)),)
    word = words.existing(connection, "repository", [repository]).get(repository)
    if colon and word is not None:
        yield _R.repository == word, _R.tag == tag, _R.tag != ""


def _event(one: Stored) -> TracedEvent:
    record = one.record
    personal = record.personal
    return TracedEvent(
        seq=one.seq,
        event_id=record.event_id,
        source=record.source,
        action=record.action,
        kind=record.object_kind,
        repository=record.repository,
        tag=record.tag,
        digest=record.digest,
        previous_digest=record.previous_digest,
        occurred_at=record.occurred_at,
        client_addr=personal.client_addr,
        user_agent=personal.user_agent,
        attribution=Attributed(record.verdict, personal.account, record.jti, record.reason, tuple(record.flags.split())),
        erased=one.erased,
    )


def _issuances(connection: Connection, words: Words, jtis: set[str]) -> list[TracedIssuance]:
    packed = [pack_jti(jti) for jti in jtis if has_shape(jti)]
    seqs = connection.execute(select(schema.issuances.c.seq).where(schema.issuances.c.jti.in_(packed))).scalars().all()
    return [_issuance(one) for one in read_records(connection, words, seqs)]


def _issuance(one: Stored) -> TracedIssuance:
    issuance = from_record(one.record, erased=one.erased)
    return TracedIssuance(
        seq=one.seq,
        jti=issuance.jti,
        account=issuance.account,
        credential={"kind": issuance.credential.kind, "id": issuance.credential.id},
        authenticated_by=issuance.authenticated_by,
        client_addr=issuance.client_addr,
        claimed_addr=issuance.claimed_addr,
        user_agent=issuance.user_agent,
        service=issuance.service,
        asked=[_scope(scope) for scope in issuance.asked],
        granted=[_scope(scope) for scope in issuance.granted],
        rules=list(issuance.rules),
        policy=issuance.policy,
        issued_at=issuance.issued_at,
        expires_at=issuance.expires_at,
        erased=one.erased,
    )


def _scope(scope: Scope) -> dict[str, Any]:
    return {"type": scope.type, "name": scope.name, "actions": list(scope.actions)}


def _deliveries(connection: Connection, pushes: Sequence[int]) -> list[TracedDelivery]:
    table = schema.deliveries
    query = select(table).where(table.c.seq.in_(pushes)).order_by(table.c.seq, table.c.rule, table.c.target)
    return [_delivery(connection, row) for row in connection.execute(query).all()]


def _delivery(connection: Connection, row: Row[Any]) -> TracedDelivery:
    table = schema.attempts
    tries = connection.execute(select(table).where(table.c.delivery == row.id).order_by(table.c.attempt))
    attempts = [TracedAttempt(one.attempt, one.started_at, one.ended_at, one.outcome, one.detail) for one in tries]
    return TracedDelivery(
        row.id,
        row.seq,
        row.rule,
        row.target,
        row.state,
        row.reason,
        row.created_at,
        row.updated_at,
        attempts,
        list(from_text(row.decisions)),
        None if row.due_at >= NEVER else row.due_at,
    )
