"""The audit record and its canonical form, which the log commits to for ever. Pure: salts come in as arguments.

A leaf's entry is JSON in the manner of RFC 8785: keys sorted, no spaces, UTF-8; strings and integers only, empty fields left
out. Each personal field stands in it as a commitment, SHA-256(salt ‖ name ‖ value) in hex, so that the clear value and its
salt can be erased and every proof stays valid. No personal field's name begins with another's: (name, value) is unambiguous.
Fields are only ever added; ``v`` is raised when a field's meaning changes; tests/samples/ledger/ keeps each form.
"""

import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from operator import attrgetter
from typing import Final

import msgspec

FORMAT_VERSION: Final = 1
SALT_BYTES: Final = 16
KEY_BYTES: Final = 16
SECRET_BYTES: Final = 16


class RecordKind(StrEnum):
    """What a record tells of."""

    ISSUANCE = "issuance"
    REFUSAL = "refusal"
    EVENT = "event"
    QUARANTINE = "quarantine"
    """A notification that could not be read."""
    DELIVERY = "delivery"
    """The outcome of one deployment trigger."""
    ALARM = "alarm"
    """A violation of an event, or a fault of the trail itself, that somebody should look at."""
    ERASURE = "erasure"
    """Personal values were erased."""
    PRUNING = "pruning"
    """Old values were removed by the rules of retention."""
    GAP = "gap"
    """A registry may have lost events: it restarted, or fell silent."""
    STEERING = "steering"
    """Somebody told the deployments something: a vote, a pause, that a digest is bad."""


OF_NOBODY: Final = frozenset({RecordKind.ERASURE, RecordKind.PRUNING, RecordKind.GAP})
"""What the log says of itself: without an account, but nobody's who did not say who they are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Personal:
    """What tells of a person, and can be erased. ``raw_sha256`` is the hash of the event as it came (hex)."""

    account: str = ""
    actor: str = ""
    client_addr: str = ""
    claimed_addr: str = ""
    user_agent: str = ""
    raw_sha256: str = ""


PERSONAL_FIELDS: Final = tuple(item.name for item in fields(Personal))
_ENCODED: Final = {name: name.encode() for name in PERSONAL_FIELDS}
_BLOCK_BYTES: Final = 64
_INNER: Final = bytes(byte ^ 0x36 for byte in range(256))
_OUTER: Final = bytes(byte ^ 0x5C for byte in range(256))


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRecord:
    """One record: what happened, to what, by which token. Times are milliseconds since the epoch; empty means not said.

    ``event_id`` and ``event_sha`` (hex) identify what it records within its ``source``: the same pair is recorded once. What
    has no id of its own is known by its hash alone, and after erasure by nothing.
    ``detail`` is JSON text of the kind's further fields, canonical itself.
    """

    kind: RecordKind
    recorded_at: int
    occurred_at: int = 0
    source: str = ""
    event_id: str = ""
    event_sha: str = ""
    action: str = ""
    object_kind: str = ""
    repository: str = ""
    from_repository: str = ""
    tag: str = ""
    digest: str = ""
    previous_digest: str = ""
    """What the tag was before, as far as the trail knows."""
    media_type: str = ""
    size: int = 0
    method: str = ""
    request_id: str = ""
    instance_id: str = ""
    registry_host: str = ""
    verdict: str = ""
    reason: str = ""
    flags: str = ""
    """Remarks, space-joined and sorted: ``addr_differs``, ``id_reused``…"""
    jti: str = ""
    credential_kind: str = ""
    credential_id: str = ""
    detail: str = ""
    personal: Personal = field(default_factory=Personal)

    def with_personal(self, personal: Personal) -> "AuditRecord":
        """The same record with other personal values."""
        return replace(self, personal=personal)


_encoder: Final = msgspec.json.Encoder(order="sorted")
PUBLIC_FIELDS: Final = tuple(item.name for item in fields(AuditRecord) if item.name != "personal")
COMMITTED_FIELDS: Final = tuple(name for name in PUBLIC_FIELDS if name != "event_sha")
"""What a leaf shows in clear. Not the event's hash: unsalted, it would bind what was erased."""
_committed_of: Final[Callable[[AuditRecord], tuple[object, ...]]] = attrgetter(*COMMITTED_FIELDS)


def event_key(source: str, event_id: str) -> bytes:
    """The identity of an event within everything we hear, 16 bytes: ids of two registries may be equal."""
    return hashlib.sha256(source.encode() + b"\x00" + event_id.encode()).digest()[:KEY_BYTES]


def salt(secret: bytes, name: str) -> bytes:
    """A field's own 128-bit salt, from the record's one random secret: erasing that erases them all."""
    return hmac.digest(secret, name.encode(), "sha256")[:SALT_BYTES]


def commitment(salted: bytes, name: str, value: str) -> str:
    """SHA-256(salt ‖ name ‖ value), hex. Raises ValueError for a name that is no personal field's."""
    if name not in PERSONAL_FIELDS:
        raise ValueError(f"not a personal field: {name}")
    return hashlib.sha256(salted + name.encode() + value.encode()).hexdigest()


def commitments(record: AuditRecord, secret: bytes) -> dict[str, str]:
    """The commitments of a record's personal fields that say something, by name."""
    personal, found, sha256 = record.personal, {}, hashlib.sha256
    # As salt and commitment have it (a test says so), with HMAC's two pads made once a record: RFC 2104, section 2.
    padded = secret.ljust(_BLOCK_BYTES, b"\x00")
    inner, outer = padded.translate(_INNER), padded.translate(_OUTER)
    for name, encoded in _ENCODED.items():
        value = getattr(personal, name)
        if value:
            salted = sha256(outer + sha256(inner + encoded).digest()).digest()[:SALT_BYTES]
            found[name] = sha256(salted + encoded + value.encode()).hexdigest()
    return found


def canonical(record: AuditRecord, *, seq: int, committed: dict[str, str]) -> bytes:
    """The record as the log's entry.

    Args:
        record: only its public fields are read.
        seq: its number in the log, from 0: the leaf's index.
        committed: its personal fields' commitments.
    """
    entry = {name: value for name, value in zip(COMMITTED_FIELDS, _committed_of(record), strict=True) if value}
    entry["v"], entry["seq"] = FORMAT_VERSION, seq
    if committed:
        entry["personal"] = committed
    # The same bytes as canonical_json for strings and integers, in a fifth of the time.
    return _encoder.encode(entry)


def canonical_json(value: object) -> bytes:
    """JSON with sorted keys and no spaces, UTF-8; equal to RFC 8785 for our ASCII keys, strings and small integers."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()
