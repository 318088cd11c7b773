"""The journal's form: a record a line, with its length and checksum, so that a torn write is told from a whole one. No I/O.

``KIND LENGTH CRC32 RECORD`` and a line feed, length and checksum in eight hex digits, the record as it goes to Redis. Lines, so
that damage ends at the next one, and that people can read what waits. The checksum tells what a crash tore, not what a person
changed: the folder is its owner's alone.
"""

import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

_ENTRY: Final = re.compile(rb"([a-z]+) ([0-9a-f]{8}) ([0-9a-f]{8}) (.*)", re.DOTALL)
_END: Final = b"\n"


class Kind(StrEnum):
    """What is recorded."""

    ISSUANCE = "issuance"
    REFUSAL = "refusal"


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """A record, encoded. Its encoding has no line's end in it: JSON escapes them."""

    kind: Kind
    record: bytes


@dataclass(frozen=True, slots=True)
class Damaged:
    """Bytes between two line's ends that are no entry."""

    size: int


@dataclass(frozen=True, slots=True)
class Piece:
    """A line of the journal, and how many bytes of it were read up to its end."""

    found: JournalEntry | Damaged
    upto: int


def written(entry: JournalEntry) -> bytes:
    """An entry's line."""
    checked = zlib.crc32(entry.record, zlib.crc32(entry.kind.encode()))
    return b"%s %08x %08x %s\n" % (entry.kind.encode(), len(entry.record), checked, entry.record)


def read(data: bytes) -> Iterator[Piece]:
    """The whole lines of a part of the journal that starts with one, in order. What follows the last line's end is left out."""
    start = 0
    while (end := data.find(_END, start)) >= 0:
        line = data[start:end]
        start = end + 1
        yield Piece(_entry(line) or Damaged(len(line)), start)


def _entry(line: bytes) -> JournalEntry | None:
    matched = _ENTRY.fullmatch(line)
    if matched is None or matched[1] not in {kind.encode() for kind in Kind}:
        return None
    entry = JournalEntry(Kind(matched[1].decode()), matched[4])
    return entry if written(entry) == line + _END else None
