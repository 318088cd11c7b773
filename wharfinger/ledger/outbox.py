"""Deliveries as rows: claiming one with a lease and a fencing number, renewing, finishing. Decides nothing about one.

A claim raises the row's fence; whoever holds an older fence can neither renew nor finish. A lease that ran out is lost even if
nobody took this very row: another delivery of the same target may have been taken since. So a worker that was stopped and
woken later changes nothing.
"""

from typing import Final

from sqlalchemy import Connection, and_, exists, func, insert, or_, select, update
from sqlalchemy.sql import ColumnElement

from wharfinger.ledger import schema
from wharfinger.ledger.codes import CODES
from wharfinger.ledger.database import Database
from wharfinger.ledger.errors import LeaseLost
from wharfinger.ledger.log import append
from wharfinger.ledger.packing import unpack_digest
from wharfinger.ledger.reading import read_records
from wharfinger.ledger.record import AuditRecord, Personal, RecordKind, canonical_json
from wharfinger.ledger.values import ALARM_RULE, Claim, DeliveryState, Standing
from wharfinger.ledger.words import Words
from wharfinger.wire.event import Action, Kind
from wharfinger.wire.names import DeliveryId

LEASE_MS: Final = 15_000
"""A killed or stopped worker's delivery is taken over after this long."""
RENEW_S: Final = 4.0
"""A living worker renews so often, however long an outside step takes. One beat may fail, or wait for SQLite's lock."""

_D = schema.deliveries.c
_R = schema.records.c
_MANIFESTS: Final = (CODES[Kind.MANIFEST], CODES[Kind.INDEX])


def due(database: Database, *, now_ms: int, target: str | None = None) -> list[DeliveryId]:
    """The delivery that somebody should take now, of each target that nobody sends to, or of one: the oldest that is due.

    Due is what waits and may go, or is held by a lease that ran out.
    """
    place = func.row_number().over(partition_by=_D.target, order_by=(_D.seq, _D.id)).label("place")
    ready = select(_D.id, _D.seq, place).where(_claimable(now_ms), ~_busy(now_ms))
    if target is not None:
        ready = ready.where(_D.target == target)
    placed = ready.subquery()
    with database.reading() as connection:
        found = connection.execute(select(placed.c.id).where(placed.c.place == 1).order_by(placed.c.seq, placed.c.id))
        return [DeliveryId(row.id) for row in found]


def claim(database: Database, delivery: DeliveryId, *, now_ms: int) -> Claim | None:
    """Take a delivery, if it is due and no other on its target is being sent.

    Crash just after: the lease runs out, and the delivery is due again with a higher fence.
    """
    with database.writing() as connection:
        taken = connection.execute(
            update(schema.deliveries)
            .where(_D.id == delivery, _claimable(now_ms), ~_busy(now_ms))
            .values(
                state=DeliveryState.SENDING.value,
                fence=_D.fence + 1,
                attempts=_D.attempts + 1,
                lease_until=now_ms + LEASE_MS,
                updated_at=now_ms,
            )
        )
        if taken.rowcount == 0:
            return None
        claimed = _read_claim(connection, database.words, delivery)
        connection.execute(
            insert(schema.attempts).values(delivery=delivery, attempt=claimed.attempt, started_at=now_ms, outcome="")
        )
        return claimed


def renew(database: Database, held: Claim, *, now_ms: int) -> None:
    """Hold on for another lease. Raises LeaseLost when somebody else took over, or could have: the lease ran out."""
    with database.writing() as connection:
        live = and_(_held(held), _D.lease_until >= now_ms)
        renewed = connection.execute(update(schema.deliveries).where(live).values(lease_until=now_ms + LEASE_MS))
        if renewed.rowcount == 0:
            raise LeaseLost(f"delivery {held.id} was taken over")


