"""A syslog server over TLS, RFC 5425: reads frames by their length, and keeps what they hold. Knows nothing of our code."""

import json
import socket
import ssl
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass
class SyslogServer:
    """Listens on loopback with a pair; ``client_ca``: clients must show a certificate of it."""

    certificate: Path
    key: Path
    client_ca: Path | None = None
    port: int = 0
    messages: list[bytes] = field(default_factory=list)
    connections: list[socket.socket] = field(default_factory=list)
    _listener: socket.socket | None = None

    def start(self) -> None:
        """Begin, on the port it had before if it had one."""
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def hang_up(self) -> None:
        """End every connection."""
        for connection in self.connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()
        self.connections.clear()

    def stop(self) -> None:
        """Listen no longer."""
        if self._listener is not None:
            with suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
        self._listener = None
        self.hang_up()

    def records(self) -> list[dict[str, Any]]:
        """The JSON of every message."""
        return [json.loads(one.split(b" ", 8)[8]) for one in list(self.messages)]

    def _accept(self, listener: socket.socket) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, self.key)
        if self.client_ca is not None:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(self.client_ca)
        while True:
            try:
                plain, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(context, plain), daemon=True).start()

    def _serve(self, context: ssl.SSLContext, plain: socket.socket) -> None:
        with suppress(OSError, ValueError):
            connection = context.wrap_socket(plain, server_side=True)
            self.connections.append(connection)
            with connection.makefile("rb") as stream:
                while length := _length(stream):
                    message = stream.read(length)
                    if len(message) == length:
                        self.messages.append(message)


def _length(stream: Any) -> int:
    digits = b""
    while (one := stream.read(1)) not in {b" ", b""}:
        digits += one
    return int(digits or b"0")
