"""What one connection may cost, how many there may be, and where one request ends: bounds around aiohttp's own.

aiohttp bounds a line and a header, closes a connection that stays idle, and leaves the time a body takes to the service. Here
is the rest: a request's head must come in time, the first one counted from the connection's start; all of a head has a size;
an answer must be taken; and when all places are taken, the connection that has asked nothing for longest makes room.

Its parser (llhttp, strict) refuses what two readers could read in two ways. Refused here as well: chunks in HTTP/1.0, which a
proxy may take for the next request (RFC 9112 section 6.1). After an offer to upgrade, which is never taken up, the connection
is closed: what was sent behind it may have been dropped. What was sent is never repeated, in answers or logs.
"""

import asyncio
import resource
from collections.abc import Callable
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any, Final, Protocol

from aiohttp import HttpVersion10, HttpVersion11, web
from aiohttp.http import RawRequestMessage
from aiohttp.streams import EMPTY_PAYLOAD, StreamReader

from wharfinger.runtime.log import Log, place_of

MAX_LINE: Final = 32 * 1024
"""Bytes of a request line or header: a GET with many scopes, or a CI's id token as password, must fit."""
SAID_S: Final = 10.0
"""What strangers can cause at will is logged once in so long."""
RESERVED_FILES: Final = 128
"""Open files for everything else: Redis, journals, files being spilled, programs that are asked."""
_VERSIONS: Final = (HttpVersion11, HttpVersion10)
_TOO_LARGE: Final = b"HTTP/1.1 431 Request Header Fields Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much is allowed."""

    head_s: float = 10.0
    """From a head's first byte to its last; for the first one from the connection's start. Also for a TLS handshake."""
    idle_s: float = 75.0
    """Between two requests. Longer than what common proxies wait (60 s): the one who reuses a connection should close it."""
    linger_s: float = 2.0
    """What is read on of a body that nobody wants, so that the answer is not lost with it."""
    answer_s: float = 30.0
    """Until some of an answer that does not fit into the socket is taken."""
    head_size: int = 3 * MAX_LINE
    """Bytes of a head: the request line, an Authorization header, and as much again."""
    connections: int = 2_048
    """Of one process, handshakes included. A registry opens one for each event, and flushes its whole queue after an outage."""


class Placed(Protocol):
    """What takes a place: a connection, or one whose TLS handshake is under way."""

    def waits(self) -> bool:
        """Whether it has no request under way."""

    def drop(self) -> None:
        """Close it at once."""


class Connections:
    """The open connections of one process, by how long ago their last request began."""

    def __init__(self, bounds: Bounds, log: Log) -> None:
        self.bounds = bounds
        self._log = log
        self._open: dict[Placed, None] = {}
        self._said: dict[str, tuple[float, int]] = {}

    def opened(self, connection: Placed) -> None:
        """A new one. When there are too many, one that waits for a request is closed for it: else the new one itself."""
        self._open[connection] = None
        if len(self._open) > self.bounds.connections:
            self.say("connections.full", most=self.bounds.connections)
            dropped = next((one for one in self._open if one is not connection and one.waits()), connection)
            # At once, not when it is gone: of many that come in one go each needs another to make room.
            self.closed(dropped)
            dropped.drop()

    def asked(self, connection: Placed) -> None:
        """A request began."""
        if connection in self._open:
            del self._open[connection]
            self._open[connection] = None

    def closed(self, connection: Placed) -> None:
        """It is gone."""
        self._open.pop(connection, None)

    def say(self, event: str, **fields: object) -> None:
        """Log what anybody can cause: once in SAID_S, with how many there were since."""
        now = asyncio.get_running_loop().time()
        until, count = self._said.get(event, (now, 0))
        if now < until:
            self._said[event] = (until, count + 1)
            return
        self._said[event] = (now + SAID_S, 0)
        self._log(event, more=count, **fields)

    def failed(self, error: BaseException) -> None:
        """A request broke on a mistake of ours: where, but not its text, which may hold what was sent."""
        self._log("request.failed", error=type(error).__name__, **place_of(error.__traceback__))


