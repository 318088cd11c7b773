"""Servers that stand behind the shadow: one that answers as docker_auth does, and one that answers whatever it is told to.

The first is written from what docker_auth was seen to do: who is known decides, the first rule that matches decides, denied is
200 with fewer actions, a POST takes credentials of its form, ``account`` without credentials is that account. It reads the same
YAML keys. With WHARFINGER_DOCKER_AUTH naming a docker_auth program the tests run before that one too.
"""

import base64
import json
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

Rule = tuple[str, str, Sequence[str]]
"""Account, name pattern (a regular expression), actions."""


@dataclass
class Known:
    """What it was told: passwords by user (None: any), and its rules."""

    users: Mapping[str, str | None]
    rules: Sequence[Rule]


class DockerAuthLike(ThreadingHTTPServer):
    """As docker_auth answers."""

    daemon_threads = True

    def __init__(self, port: int, known: Known, *, pair: tuple[Path, Path] | None = None) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        if pair is not None:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(*pair)
            self.socket = context.wrap_socket(self.socket, server_side=True)
        self.known = known
        threading.Thread(target=self.serve_forever, daemon=True).start()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: DockerAuthLike

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Nothing: requests hold passwords."""

    def _answer(self) -> None:
        parts = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        form = parse_qsl(body, keep_blank_values=True) if "urlencoded" in self.headers.get("Content-Type", "") else []
        pairs = form + parse_qsl(parts.query, keep_blank_values=True)
        if parts.path not in {"/auth", "/auth/token"}:
            self._text(404, "Not found")
            return
        try:
            account, password, scopes = self._read(pairs)
        except ValueError as error:
            self._text(400, f"Bad request: {error}")
            return
        users = self.server.known.users
        if account not in users or users[account] not in {None, password}:
            self._text(401, "Auth failed.", {"WWW-Authenticate": 'Basic realm="wharfinger"'})
            return
        access = [
            {"type": kind, "name": name, "actions": self._granted(account, name, actions)} for kind, name, actions in scopes
        ]
        claims = {"iss": "wharfinger", "sub": account, "aud": dict(reversed(pairs)).get("service", ""), "access": access}
        token = ".".join(
            base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in ({"alg": "none"}, claims, 0)
        )
        self._send(200, json.dumps({"access_token": token, "token": token}).encode(), {"Content-Type": "application/json"})

    def _read(self, pairs: list[tuple[str, str]]) -> tuple[str, str, list[tuple[str, str, list[str]]]]:
        fields = dict(reversed(pairs))
        scheme, _, encoded = self.headers.get("Authorization", "").partition(" ")
        user = password = ""
        basic = scheme.lower() == "basic"
        if basic:
            user, _, password = base64.b64decode(encoded).decode().partition(":")
        elif self.command == "POST" and fields.get("username") and fields.get("password"):
            user, password = fields["username"], fields["password"]
        account = fields.get("account") or user
        if basic and account != user:
            raise ValueError("user and account are not the same")
        texts = [value for name, value in pairs if name == "scope"]
        pieces = [piece for text in texts for piece in text.split(" ")] if texts and texts[0] else []
        scopes = []
        for piece in pieces:
            kind, *name, actions = piece.split(":")
            if not kind or not 1 <= len(name) <= 2:
                raise ValueError("invalid scope")
            scopes.append((kind, ":".join(name), sorted(actions.split(","))))
        return account, password, scopes

    def _granted(self, account: str, name: str, asked: list[str]) -> list[str]:
        for who, pattern, actions in self.server.known.rules:
            if who == account and re.search(pattern, name):
                return asked if list(actions) == ["*"] else sorted(set(actions) & set(asked))
        return []

    def _text(self, status: int, text: str, more: Mapping[str, str] | None = None) -> None:
        kind = {"Content-Type": "text/plain; charset=utf-8", "X-Content-Type-Options": "nosniff"}
        self._send(status, f"{text}\n".encode(), kind | dict(more or {}))

    def _send(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


Step = bytes | float
"""Bytes to send, or seconds to wait."""


@dataclass
class Scripted:
    """Answers each connection with steps that were told before, and keeps every byte it was sent."""

    port: int
    steps: list[Step] = field(default_factory=list)
    heard: list[bytes] = field(default_factory=list)
    until: Callable[[bytes], bool] = lambda data: b"\r\n\r\n" in data
    gone: threading.Event = field(default_factory=threading.Event)

    def tell(self, *steps: Step, until: Callable[[bytes], bool] = lambda data: b"\r\n\r\n" in data) -> None:
        """What to answer from now on, once so much was heard."""
        self.steps, self.until = list(steps), until
        self.heard.clear()
        self.gone.clear()

    def run(self, listener: socket.socket) -> None:
        """One connection after the other, each by itself."""
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._one, args=(connection,), daemon=True).start()

    def _one(self, connection: socket.socket) -> None:
        with connection:
            at = len(self.heard)
            self.heard.append(b"")
            while not self.until(self.heard[at]):
                data = connection.recv(65_536)
                if not data:
                    break
                self.heard[at] += data
            try:
                for step in self.steps:
                    if isinstance(step, bytes):
                        connection.sendall(step)
                    elif step:
                        time.sleep(step)
                    else:
                        # Wait for the other end to go.
                        while connection.recv(65_536):
                            pass
            except OSError:
                pass
            self.gone.set()


@contextmanager
def scripted(port: int) -> Iterator[Scripted]:
    """A scripted server on a port."""
    made = Scripted(port)
    with socket.create_server(("127.0.0.1", port)) as listener:
        threading.Thread(target=made.run, args=(listener,), daemon=True).start()
        yield made
        listener.shutdown(socket.SHUT_RDWR)
