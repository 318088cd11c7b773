"""What people tell the deployments: votes, pauses, bad digests, each a record of the log. Who may is decided elsewhere.

Each is one transaction: the record, what it changes, and the deliveries it may concern, which are looked at again at once.
Crash before its commit: nothing was said. After: it holds, whether or not whoever said it heard so.

A delivery under somebody's lease may have been judged by what was before. So what is said raises ``stirred`` of every delivery
it may concern, and whoever holds one off until later sees by that that he looked too early.
"""

import json
from dataclasses import dataclass, replace
from typing import Final

from sqlalchemy import Connection, and_, case, delete, insert, select, true, update
from sqlalchemy.sql import ColumnElement

from wharfinger.ledger import schema
from wharfinger.ledger.database import Database
from wharfinger.ledger.log import append, read_tree
from wharfinger.ledger.packing import pack_digest, unpack_digest
from wharfinger.ledger.reading import Stored, read_records
from wharfinger.ledger.record import AuditRecord, Personal, RecordKind, canonical_json
from wharfinger.ledger.values import ALARM_RULE, DeliveryState, Vote
from wharfinger.ledger.words import Words
from wharfinger.wire.names import DeliveryId

ENDED_BADLY: Final = tuple(
    state.value for state in (DeliveryState.REFUSED, DeliveryState.UNDONE, DeliveryState.FAILED, DeliveryState.TAG_MISSING)
)
"""The states of a delivery that is over without what it was for being there."""
OPEN: Final = (DeliveryState.WAITING.value, DeliveryState.HELD.value, DeliveryState.SENDING.value)
"""The states of a delivery that is not over."""
EVERY_RULE: Final = ""
"""Stands for a pause of all rules: a freeze."""
EVERYWHERE: Final = ""
"""Stands for every target."""
_APPROVE: Final = "approve"
_REJECT: Final = "reject"
_D = schema.deliveries.c


@dataclass(frozen=True, slots=True)
class Statement:
    """Who says it, and why. ``who``: an account, or ``os:NAME`` for one of this machine, which nobody has proved."""

    who: str
    why: str
    now_ms: int


@dataclass(frozen=True, slots=True)
class Pause:
    """A rule that is paused, or all of them. ``seq``: of the record that tells."""

    rule: str
    seq: int
    who: str
    why: str
    at: int


@dataclass(frozen=True, slots=True)
class BadDigest:
    """A mark on a digest, at one target or everywhere. ``who`` is empty for one that a failed deployment made."""

    digest: str
    target: str
    seq: int
    who: str
    why: str
    at: int


def vote(database: Database, delivery: DeliveryId, said: Statement, *, approves: bool) -> int | None:
    """Write a vote; its record's number, or None when the delivery is over, or none at all."""
    with database.writing() as connection:
        # Locked first: else it could end between the look and the vote.
        if not _stir(connection, _D.id == delivery, said.now_ms):
            return None
        row = connection.execute(select(_D.seq, _D.rule, _D.target).where(_D.id == delivery)).one()
        (push,) = read_records(connection, database.words, [row.seq])
        record = push.record
        action = _APPROVE if approves else _REJECT
        told = _record(action, said, delivery=delivery, rule=row.rule, target=row.target, push=row.seq)
        # Without the push's token: it is not by that one that somebody voted.
        about = replace(told, repository=record.repository, tag=record.tag, digest=record.digest)
        seq = _tell(connection, database.words, about)
        connection.execute(insert(schema.votes).values(delivery=delivery, seq=seq))
        return seq


def votes_on(connection: Connection, words: Words, delivery: DeliveryId) -> tuple[Vote, ...]:
    """The votes on a delivery, oldest first. What the log's own record says counts, not only that a row names it."""
    table = schema.votes.c
    seqs = list(connection.execute(select(table.seq).where(table.delivery == delivery)).scalars())
    records = [one.record for one in read_records(connection, words, seqs)]
    return tuple(
        Vote(record.personal.account, record.action == _APPROVE, record.reason, record.occurred_at)
        for record in records
        if record.action in {_APPROVE, _REJECT} and json.loads(record.detail)["delivery"] == delivery
    )


