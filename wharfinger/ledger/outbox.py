"""Deliveries as rows: claiming one with a lease and a fencing number, renewing, finishing. Decides nothing about one.

A claim raises the row's fence; whoever holds an older fence can neither renew nor finish. A lease that ran out is lost even if
nobody took this very row: another delivery of the same target may have been taken since. So a worker that was stopped and
woken later changes nothing.
"""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import Connection, and_, case, exists, func, insert, or_, select, update
from sqlalchemy.sql import ColumnElement

from wharfinger.ledger import schema
from wharfinger.ledger.codes import CODES
from wharfinger.ledger.database import Database
from wharfinger.ledger.decisions import from_text, to_text
from wharfinger.ledger.errors import LeaseLost
from wharfinger.ledger.log import append
from wharfinger.ledger.packing import unpack_digest
from wharfinger.ledger.reading import read_records
from wharfinger.ledger.record import AuditRecord, Personal, RecordKind, canonical_json
from wharfinger.ledger.steering import OPEN, bad, mark_undone, paused, votes_on
from wharfinger.ledger.values import ALARM_RULE, Around, Claim, Decision, DeliveryState, Standing
from wharfinger.ledger.words import Words
from wharfinger.wire.event import Action, Kind
from wharfinger.wire.names import DeliveryId

LEASE_MS: Final = 15_000
"""A killed or stopped worker's delivery is taken over after this long."""
RENEW_S: Final = 4.0
"""A living worker renews so often, however long an outside step takes. One beat may fail, or wait for SQLite's lock."""
WOKEN_AT_ONCE: Final = 500

_D = schema.deliveries.c
_R = schema.records.c
# Made once: an alias of so many columns takes a millisecond.
_OTHER = schema.deliveries.alias("other").c
_MINE = schema.records.alias("mine").c
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


def standing(database: Database, held: Claim, around: Around) -> Standing:
    """What the ledger knows around a claimed delivery. Read after the claim: what comes later stirs the delivery."""
    with database.reading() as connection:
        later_tag, later_digest = _later(connection, held, around)
        last_digest, last_tag, last_seq = _last_delivered(connection, held)
        return Standing(
            later_digest,
            _overtaken(connection, held, around),
            last_digest,
            later_tag=later_tag,
            last_tag=last_tag,
            last_seq=last_seq,
            bad=bad(connection, held.digest, held.target),
            paused=paused(connection, database.words, held.rule),
            votes=votes_on(connection, database.words, held.id),
        )


def postpone(
    database: Database, held: Claim, *, reason: str, now_ms: int, due_at: int, counts: bool, decisions: Sequence[Decision] = ()
) -> None:
    """Give a delivery back until later. ``counts``: it was an attempt at the target, not only a look. Raises LeaseLost."""
    with database.writing() as connection:
        values = {"state": DeliveryState.WAITING.value, "due_at": due_at}
        _release(connection, held, values, reason, now_ms, counts=counts, decisions=decisions)
        _close_attempt(connection, held, "postponed", reason, now_ms, counts=counts)


def hold(database: Database, held: Claim, *, reason: str, now_ms: int, due_at: int, decisions: Sequence[Decision] = ()) -> None:
    """Hold a delivery off until a time, or until something changes that it waits for. Raises LeaseLost.

    Crash just before: the lease runs out, and it is looked at again. After: it is held.
    """
    with database.writing() as connection:
        # What changed since the claim was not seen when it was judged.
        seen = case((_D.stirred == held.stirred, due_at), else_=now_ms)
        _release(
            connection,
            held,
            {"state": DeliveryState.HELD.value, "due_at": seen},
            reason,
            now_ms,
            counts=False,
            decisions=decisions,
        )
        _close_attempt(connection, held, "held", reason, now_ms, counts=False)


def finish(
    database: Database,
    held: Claim,
    *,
    state: DeliveryState,
    reason: str,
    now_ms: int,
    decisions: Sequence[Decision] = (),
) -> None:
    """End a delivery, and log its outcome in the same transaction; an undone one marks its digest as bad for its target.

    Crash just before: the lease runs out and the target is asked again with the same idempotency key. After: nothing is.

    Raises:
        LeaseLost: another worker holds it now; nothing is changed.
    """
    with database.writing() as connection:
        _release(connection, held, {"state": state.value, "due_at": 0}, reason, now_ms, counts=True, decisions=decisions)
        _close_attempt(connection, held, state.value, reason, now_ms, counts=True)
        (written,) = append(connection, database.words, [(_outcome(held, state, reason, now_ms), b"")])
        if state is DeliveryState.UNDONE and written is not None:
            mark_undone(connection, held.digest, held.target, seq=written.seq, why=reason, at=now_ms)


