"""Records read back in batches, with what hangs on them: stored events, kept commitments, the rows of tokens and deliveries."""

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

from sqlalchemy import Connection, and_, exists, literal_column, not_, or_, select

from wharfinger.ledger import schema
from wharfinger.ledger.codes import CODES
from wharfinger.ledger.log import read_tree
from wharfinger.ledger.record import RecordKind
from wharfinger.ledger.rows import Row, numbers_of
from wharfinger.ledger.tiles import WIDTH, split
from wharfinger.ledger.values import DeliveryState
from wharfinger.ledger.verification.findings import Report, What
from wharfinger.ledger.verification.rebuilding import (
    Dictionary,
    Rebuilt,
    issuance_problem,
    misfiled,
    raw_problem,
    rebuild,
)
from wharfinger.ledger.verification.told import ToldErasures
from wharfinger.wire.event import Action

BATCH: Final = 2_048
"""Records at a time: eight tiles."""
MAX_WORDS: Final = 200_000
_R, _RAW, _ERASED, _ISSUED = schema.records, schema.raw_events, schema.erased, schema.issuances
_QUERY: Final = select(
    *_R.c, _RAW.c.body, _ERASED.c.commitments, _ISSUED.c.jti.label("issued_jti"), _ISSUED.c.expires_at.label("issued_exp")
).select_from(
    _R.outerjoin(_RAW, _RAW.c.seq == _R.c.seq)
    .outerjoin(_ERASED, _ERASED.c.seq == _R.c.seq)
    .outerjoin(_ISSUED, _ISSUED.c.seq == _R.c.seq)
)
_NAMES: Final = tuple(column.name for column in _QUERY.selected_columns)
_ENDED: Final = frozenset(
    {
        DeliveryState.DELIVERED, DeliveryState.UNCHANGED, DeliveryState.SUPERSEDED, DeliveryState.TAG_MISSING,
        DeliveryState.REFUSED, DeliveryState.UNDONE, DeliveryState.FAILED,
    }
)  # fmt: skip
"""States that a worker ends a delivery in; what people do to one has records of its own."""

Records = Mapping[int, Rebuilt | str]
"""By number: the record, or why its row cannot be read."""


def leaves_of(tiles: Mapping[int, bytes]) -> dict[int, bytes]:
    """The hashes of tiles of level 0, by the number of their record."""
    return {number * WIDTH + at: leaf for number, hashes in tiles.items() for at, leaf in enumerate(split(hashes))}


class Batches:
    """Reads records and tells what is wrong with each, leaves aside."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._texts: dict[int, tuple[str, str]] = {}
        self._epoch = -1
        self._told = ToldErasures()

    def read(self, connection: Connection, start: int, end: int, leaves: Mapping[int, bytes]) -> Records:
        """The records from one number up to, not including, another. ``leaves``: their hashes, as the tiles have them."""
        query = _QUERY.where(_R.c.seq >= start, _R.c.seq < end).order_by(_R.c.seq)
        rows = [dict(zip(_NAMES, row, strict=True)) for row in connection.execute(query)]
        words = self._words(connection, {number for row in rows for number in numbers_of(row)})
        numbers = Dictionary({word: number for number, word in words.items()})
        texts = {number: text for number, (_, text) in words.items()}
        found = {row["seq"]: self._record(row, texts, numbers, leaves) for row in rows}
        # What cannot be read is told of already.
        erased = [row["seq"] for row in rows if row["secret"] is None and isinstance(found[row["seq"]], Rebuilt)]
        for seq in sorted(self._told.untold(connection, erased)):
            self._report.findings.add(What.UNTOLD, "its personal values are gone, and no erasure of the log tells of it", seq)
        self._report.records += len(rows)
        self._look_at_deliveries(connection, found)
        return found

    def _record(self, row: Row, texts: Mapping[int, str], numbers: Dictionary, leaves: Mapping[int, bytes]) -> Rebuilt | str:
        rebuilt = rebuild(row, texts)
        if isinstance(rebuilt, str):
            return rebuilt
        add = self._report.findings.add
        self._report.erased += row["secret"] is None
        if leaves.get(rebuilt.seq) == rebuilt.leaf and (columns := misfiled(row, rebuilt, numbers)):
            problem = f"kept in another form than we write, so that questions may miss it: {', '.join(columns)}"
            add(What.MISFILED, problem, rebuilt.seq)
        if row["body"] is not None:
            self._report.raw_events += 1
            if problem := raw_problem(row, rebuilt):
                add(What.RAW_EVENT, problem, rebuilt.seq)
        if row["issued_jti"] is not None and (problem := issuance_problem(row, rebuilt, _detail(rebuilt))):
            add(What.BESIDE, problem, rebuilt.seq)
        return rebuilt

    def _words(self, connection: Connection, wanted: set[int]) -> dict[int, tuple[str, str]]:
        """Kind and text of each number; empty for one that is no word's. Never remembered by the rest of the process."""
        epoch = read_tree(connection).epoch
        if epoch != self._epoch or len(self._texts) > MAX_WORDS:
            self._texts, self._epoch = {0: ("", "")}, epoch
        missing = [number for number in wanted if number not in self._texts]
        table = schema.words.c
        for at in range(0, len(missing), 500):
            chunk = missing[at : at + 500]
            for row in connection.execute(select(table.id, table.kind, table.text).where(table.id.in_(chunk))):
                kind = schema.WORD_KINDS[row.kind - 1] if 0 < row.kind <= len(schema.WORD_KINDS) else ""
                self._texts[row.id] = kind, row.text
        return {number: self._texts.get(number, ("", "")) for number in wanted}

    def _look_at_deliveries(self, connection: Connection, records: Records) -> None:
        outcomes = [
            (one, detail)
            for one in records.values()
            if isinstance(one, Rebuilt) and one.record.kind is RecordKind.DELIVERY and (detail := _detail(one)).get("delivery")
        ]
        table = schema.deliveries
        for at in range(0, len(outcomes), 500):
            chunk = outcomes[at : at + 500]
            query = select(table).where(table.c.id.in_([str(detail["delivery"]) for _, detail in chunk]))
            rows = {row["id"]: row for row in connection.execute(query).mappings()}
            for one, detail in chunk:
                row = rows.get(detail["delivery"])
                if row is not None and (problem := _delivery_problem(one, detail, row)):
                    self._report.findings.add(What.BESIDE, problem, one.seq)