def pause(database: Database, rule: str, said: Statement) -> bool:
    """Pause a rule, or all of them; False when that is so already."""
    table = schema.pauses
    with database.writing() as connection:
        read_tree(connection, lock=True)  # two at once would both find nothing
        if connection.execute(select(table.c.seq).where(table.c.rule == rule)).first() is not None:
            return False
        seq = _tell(connection, database.words, _record("pause", said, **_about_rule(rule)))
        connection.execute(insert(table).values(rule=rule, seq=seq))
        return True


def resume(database: Database, rule: str, said: Statement) -> bool:
    """End a pause; False when there is none."""
    table = schema.pauses
    with database.writing() as connection:
        if not connection.execute(delete(table).where(table.c.rule == rule)).rowcount:
            return False
        # Rows before the log, in the order of everybody who locks both.
        _stir(connection, true() if rule == EVERY_RULE else _D.rule == rule, said.now_ms)
        _tell(connection, database.words, _record("resume", said, **_about_rule(rule)))
        return True


def _about_rule(rule: str) -> dict[str, object]:
    return {"all": 1} if rule == EVERY_RULE else {"rule": rule}


def pauses(database: Database) -> list[Pause]:
    """What is paused, a freeze first."""
    with database.reading() as connection:
        return _pauses(connection, database.words, true())


def paused(connection: Connection, words: Words, rule: str) -> str:
    """Why a rule is paused, by whom; empty when it is not."""
    found = _pauses(connection, words, schema.pauses.c.rule.in_((rule, EVERY_RULE)))
    return "; ".join(
        f"{'all rules are' if one.rule == EVERY_RULE else 'the rule is'} paused by {one.who}: {one.why}" for one in found
    )


def _pauses(connection: Connection, words: Words, chosen: ColumnElement[bool]) -> list[Pause]:
    table = schema.pauses.c
    seqs = {row.rule: row.seq for row in connection.execute(select(table.rule, table.seq).where(chosen).order_by(table.rule))}
    found = {one.seq: one for one in read_records(connection, words, seqs.values())} if seqs else {}
    return [
        Pause(rule, seq, found[seq].who, found[seq].record.reason, found[seq].record.occurred_at) for rule, seq in seqs.items()
    ]


def block(database: Database, digest: str, target: str, said: Statement) -> None:
    """Mark a digest as bad, at a target or everywhere; anew when it is marked already. What waits with it is looked at."""
    with database.writing() as connection:
        same = select(schema.records.c.seq).where(schema.records.c.digest == pack_digest(digest))
        concerned = _D.seq.in_(same) if target == EVERYWHERE else and_(_D.seq.in_(same), _D.target == target)
        _stir(connection, concerned, said.now_ms)
        seq = _tell(connection, database.words, replace(_record("block", said, **_about_target(target)), digest=digest))
        _mark(connection, digest, target, seq=seq, why=said.why, at=said.now_ms)


def unblock(database: Database, digest: str, target: str | None, said: Statement) -> bool:
    """Take back a digest's mark at a target, or with None every one; False when there is none."""
    table = schema.bad_digests
    where = and_(table.c.digest == pack_digest(digest), true() if target is None else table.c.target == target)
    with database.writing() as connection:
        if not connection.execute(delete(table).where(where)).rowcount:
            return False
        _tell(connection, database.words, replace(_record("unblock", said, **_about_target(target)), digest=digest))
        return True


def _about_target(target: str | None) -> dict[str, object]:
    return {"target": target} if target else {}


