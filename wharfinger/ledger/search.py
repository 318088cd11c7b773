"""Searching the audit trail, newest first, a page at a time. Decides which index answers; reads nothing that no index finds.

A page's cursor is a record's number, so pages neither skip nor repeat when records are added meanwhile. Times are those of
recording, which never fall from one record to the next: a time is found by halving, and becomes a number too.
"""

import heapq
from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Connection, func, literal_column, select, text
from sqlalchemy.sql import ColumnElement

from wharfinger.ledger import schema
from wharfinger.ledger.codes import CODES
from wharfinger.ledger.database import Database
from wharfinger.ledger.log import read_tree
from wharfinger.ledger.packing import pack_digest, pack_jti
from wharfinger.ledger.reading import Stored, read_records
from wharfinger.ledger.words import Words
from wharfinger.wire.jti import has_shape

MAX_PAGE: Final = 1_000
_CHUNK: Final = 500
_R: Final = schema.records.c


@dataclass(frozen=True, slots=True, kw_only=True)
class Criteria:
    """What to look for; None or empty: whatever it is. All must hold; of several words of one kind, any.

    ``repository`` is a predicate over names with ``*`` in it given by the caller as ``repositories``: it is asked once a name.
    """

    kinds: tuple[str, ...] = ()
    account: str | None = None
    credential: str | None = None
    """``kind/id``, or an id alone."""
    jti: str = ""
    source: str = ""
    repositories: Callable[[str], bool] | None = field(default=None, compare=False)
    tag: str = ""
    digest: str = ""
    actions: tuple[str, ...] = ()
    object_kinds: tuple[str, ...] = ()
    verdicts: tuple[str, ...] = ()
    flag: str = ""
    client_addr: str = ""
    since_ms: int | None = None
    until_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """Records, newest first; ``next`` is the cursor of the page after this, None when there is none."""

    records: tuple[Stored, ...]
    next: int | None


def search(database: Database, criteria: Criteria, *, limit: int = 100, before: int | None = None) -> Page:
    """One page.

    Args:
        database: the ledger.
        criteria: what to look for.
        limit: records, up to MAX_PAGE.
        before: the cursor; None: the newest.

    Raises:
        LedgerUnavailable: the ledger did not answer.
    """
    wanted = min(max(limit, 1), MAX_PAGE)
    with database.reading() as connection:
        span = _span(connection, criteria, before)
        found = list(_numbers(connection, database.words, criteria, span, wanted + 1)) if span.start < span.end else []
        records = read_records(connection, database.words, found[:wanted])
    more = found[wanted - 1] if len(found) > wanted else None
    return Page(tuple(reversed(records)), more)


def newest(
    database: Database, asked: Sequence[Criteria], *, since_ms: int, limit: int, known: Container[int]
) -> tuple[list[list[int]], list[Stored]]:
    """The newest records for several questions, from one time on.

    Args:
        database: the ledger.
        asked: the questions; their own times and cursors are not looked at.
        since_ms: when the oldest of them was recorded, or later.
        limit: records, of each question.
        known: numbers whose records the caller has.

    Returns:
        the numbers that answer each question, newest first, and the records that are not known.

    Raises:
        LedgerUnavailable: the ledger did not answer.
    """
    with database.reading() as connection:
        span = Span(seq_at(connection, since_ms), read_tree(connection).size)
        found = [list(_numbers(connection, database.words, criteria, span, limit)) for criteria in asked]
        unknown = [seq for numbers in found for seq in numbers if seq not in known]
        return found, read_records(connection, database.words, unknown)


def seq_at(connection: Connection, moment_ms: int) -> int:
    """The number of the first record that was recorded at a time or later; the log's size when there is none."""
    low, high = 0, read_tree(connection).size
    while low < high:
        middle = (low + high) // 2
        # Numbers have no gaps but for what was pruned: the next record stands for one that is gone.
        row = connection.execute(select(_R.seq, _R.recorded_at).where(_R.seq >= middle).order_by(_R.seq).limit(1)).one_or_none()
        if row is None or row.recorded_at >= moment_ms:
            high = middle
        else:
            low = row.seq + 1
    return low


@dataclass(frozen=True, slots=True)
class Span:
    """Numbers from ``start`` up to, not including, ``end``."""

    start: int
    end: int


def _span(connection: Connection, criteria: Criteria, before: int | None) -> Span:
    start = 0 if criteria.since_ms is None else seq_at(connection, criteria.since_ms)
    size = read_tree(connection).size
    end = size if criteria.until_ms is None else seq_at(connection, criteria.until_ms)
    return Span(start, end if before is None else min(end, before))


def _numbers(connection: Connection, words: Words, criteria: Criteria, span: Span, limit: int) -> Iterator[int]:
    conditions = _conditions(connection, words, criteria)
    if conditions is None:
        return
    repositories = None
    if criteria.repositories is not None:
        known = words.all_of(connection, "repository")
        repositories = [number for name, number in known.items() if criteria.repositories(name)]
        if not repositories:
            return
    within = (_R.seq >= span.start, _R.seq < span.end)
    driving, others = _split(conditions)
    if repositories is not None and driving is None:
        yield from _merged(connection, repositories, span, others, limit)
        return
    if repositories is not None:
        others.append((_R.repository + 0).in_(repositories))
    query = select(_R.seq).where(*within, *others, *([] if driving is None else [driving])).order_by(_R.seq.desc()).limit(limit)
    yield from connection.execute(query).scalars()


@dataclass(frozen=True, slots=True)
class _Condition:
    """A condition on one column: how an index answers it (None: none does), and how it is checked beside another's index."""

    indexed: ColumnElement[bool] | None
    checked: ColumnElement[bool]


