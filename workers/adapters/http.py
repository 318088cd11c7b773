"""A small HTTP client over the standard library: unix sockets, checked addresses, deadlines, limits. Follows no redirects.

The standard library, because a target must be reached at the very address that was checked (else its name could resolve to
another one meanwhile), and the Engine by its unix socket, synchronously. TLS names stay the URL's.
"""

import http.client
import io
import socket
import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from workers.errors import Unavailable, Unreached

MAX_BODY: Final = 4 * 1024 * 1024
CHUNK: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where to connect: a unix socket's path, or an address and port, with the name for Host and TLS.

    ``ca``: path of the PEM certificates to trust instead of the system's. ``certificate``, ``key``: paths of what we show.
    """

    name: str
    port: int
    address: str = ""
    unix: str = ""
    tls: bool = False
    ca: str = ""
    certificate: str = ""
    key: str = ""
    context: ssl.SSLContext | None = field(default=None, compare=False)
    """Instead of the three, from whoever has them elsewhere than in files."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A response. Header names are lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


class _Deadlined(io.RawIOBase):
    """What a socket sends, until a moment: a peer that sends a byte now and then does not hold a worker beyond it."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket, until: float) -> None:
        self._raw = raw
        self._sock = sock
        self._idle_s = sock.gettimeout()
        self._until = until

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left_s = self._until - time.monotonic()
        if left_s <= 0:
            raise TimeoutError
        self._sock.settimeout(left_s if self._idle_s is None else min(left_s, self._idle_s))
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Connection(http.client.HTTPConnection):
    def __init__(self, endpoint: Endpoint, timeout_s: float, until: float) -> None:
        super().__init__(endpoint.name, endpoint.port, timeout=timeout_s)
        self._endpoint = endpoint
        self._until = until

    def response_class(self, sock: socket.socket, method: str | None = None) -> http.client.HTTPResponse:  # type: ignore[override]  # called as the class is
        response = http.client.HTTPResponse(sock, method=method)
        response.fp = io.BufferedReader(_Deadlined(response.fp.detach(), sock, self._until))
        return response

    def connect(self) -> None:
        if self._endpoint.unix:
            self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self.sock.settimeout(self.timeout)
            self.sock.connect(self._endpoint.unix)
            return
        self.sock = socket.create_connection((self._endpoint.address, self._endpoint.port), self.timeout)
        if self._endpoint.tls:
            context = self._endpoint.context or _trusting(self._endpoint)
            self.sock = context.wrap_socket(self.sock, server_hostname=self._endpoint.name)


def _trusting(endpoint: Endpoint) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=endpoint.ca or None)
    if endpoint.certificate:
        context.load_cert_chain(endpoint.certificate, endpoint.key)
    return context


def request(
    endpoint: Endpoint,
    method: str,
    path: str,
    *,
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
    timeout_s: float = 10,
) -> Answer:
    """One request, read whole up to MAX_BODY. Raises Unavailable, naming what happened and where."""
    with streaming(endpoint, method, path, headers=headers, body=body, timeout_s=timeout_s) as (answer, chunks):
        taken = bytearray()
        for chunk in chunks:
            taken += chunk
            if len(taken) > MAX_BODY:
                raise Unavailable(f"{endpoint.name} answered with more than {MAX_BODY} bytes")
        return Answer(answer.status, answer.headers, bytes(taken))


@contextmanager
def streaming(
    endpoint: Endpoint,
    method: str,
    path: str,
    *,
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
    timeout_s: float = 10,
    idle_s: float | None = None,
) -> Iterator[tuple[Answer, Iterator[bytes]]]:
    """One request whose body is read piece by piece.

    Args:
        endpoint: where.
        method: HTTP's.
        path: with its query.
        headers: beside Host.
        body: what to send.
        timeout_s: for all of it.
        idle_s: for each wait within; the same when None.

    Raises:
        Unreached: no connection; nothing was sent.
        Unavailable: no answer in time, or a broken one.
    """
    until = time.monotonic() + timeout_s
    connection = _Connection(endpoint, idle_s or timeout_s, until)
    try:
        _connect(connection, endpoint)
        _ask(connection, method, path, body, headers or {})
        with connection.getresponse() as response:
            found = {name.lower(): value for name, value in response.getheaders()}
            yield Answer(response.status, found, b""), _chunks(response, until, endpoint)
    except (OSError, http.client.HTTPException) as error:
        raise Unavailable(_told(endpoint, error)) from error
    finally:
        connection.close()


def _connect(connection: _Connection, endpoint: Endpoint) -> None:
    try:
        connection.connect()
    except (OSError, ValueError) as error:  # ValueError: a name that TLS cannot be asked for
        raise Unreached(_told(endpoint, error)) from error


def _told(endpoint: Endpoint, error: Exception) -> str:
    what = "did not answer in time" if isinstance(error, TimeoutError) else f"cannot be asked: {_reason(error)}"
    return f"{endpoint.unix or endpoint.name} {what}"


def _ask(connection: _Connection, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> None:
    try:
        connection.request(method, path, body=body, headers=dict(headers))
    except OSError:
        raise  # a certificate that is not trusted is a ValueError too
    except ValueError as error:
        # A path or token that a peer gave us, of letters that HTTP has not.
        raise http.client.HTTPException from error


def _chunks(response: http.client.HTTPResponse, until: float, endpoint: Endpoint) -> Iterator[bytes]:
    while chunk := response.read1(CHUNK):
        yield chunk
        if time.monotonic() > until:
            raise Unavailable(f"{endpoint.unix or endpoint.name} did not come to an end in time")
    if response.length:
        raise http.client.IncompleteRead(b"", response.length)


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or type(error).__name__
