"""Reads requests so plain that everybody reads them alike: a GET with nothing behind its head. Whatever is not is not read.

That is what stock clients send for a token, each time. What is odd in any way, well-formed or not, is for a whole parser to
judge: another version, method or form of target, a body or its announcement, an offer to upgrade, any header a second time
(some of which a parser takes twice, and some not).

Source: RFC 9112, sections 2.2, 3.2.1, 5.1 and 9.3.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

MAX_SIZE: Final = 16 * 1024
"""Bytes of a head; a longer one is not plain. Well below what the service takes in a line."""
MAX_FIELDS: Final = 64

# Possessive: each part ends where it must, so that no input makes the match go back.
_HEAD: Final = re.compile(
    rb"GET (/[!-\"$->@-~]*+)(?:\?([!-\"$-~]*+))? HTTP/1\.1\r\n"
    rb"((?:[!#$%&'*+.^_`|~0-9A-Za-z-]++:[\t -~\x80-\xff]*+\r\n)++)\r\n"
)
# The last is no header of HTTP, but aiohttp's parser takes it for Connection.
_NOT_PLAIN: Final = frozenset({
    "content-length", "transfer-encoding", "upgrade", "expect", "http2-settings", "trailer", "proxy-connection",
})  # fmt: skip
_GOES_ON: Final = {"keep-alive": True, "close": False}


@dataclass(frozen=True, slots=True)
class PlainGet:
    """A plain request. ``query``: as it came. ``goes_on``: the connection is kept for another.

    ``fields``: headers' one value each by name in small letters; bytes that are no UTF-8 as surrogates, as aiohttp has them.
    """

    path: str
    query: str
    fields: Mapping[str, Sequence[str]] = field(repr=False)
    goes_on: bool


def plain_get(data: bytes) -> PlainGet | None:
    """Read what came of a connection at once. None: it is not one whole plain request."""
    found = _HEAD.fullmatch(data) if len(data) <= MAX_SIZE else None
    if found is None:
        return None
    path, query, block = found.groups(b"")
    lines = block.decode("utf-8", "surrogateescape").split("\r\n")
    if len(lines) > MAX_FIELDS:
        return None
    fields: dict[str, Sequence[str]] = {}
    for line in lines[:-1]:
        name, _, value = line.partition(":")
        fields[name.lower()] = (value.strip(" \t"),)
    if len(fields) < len(lines) - 1 or "host" not in fields or not _NOT_PLAIN.isdisjoint(fields):
        return None
    goes_on = _GOES_ON.get(fields["connection"][0].lower()) if "connection" in fields else True
    if goes_on is None:
        return None
    return PlainGet(path.decode("ascii"), query.decode("ascii"), fields, goes_on)