def force(database: Database, delivery: DeliveryId, said: Statement) -> bool:
    """Have a delivery tried again that ended badly, and take back its digest's mark at its target; False when there is none.

    Every guard is asked again, and the target is told by the same id as before.
    """
    ended = and_(_D.id == delivery, _D.state.in_(ENDED_BADLY), _D.rule != ALARM_RULE)
    marks = schema.bad_digests
    with database.writing() as connection:
        again = update(schema.deliveries).where(ended)
        values = {"state": DeliveryState.WAITING.value, "reason": "", "due_at": said.now_ms, "updated_at": said.now_ms}
        if not connection.execute(again.values(values)).rowcount:
            return False
        row = connection.execute(select(_D.seq, _D.rule, _D.target).where(_D.id == delivery)).one()
        (push,) = read_records(connection, database.words, [row.seq])
        record = push.record
        mine = and_(marks.c.digest == pack_digest(record.digest), marks.c.target == row.target)
        connection.execute(delete(marks).where(mine))
        told = _record("force", said, delivery=delivery, rule=row.rule, target=row.target, push=row.seq)
        _tell(connection, database.words, replace(told, repository=record.repository, tag=record.tag, digest=record.digest))
        return True


def mark_undone(connection: Connection, digest: str, target: str, *, seq: int, why: str, at: int) -> None:
    """Remember that a digest did not work at a target. Inside the transaction that ends the delivery."""
    _mark(connection, digest, target, seq=seq, why=f"it was undone there: {why}", at=at)


def _mark(connection: Connection, digest: str, target: str, *, seq: int, why: str, at: int) -> None:
    table = schema.bad_digests
    packed = pack_digest(digest)
    connection.execute(delete(table).where(table.c.digest == packed, table.c.target == target))
    connection.execute(insert(table).values(digest=packed, target=target, seq=seq, why=why, at=at))


def blocked(database: Database) -> list[BadDigest]:
    """Every mark, the newest first."""
    table = schema.bad_digests.c
    with database.reading() as connection:
        rows = connection.execute(select(schema.bad_digests).order_by(table.at.desc(), table.digest, table.target)).all()
        known = {one.seq: one for one in read_records(connection, database.words, [row.seq for row in rows])}
    return [
        BadDigest(unpack_digest(row.digest), row.target, row.seq, _marker(known.get(row.seq)), row.why, row.at) for row in rows
    ]


def _marker(told: Stored | None) -> str:
    return told.who if told is not None and told.record.kind is RecordKind.STEERING else ""


def bad(connection: Connection, digest: str, target: str) -> str:
    """Why a digest is marked as bad for a target; empty when it is not."""
    table = schema.bad_digests.c
    query = select(table.target, table.why).where(table.digest == pack_digest(digest), table.target.in_((EVERYWHERE, target)))
    found = connection.execute(query.order_by(table.target)).first()
    if found is None:
        return ""
    where = "everywhere" if found.target == EVERYWHERE else f"at {target}"
    return f"the digest is marked as bad {where}: {found.why}"


def _tell(connection: Connection, words: Words, record: AuditRecord) -> int:
    # Its own number: whatever else is said in the same moment is another.
    ident = f"steering/{read_tree(connection, lock=True).size}"
    (written,) = append(connection, words, [(replace(record, event_id=ident), b"")])
    assert written is not None  # noqa: S101 - no other has its number
    return written.seq


def _record(action: str, said: Statement, **detail: object) -> AuditRecord:
    return AuditRecord(
        kind=RecordKind.STEERING,
        recorded_at=said.now_ms,
        occurred_at=said.now_ms,
        action=action,
        reason=said.why,
        detail=canonical_json(detail).decode() if detail else "",
        personal=Personal(account=said.who),
    )


def _stir(connection: Connection, concerned: ColumnElement[bool], now_ms: int) -> int:
    """Have deliveries looked at again that are not over; how many there are."""
    due_at = case((_D.state == DeliveryState.HELD.value, now_ms), else_=_D.due_at)
    stirred = update(schema.deliveries).where(_D.state.in_(OPEN), _D.rule != ALARM_RULE, concerned)
    return connection.execute(stirred.values(stirred=_D.stirred + 1, due_at=due_at)).rowcount
