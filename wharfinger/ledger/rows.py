"""An audit record as a row, and back again. The one place that knows which column holds what, and how.

What comes back equals what went in, for a leaf is rebuilt from its row.
"""

from collections.abc import Iterable, Mapping
from operator import itemgetter
from typing import Any, Final

from wharfinger.ledger.codes import CODES, WORDS
from wharfinger.ledger.packing import (
    pack_digest,
    pack_hash,
    pack_id,
    pack_jti,
    pack_uuid,
    unpack_digest,
    unpack_hash,
    unpack_id,
    unpack_jti,
)
from wharfinger.ledger.record import AuditRecord, Personal, RecordKind, event_key
from wharfinger.ledger.words import Word
from wharfinger.wire.jti import has_shape, pack

_PLACE: Final = slice(1, 5)
_HASH_BYTES: Final = 8
CODED: Final = ("kind", "action", "object_kind", "method", "verdict")
PUBLIC_WORDS: Final = ("source", "repository", "media_type", "instance_id", "registry_host", "flags")
PERSONAL_WORDS: Final = ("account", "client_addr", "claimed_addr", "user_agent")
_WORD_KIND: Final = {"from_repository": "repository", "claimed_addr": "client_addr"}
_PLAIN: Final = ("recorded_at", "occurred_at", "tag", "size", "reason", "detail")


def words_of(record: AuditRecord) -> Iterable[Word]:
    """The words a record's row names."""
    for name in PUBLIC_WORDS:
        yield name, getattr(record, name)
    yield "repository", record.from_repository
    yield "credential", _credential(record)
    personal = record.personal
    yield "account", personal.account
    yield "client_addr", personal.client_addr
    yield "client_addr", personal.claimed_addr
    yield "user_agent", personal.user_agent


def to_row(record: AuditRecord, *, seq: int, secret: bytes | None, numbers: Mapping[Word, int]) -> tuple[object, ...]:
    """The row of a record, in the order of the table's columns; ``secret``: None when it is erased.

    Raises:
        KeyError: a word of a fixed vocabulary has no number.
        ValueError: the record would not come back as it is: its raw hash is kept once, as the event's.
    """
    personal = record.personal
    if personal.raw_sha256 != (record.event_sha if record.kind in WITH_RAW else ""):
        raise ValueError("a record's raw hash is its event's")
    return (
        seq,
        CODES[record.kind],
        record.recorded_at,
        record.occurred_at,
        numbers["source", record.source],
        identity_key(record),
        None if record.event_id == _usual_id(record.kind, record.jti) else pack_id(record.event_id),
        pack_hash(record.event_sha),
        CODES[record.action],
        CODES[record.object_kind],
        numbers["repository", record.repository],
        numbers["repository", record.from_repository],
        record.tag,
        pack_digest(record.digest),
        pack_digest(record.previous_digest),
        numbers["media_type", record.media_type],
        record.size,
        CODES[record.method],
        pack_id(record.request_id),
        numbers["instance_id", record.instance_id],
        numbers["registry_host", record.registry_host],
        CODES[record.verdict],
        record.reason,
        numbers["flags", record.flags],
        pack_jti(record.jti),
        numbers["credential", _credential(record)],
        record.detail,
        secret,
        numbers["account", personal.account],
        "" if personal.actor == _usual_actor(record.kind, record.jti, personal.account) else personal.actor,
        numbers["client_addr", personal.client_addr],
        numbers["client_addr", personal.claimed_addr],
        numbers["user_agent", personal.user_agent],
    )


Row = Mapping[str, Any]
"""A row of ``records``, by column."""


def numbers_of(row: Row) -> tuple[int, ...]:
    """The words a row names."""
    numbers: tuple[int, ...] = _WORDS_OF_ROW(row)
    return numbers


_WORDS_OF_ROW: Final = itemgetter(*PUBLIC_WORDS, *PERSONAL_WORDS, "from_repository", "credential")


