"""Heads of requests, before aiohttp reads them: a second Content-Type is left out, for its parser would refuse the request.

A registry adds the headers of its configuration to its own, so one that is told a Content-Type sends two, in every release. It
would repeat the event that got a 400 for ever, and send nothing else. Only this header is treated so: a second Content-Length,
Transfer-Encoding or Host stays the fault that it is. Only a connection's first request is: a registry opens one for each event.
"""

import asyncio
from typing import Final

MAX_HEAD: Final = 256 * 1024
"""Bytes held back of a head without an end; what is longer goes on as it is."""
_POST: Final = b"POST "
_END: Final = b"\r\n\r\n"
_NAME: Final = b"content-type:"


def with_one_content_type(head: bytes) -> bytes:
    """A request's head with only the first of its Content-Types; all else as it was."""
    kept, seen = [], False
    for line in head.split(b"\r\n"):
        is_one = line[: len(_NAME)].lower() == _NAME
        if not (is_one and seen):
            kept.append(line)
        seen = seen or is_one
    return b"\r\n".join(kept)


class FirstHead(asyncio.Protocol):
    """A protocol before another: holds the head of a connection's first POST until it is whole, then gives its place to it."""

    def __init__(self, inner: asyncio.Protocol) -> None:
        self._inner = inner
        self._transport: asyncio.BaseTransport | None = None
        self._held = bytearray()
        self._passed = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Hand on."""
        self._transport = transport
        self._inner.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        """Hand on, once the head is whole or cannot be one of a POST."""
        if self._passed:
            self._inner.data_received(data)
            return
        if not self._held and data and not data.startswith(_POST[:1]):  # most requests: nothing of them is held
            self._give_place()
            self._inner.data_received(data)
            return
        self._held += data
        may_be_post = _POST.startswith(self._held[: len(_POST)])
        if not may_be_post or _END in self._held or len(self._held) > MAX_HEAD:
            self._pass()

    def eof_received(self) -> bool | None:
        """Hand on, after what was held."""
        if not self._passed:
            self._pass()
        return self._inner.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        """Hand on."""
        self._inner.connection_lost(exc)

    def pause_writing(self) -> None:
        """Hand on."""
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        """Hand on."""
        self._inner.resume_writing()

    def _pass(self) -> None:
        held, self._held = bytes(self._held), bytearray()
        self._give_place()
        head, end, body = held.partition(_END)
        if end and head.startswith(_POST):
            held = with_one_content_type(head) + end + body
        if held:
            self._inner.data_received(held)

    def _give_place(self) -> None:
        self._passed = True
        if self._transport is not None:
            self._transport.set_protocol(self._inner)
