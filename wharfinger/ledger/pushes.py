"""The pushes of the trail that can start a deployment, oldest first and in constant memory. Judges none of them."""

from collections.abc import Iterator

from sqlalchemy import select, text

from wharfinger.ledger import schema
from wharfinger.ledger.codes import CODES
from wharfinger.ledger.database import Database
from wharfinger.ledger.reading import CHUNK, Stored, read_query
from wharfinger.ledger.record import RecordKind
from wharfinger.ledger.search import seq_at
from wharfinger.wire.event import Action, Kind

_R = schema.records.c


def pushes_since(database: Database, since_ms: int) -> Iterator[Stored]:
    """Tagged manifests that were pushed, recorded since a time. Each portion is read by itself: nobody waits for it."""
    with database.reading() as connection:
        after = seq_at(connection, since_ms) - 1
    while True:
        query = (
            select(schema.records)
            .where(
                text(schema.NOT_READ),
                _R.seq > after,
                _R.kind == CODES[RecordKind.EVENT],
                _R.action == CODES[Action.PUSH],
                _R.object_kind.in_((CODES[Kind.MANIFEST], CODES[Kind.INDEX])),
                _R.tag != "",
            )
            .order_by(_R.seq)
            .limit(CHUNK)
        )
        with database.reading() as connection:
            found = read_query(connection, database.words, query)
        if not found:
            return
        yield from found
        after = found[-1].seq
