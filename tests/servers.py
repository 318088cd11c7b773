"""Servers on loopback for tests: scripted peers for our clients, and our own applications as they are served."""

import asyncio
import logging
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from aiohttp import web

from wharfinger.runtime.bounded import BoundedRunner
from wharfinger.runtime.connections import Bounds
from wharfinger.runtime.log import LibraryLog, Log, discard
from wharfinger.runtime.serving import listening
from wharfinger.runtime.settings import Address


@dataclass(frozen=True)
class Heard:
    """A request as it came. Header names are lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Reply:
    """What is answered."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass
class Peer:
    """A running scripted peer, and everything it heard."""

    port: int
    heard: list[Heard] = field(default_factory=list)
    tls: bool = False

    @property
    def url(self) -> str:
        """Its base URL."""
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"


@contextmanager
def answering(answer: Callable[[Heard], Reply | None], *, tls: ssl.SSLContext | None = None) -> Iterator[Peer]:
    """An HTTP server that answers each request by a function; None: the connection ends without an answer."""
    peer = Peer(0, tls=tls is not None)

    class Handler(BaseHTTPRequestHandler):
        """One connection."""

        def _handle(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            heard = Heard(self.command, self.path, {name.lower(): value for name, value in self.headers.items()}, body)
            peer.heard.append(heard)
            reply = answer(heard)
            if reply is None:
                self.close_connection = True
                return
            self.send_response_only(reply.status)
            for name, value in {"Content-Length": str(len(reply.body)), **reply.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(b"" if self.command == "HEAD" else reply.body)

        do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _handle  # noqa: N815 - http.server's names

        def log_message(self, *_arguments: object) -> None:
            """Quiet."""

    class Server(ThreadingHTTPServer):
        """Quiet about those who do not trust it."""

        def handle_error(self, *_arguments: object) -> None:
            """Theirs to tell."""

    server = Server(("127.0.0.1", 0), Handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    peer.port = server.server_address[1]
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield peer
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def saying(speak: Callable[[socket.socket], None], *, family: int = socket.AF_INET, address: str = "") -> Iterator[Peer]:
    """A server that does with its one connection whatever a function does, and then closes it."""
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.bind(("127.0.0.1", 0) if family == socket.AF_INET else address)
        listener.listen()
        peer = Peer(listener.getsockname()[1] if family == socket.AF_INET else 0)

        def serve() -> None:
            try:
                connection, _ = listener.accept()
            except OSError:
                return  # nobody came
            with connection:
                speak(connection)

        thread = Thread(target=serve)
        thread.start()
        try:
            yield peer
        finally:
            # Wakes an accept that still waits; close() alone does not.
            try:
                listener.shutdown(socket.SHUT_RDWR)
            finally:
                thread.join()


@dataclass(frozen=True)
class Served:
    """One of our applications, being served."""

    port: int

    @property
    def url(self) -> str:
        """Its base URL."""
        return f"http://127.0.0.1:{self.port}"

    async def raw(self, sent: bytes, *, end: bool = False) -> bytes:
        """What comes back for these very bytes until the server closes. ``end``: nothing more will be sent, and that is told."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(sent)
            if end:
                writer.write_eof()
            return await reader.read()
        finally:
            writer.close()
            await writer.wait_closed()


@asynccontextmanager
async def served(
    app: web.Application, log: Log = discard, *, bounds: Bounds | None = None, tls: ssl.SSLContext | None = None
) -> AsyncIterator[Served]:
    """Serve an application with the limits that it has in production, or others; ``log`` takes what aiohttp has to say."""
    handler, logger = LibraryLog(log), logging.getLogger("aiohttp.server")
    logger.addHandler(handler)
    runner = BoundedRunner(app, bounds=bounds or Bounds(), log=log, grace_s=5)
    await runner.setup()
    try:
        server = await listening(runner, Address("127.0.0.1", 0), tls)
        yield Served(server.sockets[0].getsockname()[1])
        server.close()
    finally:
        await runner.cleanup()
        logger.removeHandler(handler)
