"""Witnesses: they stand on both ends of the pipe and write down what really passed, whatever the pipe says of itself.

``EventWitness`` stands between registry and notifier, ``HookWitness`` is the webhook's receiver, and ``recomputed`` works the
log out again from its records. None of them uses the code that it watches, but for the log's own format.
"""

import http.client
import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from standardwebhooks import Webhook, WebhookVerificationError

from wharfinger.ledger.database import Database
from wharfinger.ledger.log import read_tile, read_tree
from wharfinger.ledger.merkle import HASH_BYTES, Frontier, leaf_hash
from wharfinger.ledger.reading import read_range
from wharfinger.ledger.record import canonical, commitments
from wharfinger.ledger.tiles import WIDTH

NOTIFIER_S = 30.0
"""Longer than the registry waits: what the notifier stores late is still written down."""


@contextmanager
def listening(port: int, handler: type[BaseHTTPRequestHandler]) -> Iterator[None]:
    """Serve on loopback in threads."""
    server = ThreadingHTTPServer(("127.0.0.1", port), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@dataclass(frozen=True)
class Answered:
    """What the registry was told about one event, and when (milliseconds since the epoch)."""

    event_id: str
    status: int
    at_ms: int


@dataclass
class EventWitness:
    """A reverse proxy before the notifier: every event's id, with each answer that the registry was given."""

    port: int
    notifier: int
    _answers: list[Answered] = field(default_factory=list)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Serve."""
        witness = self

        class Handler(BaseHTTPRequestHandler):
            """One notification."""

            def do_POST(self) -> None:
                """Hand it on; write the answer down before the registry has it."""
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status = witness._hand_on(self.path, body, dict(self.headers))
                for event in json.loads(body)["events"]:
                    witness._answers.append(Answered(event["id"], status, time.time_ns() // 1_000_000))
                try:
                    self.send_response(status)
                    self.end_headers()
                except OSError:
                    self.close_connection = True  # the registry waited no longer, and posts again

            def log_message(self, *_arguments: object) -> None:
                """Quiet."""

        with listening(self.port, Handler):
            yield

    def _hand_on(self, path: str, body: bytes, headers: dict[str, str]) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", self.notifier, timeout=NOTIFIER_S)
        passed = {name: headers[name] for name in ("Authorization", "Content-Type")}
        try:
            connection.request("POST", path, body=body, headers=passed)
            return connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return 502
        finally:
            connection.close()

    def taken(self, *, after_ms: int = 0) -> set[str]:
        """The ids of events that the registry was told 2xx for."""
        return {one.event_id for one in tuple(self._answers) if 200 <= one.status < 300 and one.at_ms > after_ms}

    def statuses(self) -> dict[int, int]:
        """How often each answer was given."""
        return dict(Counter(one.status for one in tuple(self._answers)))


@dataclass(frozen=True)
class Heard:
    """One webhook as it came. ``genuine``: its signature is right by the standard's own library."""

    webhook_id: str
    event_id: str
    digest: str
    genuine: bool


@dataclass
class HookWitness:
    """A receiver of webhooks. ``held``: while set, requests are heard but wait for their answer."""

    port: int
    secret: str
    heard: list[Heard] = field(default_factory=list)
    answering: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.answering.set()

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Serve."""
        witness = self

        class Handler(BaseHTTPRequestHandler):
            """One webhook."""

            def do_POST(self) -> None:
                """Write it down, then answer."""
                body = self.rfile.read(int(self.headers["Content-Length"]))
                witness.heard.append(witness._read(body, dict(self.headers)))
                witness.answering.wait(60)
                try:
                    self.send_response(200)
                    self.end_headers()
                except OSError:
                    self.close_connection = True  # its sender was killed

            def log_message(self, *_arguments: object) -> None:
                """Quiet."""

        with listening(self.port, Handler):
            yield

    def _read(self, body: bytes, headers: dict[str, str]) -> Heard:
        lower = {name.lower(): value for name, value in headers.items()}
        try:
            Webhook(self.secret).verify(body, lower)
        except WebhookVerificationError:
            return Heard(lower.get("webhook-id", ""), "", "", genuine=False)
        data = json.loads(body)["data"]
        return Heard(lower["webhook-id"], data["event_id"], data["digest"], genuine=True)


@dataclass(frozen=True)
class Log:
    """The audit log twice: as it is stored, and as its records give it."""

    numbers: list[int]
    leaves: list[bytes]
    frontier: Frontier
    recomputed: list[bytes]


def read_log(ledger: Database) -> Log:
    """Read every record and leaf in one snapshot, and hash each record again."""
    with ledger.reading() as connection:
        tree = read_tree(connection)
        rows = list(read_range(connection, ledger.words, 0, tree.size))
        tiles = b"".join(read_tile(connection, 0, index) for index in range(-(-tree.size // WIDTH)))
    recomputed = [
        leaf_hash(canonical(one.record, seq=one.seq, committed=commitments(one.record, one.secret or b""))) for one in rows
    ]
    leaves = [tiles[start : start + HASH_BYTES] for start in range(0, len(tiles), HASH_BYTES)]
    return Log([one.seq for one in rows], leaves, Frontier.from_bytes(tree.size, tree.frontier), recomputed)


def assert_log_is_whole(ledger: Database) -> None:
    """The log has no gap, and its stored leaves and tree are those of its records."""
    log = read_log(ledger)
    assert log.numbers == list(range(len(log.numbers)))
    assert log.leaves == log.recomputed
    assert log.frontier == Frontier().append(log.recomputed)