def _split(conditions: Sequence[_Condition]) -> tuple[ColumnElement[bool] | None, list[ColumnElement[bool]]]:
    """The first that an index answers leads; the others are checked on what it finds, and must not lead the planner astray."""
    leader = next((one for one in conditions if one.indexed is not None), None)
    others = [one.checked for one in conditions if one is not leader]
    return (None if leader is None else leader.indexed), others


def _conditions(connection: Connection, words: Words, criteria: Criteria) -> list[_Condition] | None:
    """The conditions, the most selective index first; None when something asked for is not in the ledger at all."""
    found: list[_Condition] = []
    if criteria.jti:
        if not has_shape(criteria.jti):
            return None
        jti = pack_jti(criteria.jti) or b""
        found.append(_hashed(_R.jti, jti, 1, jti[:8]))
    if criteria.digest:
        digest = pack_digest(criteria.digest) or b""
        found.append(_hashed(_R.digest, digest, 2, digest[1:9]))
    for kind, column, value in (
        ("account", _R.account, criteria.account),
        ("client_addr", _R.client_addr, criteria.client_addr or None),
    ):
        if value == "":
            found.append(_plain(column, 0))
        elif value is not None:
            number = words.existing(connection, kind, [value]).get(value)
            if number is None:
                return None
            found.append(_plain(column, number))
    if criteria.credential is not None:
        known = words.all_of(connection, "credential")
        numbers = [number for text, number in known.items() if criteria.credential in (text, text.partition("/")[2])]
        if not numbers:
            return None
        found.append(_Condition(_R.credential.in_(numbers), (_R.credential + 0).in_(numbers)))
    rare = _rare(connection, words, criteria)
    return None if rare is None else found + rare


def _rare(connection: Connection, words: Words, criteria: Criteria) -> list[_Condition] | None:
    found: list[_Condition] = []
    if criteria.flag:
        numbers = [number for text, number in words.all_of(connection, "flags").items() if criteria.flag in text.split()]
        if not numbers:
            return None
        found.append(_partial(_R.flags, numbers, schema.FLAGGED))
    for column, wanted, common, index in (
        (_R.verdict, criteria.verdicts, {"exact"}, schema.NOT_EXACT),
        (_R.kind, criteria.kinds, {"event"}, schema.NOT_EVENT),
        (_R.action, criteria.actions, {"pull", "probe"}, schema.NOT_READ),
    ):
        if wanted:
            codes = [CODES[word] for word in wanted]
            is_rare = not set(wanted) & common
            found.append(_partial(column, codes, index) if is_rare else _only_checked(column, codes))
    if criteria.object_kinds:
        found.append(_only_checked(_R.object_kind, [CODES[word] for word in criteria.object_kinds]))
    if criteria.tag:
        found.append(_Condition(None, _R.tag == criteria.tag))
    if criteria.source:
        number = words.existing(connection, "source", [criteria.source]).get(criteria.source)
        if number is None:
            return None
        found.append(_Condition(None, _R.source == number))
    return found


def _hashed(column: ColumnElement[Any], value: bytes, first: int, part: bytes) -> _Condition:
    whole = column == value
    # Literal numbers: an index over an expression is only found by the very same expression.
    prefix = func.substr(column, literal_column(str(first)), literal_column("8"))
    return _Condition((prefix == part) & whole, whole)


def _plain(column: ColumnElement[Any], number: int) -> _Condition:
    return _Condition(column == number, column + 0 == number)


def _partial(column: ColumnElement[Any], codes: Sequence[int], condition: str) -> _Condition:
    # A partial index is only found by its own condition, to the letter.
    return _Condition(column.in_(codes) & text(condition), (column + 0).in_(codes))


def _only_checked(column: ColumnElement[Any], codes: Sequence[int]) -> _Condition:
    return _Condition(None, (column + 0).in_(codes))


def _merged(
    connection: Connection, repositories: Sequence[int], span: Span, conditions: Sequence[ColumnElement[bool]], limit: int
) -> Iterator[int]:
    """The newest records of several repositories, merged: only as much of each is read as is needed, and of most nothing."""
    chunk = max(2, 2 * limit // len(repositories) + 1)

    def page(repository: int, below: int) -> list[int]:
        query = select(_R.seq).where(_R.repository == repository, _R.seq >= span.start, _R.seq < below, *conditions)
        return list(connection.execute(query.order_by(_R.seq.desc()).limit(chunk)).scalars())

    # What a repository can give at most, by one look into its index; it is asked only when that is more than all others gave.
    heap: list[tuple[int, int, list[int] | None]] = [
        (-newest, repository, None) for repository, newest in _newest(connection, repositories, span) if newest >= span.start
    ]
    heapq.heapify(heap)
    given = 0
    while heap and given < limit:
        negative, repository, rest = heapq.heappop(heap)
        if rest is None:
            following = page(repository, -negative + 1)
        else:
            yield -negative
            given += 1
            following = rest or page(repository, -negative)
        if following:
            heapq.heappush(heap, (-following[0], repository, following[1:]))


def _newest(connection: Connection, repositories: Sequence[int], span: Span) -> Iterator[tuple[int, int]]:
    word = schema.words.c
    latest = select(func.max(_R.seq)).where(_R.repository == word.id, _R.seq < span.end).scalar_subquery()
    for at in range(0, len(repositories), _CHUNK):
        query = select(word.id, latest).where(word.id.in_(repositories[at : at + _CHUNK]))
        yield from ((row[0], row[1]) for row in connection.execute(query) if row[1] is not None)