def wake_overtaken(database: Database, *, now_ms: int) -> int:
    """Have what is held looked at whose tag was pushed again since it was looked at last; how much, WOKEN_AT_ONCE at most.

    Only a look decides what comes of it. Crash before the commit: the next call finds the same.
    """
    mine, later, tag = schema.records.alias("mine").c, schema.records.alias("later").c, schema.tags.c
    moved = exists().where(
        mine.seq == _D.seq,
        tag.repository == mine.repository,
        tag.tag == mine.tag,
        tag.source == mine.source,
        tag.digest.is_distinct_from(mine.digest),
        later.seq == tag.seq,
        later.recorded_at > _D.updated_at,
    )
    held = and_(_D.state == DeliveryState.HELD.value, _D.due_at > now_ms, _D.rule != ALARM_RULE, moved)
    with database.reading() as connection:
        found = list(connection.execute(select(_D.id).where(held).order_by(_D.seq).limit(WOKEN_AT_ONCE)).scalars())
    if not found:
        return 0
    with database.writing() as connection:
        woken = update(schema.deliveries).where(_D.id.in_(found), _D.state == DeliveryState.HELD.value)
        return connection.execute(woken.values(due_at=now_ms)).rowcount


def _claimable(now_ms: int) -> ColumnElement[bool]:
    waiting = and_(_D.state.in_((DeliveryState.WAITING.value, DeliveryState.HELD.value)), _D.due_at <= now_ms)
    abandoned = and_(_D.state == DeliveryState.SENDING.value, _D.lease_until < now_ms)
    return or_(waiting, abandoned)


def _busy(now_ms: int) -> ColumnElement[bool]:
    """Whether another delivery is being sent to the same target, or was begun there and is not over."""
    sent = and_(_OTHER.state == DeliveryState.SENDING.value, _OTHER.lease_until >= now_ms)
    begun = and_(_OTHER.state.in_(OPEN), _OTHER.noted != "")
    # A later delivery must not be begun over one whose end nobody knows yet; its own noted it carries on itself.
    hers = and_(begun, _D.noted == "")
    return exists().where(_OTHER.target == _D.target, _OTHER.id != _D.id, or_(sent, hers))


def _held(held: Claim) -> ColumnElement[bool]:
    return and_(_D.id == held.id, _D.fence == held.fence, _D.state == DeliveryState.SENDING.value)


def _release(
    connection: Connection,
    held: Claim,
    values: dict[str, object],
    reason: str,
    now_ms: int,
    *,
    counts: bool,
    decisions: Sequence[Decision],
) -> None:
    values = values | {"reason": reason, "updated_at": now_ms, "lease_until": 0}
    if not counts:
        values["attempts"] = _D.attempts - 1
    if decisions:
        values["decisions"] = to_text(decisions)
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
        stirred=row.stirred,
        decisions=from_text(row.decisions),
        noted=row.noted,
    )


def _same_place(held: Claim, *, tag: bool) -> ColumnElement[bool]:
    """Records of the claimed push's repository, in its registry; of its tag too."""
    columns = ("source", "repository", "tag") if tag else ("source", "repository")
    return and_(
        *(_R[name] == select(_MINE[name]).where(_MINE.seq == held.seq).scalar_subquery() for name in columns),
    )


def _later(connection: Connection, held: Claim, around: Around) -> tuple[str, str | None]:
    # Only what is accounted for: an event that nobody accounts for deploys nothing, so it must not keep anything from being
    # deployed. If it was a push all the same, the tag tells when it is read back.
    newest = connection.execute(
        select(_R.tag, _R.digest)
        .where(
            _same_place(held, tag=not around.any_tag),
            _R.tag != "",
            _R.seq > held.seq,
            _R.kind == CODES[RecordKind.EVENT],
            _R.action == CODES[Action.PUSH],
            _R.object_kind.in_(_MANIFESTS),
            _R.verdict.in_([CODES[verdict] for verdict in around.verdicts]),
        )
        .order_by(_R.seq.desc())
        .limit(1)
    ).one_or_none()
    found = "" if newest is None else unpack_digest(newest.digest)
    return ("", None) if newest is None or found in ("", held.digest) else (newest.tag, found)


def _overtaken(connection: Connection, held: Claim, around: Around) -> bool:
    query = (
        select(_D.id)
        .join(schema.records, _R.seq == _D.seq)
        .where(_D.target == held.target, _D.seq > held.seq, _D.state == DeliveryState.DELIVERED.value, _D.rule != ALARM_RULE)
    )
    if not around.whole_target:
        query = query.where(_same_place(held, tag=not around.any_tag))
    return connection.execute(query.limit(1)).first() is not None


def _last_delivered(connection: Connection, held: Claim) -> tuple[str | None, str, int]:
    # Unchanged is what was the last one delivered already, perhaps by another tag.
    there = (DeliveryState.DELIVERED.value, DeliveryState.UNCHANGED.value)
    found = connection.execute(
        select(_R.digest, _R.tag, _R.seq)
        .join(schema.deliveries, _D.seq == _R.seq)
        .where(_D.target == held.target, _D.state.in_(there), _D.rule != ALARM_RULE, _same_place(held, tag=False))
        .order_by(_D.updated_at.desc(), _D.seq.desc())
        .limit(1)
    ).one_or_none()
    return (None, "", 0) if found is None else (unpack_digest(found.digest) or None, found.tag, found.seq)


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
