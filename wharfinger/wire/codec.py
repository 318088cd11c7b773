"""The codec of every record between processes: JSON by msgspec, in both directions. Knows no record by name.

JSON and not MessagePack, for the streams are a public interface that people read with ``redis-cli``.
Records only ever gain fields, with defaults: a reader ignores what it does not know, and a golden file for each schema
version stays in tests/samples/ for ever.
"""

from typing import Final, TypeVar

import msgspec

RECORD_FIELD: Final = "record"
"""The field of a stream entry that holds the record; binary parts stand in fields of their own."""

_encoder: Final = msgspec.json.Encoder()
RecordT = TypeVar("RecordT")


class UnreadableRecord(Exception):  # noqa: N818 - a fault of the peer, named for what it is
    """A record that this version cannot read: damaged, or of a writer we do not know."""


def encode(record: object) -> bytes:
    """One record as JSON, UTF-8, without spaces."""
    return _encoder.encode(record)


def decode(kind: type[RecordT], data: bytes) -> RecordT:
    """Read one record.

    Raises:
        UnreadableRecord: with the place of the fault, never with the content.
    """
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise UnreadableRecord(f"not a {kind.__name__}: {type(error).__name__}") from error
