"""Deliveries that are not over, with the push that brought each: what people look at, vote on, and wait for. Writes nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, and_, func, select

from wharfinger.ledger import schema
from wharfinger.ledger.database import Database
from wharfinger.ledger.packing import unpack_digest
from wharfinger.ledger.reading import CHUNK, read_records
from wharfinger.ledger.steering import OPEN, votes_on
from wharfinger.ledger.values import ALARM_RULE, Vote
from wharfinger.ledger.words import Words
from wharfinger.wire.names import DeliveryId

_D = schema.deliveries.c


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenDelivery:
    """A delivery that waits, is held, or is being sent. ``due_at``: when it is looked at next. ``account``: who pushed."""

    id: DeliveryId
    rule: str
    target: str
    state: str
    reason: str
    created_at: int
    due_at: int
    repository: str
    tag: str
    digest: str
    verdict: str
    account: str
    votes: tuple[Vote, ...] = ()
    by_now: str = ""
    """What its tag is by now, as far as the trail knows, if that is another digest: nothing comes of it then."""


def waiting(database: Database, *, limit: int) -> tuple[list[OpenDelivery], int]:
    """The oldest deliveries that are not over, and how many there are."""
    chosen = (_D.state.in_(OPEN), _D.rule != ALARM_RULE)
    with database.reading() as connection:
        rows = connection.execute(select(schema.deliveries).where(*chosen).order_by(_D.seq, _D.id).limit(limit)).all()
        count = connection.execute(select(func.count()).select_from(schema.deliveries).where(*chosen)).scalar_one()
        return _read(connection, database.words, rows), count


def open_delivery(database: Database, delivery: DeliveryId) -> OpenDelivery | None:
    """One of them, with the votes on it; None when it is over, or there is none."""
    query = select(schema.deliveries).where(_D.id == delivery, _D.state.in_(OPEN), _D.rule != ALARM_RULE)
    with database.reading() as connection:
        found = _read(connection, database.words, connection.execute(query).all())
    return found[0] if found else None


def _read(connection: Connection, words: Words, rows: Sequence[Row[Any]]) -> list[OpenDelivery]:
    pushes = {one.seq: one.record for one in read_records(connection, words, [row.seq for row in rows])}
    tags = _tags(connection, list(pushes))
    return [
        OpenDelivery(
            id=DeliveryId(row.id),
            rule=row.rule,
            target=row.target,
            state=row.state,
            reason=row.reason,
            created_at=row.created_at,
            due_at=row.due_at,
            repository=pushes[row.seq].repository,
            tag=pushes[row.seq].tag,
            digest=pushes[row.seq].digest,
            verdict=pushes[row.seq].verdict,
            account=pushes[row.seq].personal.account,
            votes=votes_on(connection, words, DeliveryId(row.id)),
            by_now="" if tags.get(row.seq, "") == pushes[row.seq].digest else tags.get(row.seq, ""),
        )
        for row in rows
    ]


def _tags(connection: Connection, pushes: Sequence[int]) -> dict[int, str]:
    """What the tag of each push is by now; a push whose tag is gone is not in it."""
    found: dict[int, str] = {}
    record, tag = schema.records.c, schema.tags.c
    for at in range(0, len(pushes), CHUNK):
        same = and_(record.source == tag.source, record.repository == tag.repository, record.tag == tag.tag)
        query = select(record.seq, tag.digest).join_from(schema.records, schema.tags, same)
        rows = connection.execute(query.where(record.seq.in_(pushes[at : at + CHUNK])))
        found |= {row.seq: unpack_digest(row.digest) for row in rows if row.digest is not None}
    return found