def from_row(row: Row, texts: Mapping[int, str]) -> AuditRecord:
    """The record of a row; erased values are empty."""
    kind, jti = RecordKind(WORDS[row["kind"]]), unpack_jti(row["jti"])
    event_sha = unpack_hash(row["event_sha"])
    credential_kind, _, credential_id = texts[row["credential"]].partition("/")
    return AuditRecord(
        kind=kind,
        recorded_at=row["recorded_at"],
        occurred_at=row["occurred_at"],
        source=texts[row["source"]],
        event_id=unpack_id(row["event_id"]) or _usual_id(kind, jti),
        event_sha=event_sha,
        action=WORDS[row["action"]],
        object_kind=WORDS[row["object_kind"]],
        repository=texts[row["repository"]],
        from_repository=texts[row["from_repository"]],
        tag=row["tag"],
        digest=unpack_digest(row["digest"]),
        previous_digest=unpack_digest(row["previous_digest"]),
        media_type=texts[row["media_type"]],
        size=row["size"],
        method=WORDS[row["method"]],
        request_id=unpack_id(row["request_id"]),
        instance_id=texts[row["instance_id"]],
        registry_host=texts[row["registry_host"]],
        verdict=WORDS[row["verdict"]],
        reason=row["reason"],
        flags=texts[row["flags"]],
        jti=jti,
        credential_kind=credential_kind,
        credential_id=credential_id,
        detail=row["detail"],
        personal=_personal(kind, jti, event_sha, row, texts),
    )


def _personal(kind: RecordKind, jti: str, event_sha: str, row: Row, texts: Mapping[int, str]) -> Personal:
    if row["secret"] is None:
        return Personal()
    account = texts[row["account"]]
    return Personal(
        account=account,
        actor=row["actor"] or _usual_actor(kind, jti, account),
        client_addr=texts[row["client_addr"]],
        claimed_addr=texts[row["claimed_addr"]],
        user_agent=texts[row["user_agent"]],
        raw_sha256=event_sha if kind in WITH_RAW else "",
    )


WITH_RAW: Final = frozenset({RecordKind.EVENT, RecordKind.QUARANTINE})
"""The kinds whose hash is of something that came, and so personal too."""


def row_key(source: str, event_id: str) -> bytes:
    """What an event is looked for by: where its id belongs in time, as far as it tells, and a hash."""
    return _place_in_time(event_id) + event_key(source, event_id)[:_HASH_BYTES]


def _place_in_time(event_id: str) -> bytes:
    # Registries' newer ids (UUIDs of version 7) and token ids begin with their time. So what is new is written at the index's
    # end and not all over it, which costs a large ledger more than all else; of random ids any four bytes do. Not from the
    # first byte, which changes once in decades: the four then tell quarters of a second.
    packed = pack(event_id) if has_shape(event_id) else pack_uuid(event_id)
    return bytes(_PLACE.stop - _PLACE.start) if packed is None else packed[_PLACE]


def identity_key(record: AuditRecord) -> bytes:
    """What a record is looked for by when it comes again: its id, or the hash of what came when that had none.

    That hash is personal: erased with it, this key is that of nothing, and says nothing of what it was.
    """
    if record.event_id or not record.event_sha:
        return row_key(record.source, record.event_id)
    return content_key(record.source, record.event_sha)


def content_key(source: str, sha256: str) -> bytes:
    """The same, of a hash. No source is called so: what somebody else calls his event is never this."""
    return row_key(f"{source}\x01", sha256)


def _usual_id(kind: str, jti: str) -> str:
    return jti if kind == RecordKind.ISSUANCE else ""


def _usual_actor(kind: RecordKind, jti: str, account: str) -> str:
    # What an event of a token of ours says; not worth a column.
    return f"{account}#{jti}" if kind is RecordKind.EVENT and jti else ""


def _credential(record: AuditRecord) -> str:
    return f"{record.credential_kind}/{record.credential_id}" if record.credential_kind else ""
