"""A receiver of signed webhooks for the tour: checks the signature as a real one must, and tells what came."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from workers.errors import Unavailable

Told = Callable[[dict[str, Any], bool], None]


def start_receiver(port: int, secret: bytes, told: Told) -> ThreadingHTTPServer:
    """Listen on loopback in a thread.

    Args:
        port: TCP.
        secret: ``whsec_…``.
        told: called with each payload, and whether its signature is right.

    Raises:
        Unavailable: the port cannot be had.
    """
    key = base64.b64decode(secret.removeprefix(b"whsec_"))

    class Receiver(BaseHTTPRequestHandler):
        """One request."""

        def do_POST(self) -> None:
            """A webhook: 200 for a right signature, else 401."""
            body = self.rfile.read(min(int(self.headers.get("Content-Length", 0)), 65_536))
            signed = f"{self.headers.get('webhook-id')}.{self.headers.get('webhook-timestamp')}.".encode() + body
            expected = base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
            given = [one.partition(",")[2] for one in self.headers.get("webhook-signature", "").split()]
            genuine = any(hmac.compare_digest(expected.encode(), one.encode()) for one in given)
            told(json.loads(body) if genuine else {}, genuine)
            self.send_response(200 if genuine else 401)
            self.end_headers()

        def log_message(self, *_arguments: object) -> None:
            """Quiet: the tour tells what came."""

    try:
        server = ThreadingHTTPServer(("127.0.0.1", port), Receiver)
    except OSError as error:
        problem = f"127.0.0.1:{port} (the tour's webhooks): {error.strerror}: stop what is there, or change the webhook's url"
        raise Unavailable(problem) from error
    Thread(target=server.serve_forever, daemon=True).start()
    return server
