"""Reads the head of an HTTP/1 message as far as a relay must: where its body ends, and whether the connection goes on.

What two readers could understand in two ways is not read at all: the relay then lets bytes through without looking, and it is
the server behind it that decides, as it would alone. Source: RFC 9112, sections 2.2, 5.1, 6.3 and 9.3.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

END_OF_HEAD: Final = re.compile(rb"\r?\n\r?\n")
MAX_HEAD: Final = 64 * 1024
_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", re.ASCII)
_REQUEST_LINE: Final = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+) (\S+) HTTP/1\.([01])", re.ASCII)
_STATUS_LINE: Final = re.compile(r"HTTP/1\.([01]) ([1-5][0-9][0-9])(?: .*)?", re.ASCII)
_CHUNK_SIZE: Final = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;.*)?\r\n")
_NO_BODY: Final = frozenset({204, 304})


class Ends(StrEnum):
    """What tells where a body ends."""

    LENGTH = "length"
    CHUNKS = "chunks"
    CLOSE = "close"


@dataclass(frozen=True, slots=True)
class Body:
    """How a body is delimited. ``size``: its bytes, where a length says so."""

    ends: Ends
    size: int = 0


@dataclass(frozen=True, slots=True)
class RequestHead:
    """A request without its body. ``fields``: by name in small letters, values as they came, in their order."""

    method: str
    path: str
    query: str
    fields: Mapping[str, tuple[str, ...]] = field(repr=False)
    body: Body
    goes_on: bool


@dataclass(frozen=True, slots=True)
class ResponseHead:
    """An answer without its body. ``last``: not one that only announces another (1xx)."""

    status: int
    body: Body
    goes_on: bool
    last: bool


def request_head(data: bytes) -> RequestHead | None:
    """Read a request's head, its empty line included; None: not one that everybody reads alike."""
    lines = _lines(data)
    line = None if lines is None else _REQUEST_LINE.fullmatch(lines[0])
    fields = None if lines is None or line is None else _fields(lines[1:])
    if line is None or fields is None or "upgrade" in fields or line[1] == "CONNECT":
        return None
    body = _declared(fields)
    if body is None or (body.ends is Ends.CHUNKS and line[3] == "0"):
        return None
    path, _, query = line[2].partition("?")
    return RequestHead(line[1], path, query, fields, body, _goes_on(fields, line[3]))


def response_head(data: bytes, *, method: str) -> ResponseHead | None:
    """Read an answer's head; ``method`` of its request, for a HEAD has no body. None: not one that everybody reads alike."""
    lines = _lines(data)
    line = None if lines is None else _STATUS_LINE.fullmatch(lines[0])
    fields = None if lines is None or line is None else _fields(lines[1:])
    if line is None or fields is None:
        return None
    status, announces = int(line[2]), line[2].startswith("1")
    if status == 101:  # noqa: PLR2004 - HTTP's own number: what follows is no HTTP
        return None
    if announces or status in _NO_BODY or method == "HEAD":
        body: Body | None = Body(Ends.LENGTH)
    elif not {"content-length", "transfer-encoding"} & fields.keys():
        body = Body(Ends.CLOSE)
    else:
        body = _declared(fields)
    if body is None:
        return None
    return ResponseHead(status, body, body.ends is not Ends.CLOSE and _goes_on(fields, line[1]), last=not announces)


def chunk_size(line: bytes) -> int | None:
    """The size of the chunk that a line announces; 0: the last. None: no such line."""
    found = _CHUNK_SIZE.fullmatch(line)
    return None if found is None else int(found[1], 16)


def _lines(data: bytes) -> list[str] | None:
    text = data.decode("latin-1")
    if not text.endswith("\r\n\r\n"):
        return None
    lines = text[:-4].split("\r\n")
    # A bare CR or LF ends a line for some readers, for others it does not.
    return None if any("\r" in line or "\n" in line or "\x00" in line for line in lines) else lines


def _fields(lines: list[str]) -> dict[str, tuple[str, ...]] | None:
    fields: dict[str, tuple[str, ...]] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        # A space before the colon, or at the start of a line that goes on with the one before, is read in many ways.
        if not colon or _TOKEN.fullmatch(name) is None:
            return None
        fields[name.lower()] = (*fields.get(name.lower(), ()), value.strip(" \t"))
    return fields


def _declared(fields: Mapping[str, tuple[str, ...]]) -> Body | None:
    lengths, encodings = fields.get("content-length", ()), fields.get("transfer-encoding", ())
    if encodings:
        plain = not lengths and len(encodings) == 1 and encodings[0].lower() == "chunked"
        return Body(Ends.CHUNKS) if plain else None
    if not lengths:
        return Body(Ends.LENGTH)
    (length, *others) = lengths
    return Body(Ends.LENGTH, int(length)) if not others and length.isascii() and length.isdigit() else None


def _goes_on(fields: Mapping[str, tuple[str, ...]], minor: str) -> bool:
    options = {option.strip().lower() for value in fields.get("connection", ()) for option in value.split(",")}
    return "close" not in options and (minor == "1" or "keep-alive" in options)
