"""aiohttp's server of an application, bounded: what one connection may cost there, and where one request ends.

aiohttp bounds a line and a header, closes a connection that stays idle, and leaves the time a body takes to the service. Here
is the rest: a request's head must come in time, the first one counted from the connection's start; all of a head has a size;
an answer must be taken.

Its parser (llhttp, strict) refuses what two readers could read in two ways. Refused here as well: chunks in HTTP/1.0, which a
proxy may take for the next request (RFC 9112 section 6.1). After an offer to upgrade, which is never taken up, the connection
is closed: what was sent behind it may have been dropped. What was sent is never repeated, in answers or logs.

An application that names answers under ``DIRECT`` has the plain requests for them answered by ``direct``, before aiohttp.
"""

import asyncio
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, Final

from aiohttp import HttpVersion10, HttpVersion11, web
from aiohttp.http import RawRequestMessage
from aiohttp.streams import EMPTY_PAYLOAD, StreamReader

from wharfinger.runtime.connections import MAX_LINE, Bounds, Connections, address_of
from wharfinger.runtime.direct import Answering, Lane
from wharfinger.runtime.heads import FirstHead
from wharfinger.runtime.log import Log

DIRECT: Final = web.AppKey("direct", Mapping[str, Answering])
"""The answers of an application to plain requests, by path."""
_VERSIONS: Final = (HttpVersion11, HttpVersion10)
_TOO_LARGE: Final = b"HTTP/1.1 431 Request Header Fields Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


class BoundedConnection(web.RequestHandler):
    """One connection. Of its base it reads ``_waiter``, which is pending between two requests, and what has come of them."""

    def __init__(self, server: web.Server, connections: Connections, loop: asyncio.AbstractEventLoop, **options: Any) -> None:
        super().__init__(server, loop=loop, **options)
        self._connections = connections
        self._bounds = connections.bounds
        self._head_timer: asyncio.TimerHandle | None = None
        self._answer_timer: asyncio.TimerHandle | None = None
        self._head_size = 0
        self._peer = ""
        self._at_fault = False
        self._last_body: StreamReader = EMPTY_PAYLOAD

    @property
    def peername(self) -> str:
        """Where a request comes from: its ``remote``."""
        return self._peer

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
        self._peer = address_of(transport.get_extra_info("peername"))
        self._head_timer = self._loop.call_later(self._bounds.head_s, self._give_up_on_head)
        self._connections.opened(self)

    def connection_lost(self, exc: BaseException | None) -> None:
        """It is closed, by whomever."""
        self._connections.closed(self)
        _cancel(self._head_timer)
        _cancel(self._answer_timer)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Some bytes. Where the last request is whole and no other comes of them, they are of a head.

        What is behind a fault is for nobody: aiohttp would find a fault in each piece of it, until the first one is answered.
        """
        if self._at_fault:
            return
        before, of_a_head = self._request_count, self._last_body.is_eof()
        super().data_received(data)
        if self._request_count != before:
            _cancel(self._head_timer)
            self._head_timer, self._head_size = None, 0
            self._connections.asked(self)
            message, self._last_body = self._messages[-1]
            if isinstance(message, RawRequestMessage):
                return
            self._at_fault = True
            # It came through frames that hold all which was read at once, and waits with them for its turn to be answered.
            message.exc.__traceback__ = message.exc.__context__ = None
            if self._current_request is not None and not self._current_request.content.is_eof():
                # It is no part of the body under way: aiohttp leaves its reader to wait for more of it, for ever.
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
    """An application's server in aiohttp, whose connections are bounded. ``answers``: to plain requests, by path."""

    def __init__(
        self, plain: web.Server, connections: Connections, answers: Mapping[str, Answering], options: Mapping[str, Any]
    ) -> None:
        loop = asyncio.get_running_loop()
        super().__init__(self._answer, request_factory=plain.request_factory, loop=loop)
        self._plain = plain.request_handler
        self._most = connections.bounds.head_size
        self._bounded: Callable[[], BoundedConnection] = lambda: BoundedConnection(self, connections, loop, **options)
        self._lane = Lane(answers, connections, self._any, loop) if answers else None

    def __call__(self) -> web.RequestHandler:
        """A connection's protocol: aiohttp's own."""
        return self._bounded()

    def accept(self) -> asyncio.Protocol:
        """The protocol of a new connection."""
        return self._any() if self._lane is None else self._lane.accept()

    def pre_shutdown(self) -> None:
        """Take no more requests: what waits for one is closed, the others are after their answer."""
        super().pre_shutdown()
        if self._lane is not None:
            self._lane.stop()

    async def shutdown(self, timeout: float | None = None) -> None:  # noqa: ASYNC109 - aiohttp's
        """Wait so long for the answers that are under way, and close everything."""
        lanes = [] if self._lane is None else [self._lane.shutdown(timeout)]
        await asyncio.gather(super().shutdown(timeout), *lanes)

    def _any(self) -> asyncio.Protocol:
        return FirstHead(self())

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
        return BoundedServer(await super()._make_server(), self.connections, self.app.get(DIRECT, {}), self._options)

    def accept(self) -> asyncio.Protocol:
        """The protocol of a new connection, once set up."""
        assert isinstance(self.server, BoundedServer)  # noqa: S101 - made above
        return self.server.accept()


def _cancel(timer: asyncio.TimerHandle | None) -> None:
    if timer is not None:
        timer.cancel()


def _closing(status: int) -> web.Response:
    answer = web.Response(status=status, text=f"{HTTPStatus(status).phrase}\n")
    answer.force_close()
    return answer
