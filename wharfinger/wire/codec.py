"""The codec of every record between processes: JSON by msgspec, in both directions. Knows no record by name.

JSON and not MessagePack, for the streams are a public interface that people read with ``redis-cli``.
Records only ever gain fields, with defaults: a reader ignores what it does not know, and a golden file for each schema
version stays in tests/samples/ for ever.
"""

from typing import Annotated, Final, TypeVar

import msgspec

RECORD_FIELD: Final = "record"
"""The field of a stream entry that holds the record; binary parts stand in fields of their own."""

Whole = Annotated[int, msgspec.Meta(ge=0, le=2**53 - 1)]
"""A count, size or time of a record: as large as JSON's readers agree on, and its thousandfold fits SQL's 64 bits."""
Sha256 = Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{64}\Z")]

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