def note(database: Database, held: Claim, *, noted: str, now_ms: int) -> None:
    """Keep with a delivery what its target is about to begin or has begun; nothing when it is over. Renews the lease.

    Crash just before: nothing was begun, for it is kept first. After: whoever takes it over looks whether it was.

    Raises:
        LeaseLost: as ``renew``; nothing is kept, and nothing may be begun.
    """
    with database.writing() as connection:
        live = and_(_held(held), _D.lease_until >= now_ms)
        values = {"noted": noted, "lease_until": now_ms + LEASE_MS}
        if connection.execute(update(schema.deliveries).where(live).values(values)).rowcount == 0:
            raise LeaseLost(f"delivery {held.id} was taken over")


def standing(database: Database, held: Claim, *, whole_target: bool) -> Standing:
    """What the ledger knows around a claimed delivery.

    Args:
        database: the ledger.
        held: the claim.
        whole_target: the target runs one thing, so any later delivery overtakes this one; else only one of the same tag.
    """
    with database.reading() as connection:
        return Standing(
            _later_digest(connection, held), _overtaken(connection, held, whole_target), _last_delivered(connection, held)
        )


def postpone(database: Database, held: Claim, *, reason: str, now_ms: int, due_at: int, counts: bool) -> None:
    """Give a delivery back until later. ``counts``: it was an attempt at the target, not only a look. Raises LeaseLost."""
    with database.writing() as connection:
        _release(connection, held, DeliveryState.WAITING, reason, now_ms, due_at=due_at, counts=counts)
        _close_attempt(connection, held, "postponed", reason, now_ms, counts=counts)


def finish(database: Database, held: Claim, *, state: DeliveryState, reason: str, now_ms: int) -> None:
    """End a delivery, and log its outcome in the same transaction.

    Crash just before: the lease runs out and the target is asked again with the same idempotency key. After: nothing is.

    Raises:
        LeaseLost: another worker holds it now; nothing is changed.
    """
    with database.writing() as connection:
        _release(connection, held, state, reason, now_ms, due_at=0, counts=True)
        _close_attempt(connection, held, state.value, reason, now_ms, counts=True)
        append(connection, database.words, [(_outcome(held, state, reason, now_ms), b"")])


def _claimable(now_ms: int) -> ColumnElement[bool]:
    waiting = and_(_D.state == DeliveryState.WAITING.value, _D.due_at <= now_ms)
    abandoned = and_(_D.state == DeliveryState.SENDING.value, _D.lease_until < now_ms)
    return or_(waiting, abandoned)


def _busy(now_ms: int) -> ColumnElement[bool]:
    """Whether another delivery is being sent to the same target, or was begun there and is not over."""
    other = schema.deliveries.alias("other")
    sent = and_(other.c.state == DeliveryState.SENDING.value, other.c.lease_until >= now_ms)
    begun = and_(other.c.state.in_((DeliveryState.WAITING.value, DeliveryState.SENDING.value)), other.c.noted != "")
    # A later delivery must not be begun over one whose end nobody knows yet; its own noted it carries on itself.
    hers = and_(begun, _D.noted == "")
    return exists().where(other.c.target == _D.target, other.c.id != _D.id, or_(sent, hers))


def _held(held: Claim) -> ColumnElement[bool]:
    return and_(_D.id == held.id, _D.fence == held.fence, _D.state == DeliveryState.SENDING.value)


def _release(
    connection: Connection, held: Claim, state: DeliveryState, reason: str, now_ms: int, *, due_at: int, counts: bool
) -> None:
    values: dict[str, object] = {
        "state": state.value,
        "reason": reason,
        "updated_at": now_ms,
        "due_at": due_at,
        "lease_until": 0,
    }
    if not counts:
        values["attempts"] = _D.attempts - 1
    if connection.execute(update(schema.deliveries).where(_held(held)).values(values)).rowcount == 0:
        raise LeaseLost(f"delivery {held.id} was taken over")


def _close_attempt(connection: Connection, held: Claim, outcome: str, detail: str, now_ms: int, *, counts: bool) -> None:
    table = schema.attempts
    mine = and_(table.c.delivery == held.id, table.c.attempt == held.attempt)
    if counts:
        connection.execute(update(table).where(mine).values(ended_at=now_ms, outcome=outcome, detail=detail))
    else:
        connection.execute(table.delete().where(mine))


