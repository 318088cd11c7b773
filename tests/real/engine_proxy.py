"""Stands before an Engine's socket and holds one request of a worker where a test says, so that it can be stopped just there."""

import re
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from socketserver import StreamRequestHandler, ThreadingUnixStreamServer
from typing import cast

_LONGEST_S = 120


@dataclass
class Hold:
    """One request is held: before the Engine sees it, or after it answered, before the worker does.

    ``line``: what its first line must match. ``nth``: which of those that do.
    """

    line: str
    answered: bool = True
    nth: int = 1
    seen: int = 0
    pid: int = 0
    caught: threading.Event = field(default_factory=threading.Event)
    passed: threading.Event = field(default_factory=threading.Event)
    dropped: bool = False

    def let_go(self) -> None:
        """Pass on what is held."""
        self.passed.set()

    def drop(self) -> None:
        """Forget what is held: who sent it is dead."""
        self.dropped = True
        self.passed.set()


class _Server(ThreadingUnixStreamServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, path: Path, engine: Path, hold: Hold) -> None:
        super().__init__(str(path), _Handler)
        self.engine, self.hold, self.lock = engine, hold, threading.Lock()

    def handle_error(self, request: object, client_address: object) -> None:
        """A connection whose other end was killed: what a test does here."""


class _Handler(StreamRequestHandler):
    def handle(self) -> None:
        server = cast("_Server", self.server)
        head = self._head()
        if not head:
            return
        line = head.split(b"\r\n", 1)[0].decode()
        length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
        body = self.rfile.read(int(length[1])) if length else b""
        held = self._catch(server, line)
        with socket.socket(socket.AF_UNIX) as engine:
            engine.connect(str(server.engine))
            if held and not server.hold.answered and not self._wait(server.hold):
                return
            # Told to close, the Engine's answer ends where the connection does.
            engine.sendall(head.removesuffix(b"\r\n\r\n") + b"\r\nConnection: close\r\n\r\n" + body)
            if held and server.hold.answered:
                answer = b"".join(iter(lambda: engine.recv(65_536), b""))
                if self._wait(server.hold):
                    self.wfile.write(answer)
                return
            for piece in iter(lambda: engine.recv(65_536), b""):
                self.wfile.write(piece)

    def _head(self) -> bytes:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            line = self.rfile.readline()
            if not line:
                return b""
            head += line
        return head

    def _catch(self, server: _Server, line: str) -> bool:
        hold = server.hold
        with server.lock:
            if re.search(hold.line, line) is None:
                return False
            hold.seen += 1
            if hold.seen != hold.nth:
                return False
            hold.pid = struct.unpack("3i", self.connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0]
            return True

    def _wait(self, hold: Hold) -> bool:
        hold.caught.set()
        hold.passed.wait(_LONGEST_S)
        return not hold.dropped


@contextmanager
def engine_proxy(path: Path, engine: Path, hold: Hold) -> Iterator[Hold]:
    """Serve at a path until the block ends."""
    server = _Server(path, engine, hold)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)
    thread.start()
    try:
        yield hold
    finally:
        hold.drop()
        server.shutdown()
        server.server_close()
        thread.join()
