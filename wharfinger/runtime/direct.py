"""Answers plain requests straight from the socket, and hands a connection that brings any other to aiohttp, for good.

A token service answers little else, and aiohttp's share of an answer, or of a connection made for one, was larger than the
token's. Only what ``plain`` reads is answered here: whole in one piece, nothing behind it, no second one before the first is
answered. So where a request ends is never decided here in another way than there. Bounds of a connection: ``connections``.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from typing import Final, cast

from wharfinger.runtime.connections import Connections, address_of
from wharfinger.runtime.plain import PlainGet, plain_get

DATE_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer with its whole body. ``headers``: without those that say where it ends."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


Answering = Callable[[PlainGet, str], Awaitable[Reply]]
"""Answers a request of a peer's address, which is empty on a unix socket. What it raises is a mistake of ours."""

_MISTAKEN: Final = Reply(500, (("Content-Type", "text/plain; charset=utf-8"),), b"Internal error.\n")


class Lane:
    """The connections that have brought plain requests only. ``other``: aiohttp's protocol for the rest."""

    def __init__(
        self,
        answers: Mapping[str, Answering],
        connections: Connections,
        other: Callable[[], asyncio.Protocol],
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self.answers = answers
        self.connections = connections
        self.other = other
        self.loop = loop
        self.stopping = False
        self.open: set[DirectConnection] = set()
        self._date = b""
        self._date_until = 0.0

    def accept(self) -> asyncio.Protocol:
        """The protocol of a new connection."""
        return DirectConnection(self)

    def stop(self) -> None:
        """Take no more requests."""
        self.stopping = True
        for one in list(self.open):
            if one.waits():
                one.drop()

    async def shutdown(self, within_s: float | None) -> None:
        """Wait so long for the answers under way; then every connection is closed."""
        self.stop()
        if answering := [one.answering for one in self.open if one.answering is not None]:
            _, late = await asyncio.wait(answering, timeout=within_s)
            for task in late:
                task.cancel()
        for one in list(self.open):
            one.drop()

    def rendered(self, reply: Reply, *, goes_on: bool) -> bytes:
        """An answer's bytes."""
        now = self.loop.time()
        if now >= self._date_until:
            self._date, self._date_until = formatdate(usegmt=True).encode(), now + DATE_S
        end = b"\r\n\r\n" if goes_on else b"\r\nConnection: close\r\n\r\n"
        head = _head(reply.status, reply.headers)
        return b"%bContent-Length: %d\r\nDate: %b%b%b" % (head, len(reply.body), self._date, end, reply.body)


class DirectConnection(asyncio.Protocol):
    """One connection. ``answering``: the answer under way."""

    def __init__(self, lane: Lane) -> None:
        self.answering: asyncio.Task[None] | None = None
        self._lane = lane
        self._transport: asyncio.Transport
        self._peer = ""
        self._behind = b""
        self._timer: asyncio.TimerHandle | None = None
        self._until = 0.0
        """When it is closed, if nothing is asked."""
        self._answer_timer: asyncio.TimerHandle | None = None

    def waits(self) -> bool:
        """Whether it has no request under way."""
        return self.answering is None

    def drop(self) -> None:
        """Close it at once."""
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It was accepted."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's own is no subclass of it
        self._peer = address_of(transport.get_extra_info("peername"))
        lane = self._lane
        self._until = lane.loop.time() + lane.connections.bounds.head_s
        self._look()
        lane.open.add(self)
        lane.connections.opened(self)

    def data_received(self, data: bytes) -> None:
        """Some bytes: one whole plain request, or something for aiohttp."""
        if self.answering is not None or self._behind:
            # Sent before it was answered. Whoever judges the next request has all that came since the last one.
            self._behind += data
            self._transport.pause_reading()
            return
        lane = self._lane
        asked = plain_get(data)
        answer = None if asked is None else lane.answers.get(asked.path)
        if asked is None or answer is None:
            self._hand_over(data)
            return
        lane.connections.asked(self)
        self.answering = lane.loop.create_task(self._answer(answer, asked))

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's
        """It is closed, by whomever; an answer under way is finished, for what it records."""
        self._leave()

    def pause_writing(self) -> None:
        """Answers do not fit into the socket: nothing more is read until some is taken."""
        self._transport.pause_reading()
        self._answer_timer = self._lane.loop.call_later(self._lane.connections.bounds.answer_s, self.drop)

    def resume_writing(self) -> None:
        """Some of it was taken."""
        if self._answer_timer is not None:
            self._answer_timer.cancel()
            self._answer_timer = None
        self._transport.resume_reading()

    async def _answer(self, answer: Answering, asked: PlainGet) -> None:
        lane = self._lane
        try:
            reply = await answer(asked, self._peer)
        except Exception as error:  # noqa: BLE001 - the outermost frame of a request: whatever it is, it is answered
            lane.connections.failed(error)
            reply = _MISTAKEN
        self.answering = None
        if self._transport.is_closing():
            return
        goes_on = asked.goes_on and not lane.stopping
        self._transport.write(lane.rendered(reply, goes_on=goes_on))
        if not goes_on:
            self._until = lane.loop.time() + lane.connections.bounds.answer_s
            self._transport.close()
        elif self._behind:
            self._hand_over(self._behind)
        else:
            self._until = lane.loop.time() + lane.connections.bounds.idle_s

    def _hand_over(self, data: bytes) -> None:
        self._leave()
        inner = self._lane.other()
        self._transport.set_protocol(inner)
        inner.connection_made(self._transport)
        if self._answer_timer is not None:  # else it would hear only that it may go on
            inner.pause_writing()
        if self._behind:
            self._transport.resume_reading()
        inner.data_received(data)

    def _look(self) -> None:
        bounds, now = self._lane.connections.bounds, self._lane.loop.time()
        if self.answering is None and now >= self._until:
            self.drop()
            return
        # One timer, looked at now and then: setting one anew for each request would cost more than all else here.
        self._timer = self._lane.loop.call_later(min(bounds.head_s, bounds.idle_s), self._look)

    def _leave(self) -> None:
        self._lane.open.discard(self)
        self._lane.connections.closed(self)
        for timer in (self._timer, self._answer_timer):
            if timer is not None:
                timer.cancel()


@lru_cache(maxsize=64)
def _head(status: int, headers: tuple[tuple[str, str], ...]) -> bytes:
    """The status line and headers: few, which come again and again."""
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}", *(f"{name}: {value}" for name, value in headers)]
    return "".join(f"{line}\r\n" for line in lines).encode()