def _delivery_problem(one: Rebuilt, detail: Mapping[str, Any], row: Mapping[Any, Any]) -> str:
    told = detail.get("rule"), detail.get("target"), detail.get("push")
    if told != (row["rule"], row["target"], row["seq"]):
        return f"the row of delivery {row['id']} names another rule, target or push than its outcome does"
    _, _, fence = one.record.event_id.rpartition("/")
    if not fence.isdigit() or row["fence"] < int(fence):
        return f"the row of delivery {row['id']} was claimed less often than its outcome says"
    outcome = one.record.verdict, one.record.reason
    if row["fence"] == int(fence) and row["state"] in _ENDED and (row["state"], row["reason"]) != outcome:
        return f"the row of delivery {row['id']} says {row['state']} {row['reason']}, its outcome was {' '.join(outcome)}"
    return ""


def _detail(one: Rebuilt) -> dict[str, Any]:
    try:
        detail = json.loads(one.record.detail or "{}")
    except (ValueError, RecursionError):
        return {}
    return detail if isinstance(detail, dict) else {}


def look_at_tags(connection: Connection, report: Report) -> None:
    """Each tag's row is what the last record that moved the tag says."""
    for problem in _tag_problems(connection):
        report.findings.add(What.BESIDE, problem)


def _tag_problems(connection: Connection) -> Iterable[str]:
    tags, record, newer = schema.tags.c, _R.c, _R.alias("newer").c
    moved = (CODES[Action.PUSH], CODES[Action.UNTAG])
    same = record.source == tags.source, record.repository == tags.repository, record.tag == tags.tag
    fits = and_(*same, record.kind == CODES[RecordKind.EVENT], record.action.in_(moved))
    overtaken = exists().where(
        newer.repository == tags.repository,
        newer.tag == tags.tag,
        newer.tag != literal_column("''"),  # to the letter, or the index is not found
        newer.source == tags.source,
        newer.seq > tags.seq,
        newer.kind == CODES[RecordKind.EVENT],
        newer.action.in_(moved),
    )
    # What made a tag what it is may be pruned since; whether rightly, the record's leaf tells.
    pruned = exists().where(schema.pruned.c.seq == tags.seq)
    differs = or_(not_(fits), record.digest.is_distinct_from(tags.digest))
    query = (
        select(schema.words.c.text, tags.tag, tags.seq)
        .select_from(
            schema.tags.outerjoin(_R, record.seq == tags.seq).outerjoin(schema.words, schema.words.c.id == tags.repository)
        )
        .where(or_(and_(record.seq.is_(None), ~pruned), and_(record.seq.is_not(None), differs), overtaken))
    )
    for row in connection.execute(query):
        yield f"the row of tag {row.text}:{row.tag} is not what record {row.seq}, or a later one, says of it"