def _read_claim(connection: Connection, words: Words, delivery: DeliveryId) -> Claim:
    table = schema.deliveries
    row = connection.execute(select(table).where(_D.id == delivery)).one()
    (push,) = read_records(connection, words, [row.seq])
    record = push.record
    return Claim(
        id=delivery,
        fence=row.fence,
        attempt=row.attempts,
        created_at=row.created_at,
        rule=row.rule,
        target=row.target,
        seq=row.seq,
        source=record.source,
        repository=record.repository,
        tag=record.tag,
        digest=record.digest,
        media_type=record.media_type,
        event_id=record.event_id,
        verdict=record.verdict,
        account=record.personal.account,
        jti=record.jti,
        occurred_at=record.occurred_at,
        alarm=record.reason if record.kind is RecordKind.ALARM else "",
        noted=row.noted,
    )


def _same_place(held: Claim, *, tag: bool) -> ColumnElement[bool]:
    """Records of the claimed push's repository, in its registry; of its tag too."""
    mine = schema.records.alias("mine")
    columns = ("source", "repository", "tag") if tag else ("source", "repository")
    return and_(
        *(_R[name] == select(mine.c[name]).where(mine.c.seq == held.seq).scalar_subquery() for name in columns),
    )


def _later_digest(connection: Connection, held: Claim) -> str | None:
    # Exact ones only: an event that nobody accounts for deploys nothing, so it must not keep anything from being deployed. If
    # it was a push all the same, the tag tells when it is read back.
    newest = connection.execute(
        select(_R.digest)
        .where(
            _same_place(held, tag=True),
            _R.tag != "",
            _R.seq > held.seq,
            _R.kind == CODES[RecordKind.EVENT],
            _R.action == CODES[Action.PUSH],
            _R.object_kind.in_(_MANIFESTS),
            _R.verdict == CODES["exact"],
        )
        .order_by(_R.seq.desc())
        .limit(1)
    ).scalar()
    found = unpack_digest(newest)
    return None if found in ("", held.digest) else found


def _overtaken(connection: Connection, held: Claim, whole_target: bool) -> bool:  # noqa: FBT001 - positional only here
    query = (
        select(_D.id)
        .join(schema.records, _R.seq == _D.seq)
        .where(_D.target == held.target, _D.seq > held.seq, _D.state == DeliveryState.DELIVERED.value, _D.rule != ALARM_RULE)
    )
    if not whole_target:
        query = query.where(_same_place(held, tag=True))
    return connection.execute(query.limit(1)).first() is not None


def _last_delivered(connection: Connection, held: Claim) -> str | None:
    found = connection.execute(
        select(_R.digest)
        .join(schema.deliveries, _D.seq == _R.seq)
        .where(
            _D.target == held.target,
            _D.state == DeliveryState.DELIVERED.value,
            _D.rule != ALARM_RULE,
            _same_place(held, tag=False),
        )
        .order_by(_D.updated_at.desc(), _D.seq.desc())
        .limit(1)
    ).scalar()
    return unpack_digest(found) or None


def _outcome(held: Claim, state: DeliveryState, reason: str, now_ms: int) -> AuditRecord:
    detail = {"delivery": held.id, "rule": held.rule, "target": held.target, "attempt": held.attempt, "push": held.seq}
    return AuditRecord(
        kind=RecordKind.DELIVERY,
        recorded_at=now_ms,
        occurred_at=now_ms,
        source=held.source,
        event_id=f"{held.id}/{held.fence}",
        action="deliver",
        repository=held.repository,
        tag=held.tag,
        digest=held.digest,
        media_type=held.media_type,
        verdict=state.value,
        reason=reason,
        jti=held.jti,
        detail=canonical_json(detail).decode(),
        personal=Personal(account=held.account),
    )
