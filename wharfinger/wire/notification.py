"""The record the notifier leaves in Redis: one HTTP body, as it came, with where it came from. Content is not looked at.

The body stands compressed beside the record (field ``body``), or in a spill file that the record names, or not at all when it
was beyond every size a registry can send; then its size and hash stand for it (a tombstone).
"""

import zlib
from typing import Final

import msgspec

from wharfinger.wire.codec import RECORD_FIELD, Sha256, UnreadableRecord, Whole, decode, encode

SCHEMA: Final = 1
MAX_BODY: Final = 33 * 1024 * 1024
"""Bytes. The biggest event a registry was ever made to send is 30.5 MB (4 MiB manifest of ``<`` and a long User-Agent)."""
MAX_INLINE: Final = 64 * 1024
"""Bytes, compressed, that may stand in Redis; what is bigger is spilled to disk."""

_BODY_FIELD: Final = "body"


class Notification(msgspec.Struct, frozen=True, kw_only=True):
    """One notification's envelope: everything but the body."""

    schema: int = SCHEMA
    source: str
    """The configured source whose secret it carried."""
    peer: str
    """The sender's address, as the socket saw it."""
    received_at: Whole
    """Milliseconds since the epoch."""
    size: Whole
    """Bytes of the body as it came."""
    sha256: Sha256
    """Of the body as it came, hex."""
    content_type: str = ""
    spill: str = ""
    """Name of the file below the spill folder that holds the compressed body; empty when it stands in the entry."""
    dropped: bool = False
    """The body was over MAX_BODY and is not kept."""


class StoredNotification(msgspec.Struct, frozen=True):
    """A notification with its compressed body; the body is empty when it is spilled or dropped."""

    notification: Notification
    compressed: bytes


def compress(body: bytes) -> bytes:
    """The form a body is stored in (zlib, RFC 1950; level 1, for ack latency counts for more than bytes)."""
    return zlib.compress(body, 1)


def decompress(compressed: bytes) -> bytes:
    """The body as it came.

    Raises:
        UnreadableRecord: damaged, or beyond MAX_BODY when expanded.
    """
    inflater = zlib.decompressobj()
    try:
        body = inflater.decompress(compressed, MAX_BODY + 1)
    except zlib.error as error:
        raise UnreadableRecord("the stored body is damaged") from error
    if not inflater.eof or len(body) > MAX_BODY:
        raise UnreadableRecord("the stored body is cut off, or too large")
    return body


def to_fields(stored: StoredNotification) -> dict[str, bytes]:
    """The fields of a stream entry."""
    return {RECORD_FIELD: encode(stored.notification), _BODY_FIELD: stored.compressed}


def from_fields(fields: dict[bytes, bytes]) -> StoredNotification:
    """Read an entry of the events' stream. Raises UnreadableRecord."""
    record = decode(Notification, fields.get(RECORD_FIELD.encode(), b""))
    return StoredNotification(record, fields.get(_BODY_FIELD.encode(), b""))