class BoundedConnection(web.RequestHandler):
    """One connection. Of its base it reads ``_waiter``, which is pending between two requests, and what has come of them."""

    def __init__(self, server: web.Server, connections: Connections, loop: asyncio.AbstractEventLoop, **options: Any) -> None:
        super().__init__(server, loop=loop, **options)
        self._connections = connections
        self._bounds = connections.bounds
        self._head_timer: asyncio.TimerHandle | None = None
        self._answer_timer: asyncio.TimerHandle | None = None
        self._head_size = 0
        self._last_body: StreamReader = EMPTY_PAYLOAD

    def waits(self) -> bool:
        """Whether it has no request under way."""
        return self._waiter is not None and not self._waiter.done()

    def drop(self) -> None:
        """Close it at once: who is silent is not waited for, neither for a last answer nor for TLS' good-bye."""
        transport = self.transport
        self.force_close()
        if transport is not None:
            transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It was accepted."""
        super().connection_made(transport)
        self._head_timer = self._loop.call_later(self._bounds.head_s, self._give_up_on_head)
        self._connections.opened(self)

    def connection_lost(self, exc: BaseException | None) -> None:
        """It is closed, by whomever."""
        self._connections.closed(self)
        _cancel(self._head_timer)
        _cancel(self._answer_timer)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Some bytes. Where the last request is whole and no other comes of them, they are of a head."""
        before, of_a_head = self._request_count, self._last_body.is_eof()
        super().data_received(data)
        if self._request_count != before:
            _cancel(self._head_timer)
            self._head_timer, self._head_size = None, 0
            self._connections.asked(self)
            self._last_body = self._messages[-1][1]
            if self._broke_off():
                self._connections.say("request.malformed", error="BrokenBody")
                self.drop()
        elif data and of_a_head:
            self._take_head(len(data))

    def pause_writing(self) -> None:
        """An answer does not fit into the socket."""
        super().pause_writing()
        self._answer_timer = self._loop.call_later(self._bounds.answer_s, self._give_up_on_answer)

    def resume_writing(self) -> None:
        """Some of it was taken."""
        _cancel(self._answer_timer)
        self._answer_timer = None
        super().resume_writing()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002 - aiohttp's, with what was sent in it
    ) -> web.StreamResponse:
        """The answer to what could not be read, or broke on the way. aiohttp's own repeats the line at fault to both sides."""
        if request.writer.output_size > 0:
            raise ConnectionError("something was answered already")
        if status == HTTPStatus.BAD_REQUEST:
            self._connections.say("request.malformed", error=type(exc).__name__, peer=request.remote)
        elif exc is not None and not isinstance(exc, ConnectionError):  # a client that is gone is no mistake of ours
            self._connections.failed(exc)
        return _closing(status)

    def _broke_off(self) -> bool:
        """Whether what came is no part of the body under way: aiohttp leaves its reader to wait for more of it, for ever."""
        came_to_nothing = bool(self._messages) and not isinstance(self._messages[-1][0], RawRequestMessage)
        return came_to_nothing and self._current_request is not None and not self._current_request.content.is_eof()

    def _take_head(self, size: int) -> None:
        self._head_size += size
        if self._head_size > self._bounds.head_size:
            if self.transport is None or not self.waits():
                self.drop()  # an answer to what came before it is on its way, and must not be mistaken for this one
                return
            self.transport.write(_TOO_LARGE)
            self.force_close()
        elif self._head_timer is None:
            self._head_timer = self._loop.call_later(self._bounds.head_s, self._give_up_on_head)

    def _give_up_on_head(self) -> None:
        self._head_timer = None
        if self.waits():
            self.drop()
        else:  # the request before it is being answered still
            self._head_timer = self._loop.call_later(self._bounds.head_s, self._give_up_on_head)

    def _give_up_on_answer(self) -> None:
        self._answer_timer = None
        self.drop()


class BoundedServer(web.Server):
    """aiohttp's server of an application, whose connections are bounded."""

    def __init__(self, plain: web.Server, connections: Connections, options: dict[str, Any]) -> None:
        loop = asyncio.get_running_loop()
        super().__init__(self._answer, request_factory=plain.request_factory, loop=loop)
        self._plain = plain.request_handler
        self._most = connections.bounds.head_size
        self._bounded: Callable[[], BoundedConnection] = lambda: BoundedConnection(self, connections, loop, **options)

    def __call__(self) -> web.RequestHandler:
        """The protocol of a new connection."""
        return self._bounded()

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.version not in _VERSIONS:
            return _closing(HTTPStatus.HTTP_VERSION_NOT_SUPPORTED)
        if request.version == HttpVersion10 and "Transfer-Encoding" in request.headers:
            return _closing(HTTPStatus.BAD_REQUEST)
        if sum(len(name) + len(value) for name, value in request.raw_headers) > self._most:
            return _closing(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        offers = "Upgrade" in request.headers or request.method == "CONNECT"
        try:
            response = await self._plain(request)
        except web.HTTPException as answer:
            if offers:
                answer.force_close()
            raise
        if offers:
            response.force_close()
        return response


class BoundedRunner(web.AppRunner):
    """aiohttp's runner of an application, with a bounded server."""

    def __init__(self, app: web.Application, *, bounds: Bounds, log: Log, grace_s: float) -> None:
        super().__init__(app, handle_signals=False, shutdown_timeout=grace_s)
        self.connections = Connections(bounds, log)
        self._options = {
            "access_log": None,
            "max_line_size": MAX_LINE,
            "max_field_size": MAX_LINE,
            "keepalive_timeout": bounds.idle_s,
            "lingering_time": bounds.linger_s,
            # Ours end sooner than the system would ask whether somebody is there.
            "tcp_keepalive": False,
            # A gzip bomb is not inflated by us: bodies are taken as they come.
            "auto_decompress": False,
        }

    async def _make_server(self) -> web.Server:
        return BoundedServer(await super()._make_server(), self.connections, self._options)


def within_open_files(bounds: Bounds) -> Bounds:
    """No more connections than the process may open files for; its soft limit is raised as far as it is allowed to."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = bounds.connections + RESERVED_FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        return replace(bounds, connections=min(bounds.connections, max(RESERVED_FILES, soft - RESERVED_FILES)))
    return bounds


def _cancel(timer: asyncio.TimerHandle | None) -> None:
    if timer is not None:
        timer.cancel()


def _closing(status: int) -> web.Response:
    answer = web.Response(status=status, text=f"{HTTPStatus(status).phrase}\n")
    answer.force_close()
    return answer
