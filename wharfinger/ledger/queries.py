"""Reading the ledger for people: what a reference names, and the chain issuance → push → deliveries around it. Writes nothing.

A reference is a digest, ``repository:tag``, a token id, an event id or a delivery id; the chain is walked both ways from it.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from sqlalchemy import Connection, Row, or_, select

from wharfinger.ledger import schema
from wharfinger.ledger.database import Database
from wharfinger.ledger.record import RecordKind

MAX_EVENTS: Final = 200
"""Events of one trace, newest first; a digest that is pulled all day has more than anybody reads."""

_R = schema.records.c
_MEANT: Final = ("push", "mount", "delete", "untag")


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
    """One event of a chain. ``seq``: its number in the log."""

    seq: int
    event_id: str
    source: str
    action: str
    kind: str
    repository: str
    tag: str
    digest: str
    occurred_at: int
    client_addr: str
    user_agent: str
    attribution: Attributed


@dataclass(frozen=True, slots=True)
class TracedIssuance:
    """One token of a chain."""

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
    """Walk the chain around a reference. Raises LedgerUnavailable."""
    with database.reading() as connection:
        events = _events(connection, ref)
        jtis = {event.attribution.jti for event in events if event.attribution.jti} | {ref}
        deliveries = _deliveries(connection, [event.seq for event in events])
        return Trace(ref, _issuances(connection, jtis), events, deliveries)


def _events(connection: Connection, ref: str) -> list[TracedEvent]:
    repository, colon, tag = ref.rpartition(":")
    named = [_R.digest == ref, _R.event_id == ref, _R.jti == ref]
    named.append(_R.seq.in_(select(schema.deliveries.c.seq).where(schema.deliveries.c.id == ref)))
    if colon:
        named.append((_R.repository == repository) & (_R.tag == tag))
    if "@" in ref:
        named.append(_R.digest == ref.partition("@")[2])
    people = schema.personal
    query = (
        select(schema.records, people.c.account, people.c.client_addr, people.c.user_agent)
        .join(people, people.c.seq == _R.seq)
        .where(_R.kind == RecordKind.EVENT.value, or_(*named))
        # What changed the registry before what only read it: the push is never crowded out by pulls.
        .order_by(_R.action.in_(_MEANT).desc(), _R.seq.desc())
        .limit(MAX_EVENTS)
    )
    return sorted((_event(row) for row in connection.execute(query)), key=lambda event: event.seq)


def _event(row: Row[Any]) -> TracedEvent:
    return TracedEvent(
        seq=row.seq,
        event_id=row.event_id,
        source=row.source,
        action=row.action,
        kind=row.object_kind,
        repository=row.repository,
        tag=row.tag,
        digest=row.digest,
        occurred_at=row.occurred_at,
        client_addr=row.client_addr,
        user_agent=row.user_agent,
        attribution=Attributed(row.verdict, row.account, row.jti, row.reason, tuple(row.flags.split())),
    )


def _issuances(connection: Connection, jtis: set[str]) -> list[TracedIssuance]:
    table, people = schema.issuances, schema.personal
    query = (
        select(table, people.c.account, people.c.client_addr, people.c.claimed_addr, people.c.user_agent)
        .join(people, people.c.seq == table.c.seq)
        .where(table.c.jti.in_(jtis))
        .order_by(table.c.seq)
    )
    return [_issuance(row) for row in connection.execute(query)]


def _issuance(row: Row[Any]) -> TracedIssuance:
    return TracedIssuance(
        seq=row.seq,
        jti=row.jti,
        account=row.account,
        credential={"kind": row.credential_kind, "id": row.credential_id},
        authenticated_by=row.authenticated_by,
        client_addr=row.client_addr,
        claimed_addr=row.claimed_addr,
        user_agent=row.user_agent,
        service=row.service,
        asked=json.loads(row.asked),
        granted=json.loads(row.granted),
        rules=json.loads(row.rules),
        policy=row.policy,
        issued_at=row.issued_at,
        expires_at=row.expires_at,
    )


def _deliveries(connection: Connection, pushes: Sequence[int]) -> list[TracedDelivery]:
    table = schema.deliveries
    query = select(table).where(table.c.seq.in_(pushes)).order_by(table.c.seq, table.c.rule, table.c.target)
    return [_delivery(connection, row) for row in connection.execute(query).all()]


def _delivery(connection: Connection, row: Row[Any]) -> TracedDelivery:
    table = schema.attempts
    tries = connection.execute(select(table).where(table.c.delivery == row.id).order_by(table.c.attempt))
    attempts = [TracedAttempt(one.attempt, one.started_at, one.ended_at, one.outcome, one.detail) for one in tries]
    return TracedDelivery(
        row.id, row.seq, row.rule, row.target, row.state, row.reason, row.created_at, row.updated_at, attempts
    )
