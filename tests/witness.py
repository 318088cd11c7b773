"""A witness for tests, written from C2SP tlog-witness and RFC 9162 alone: its own key, its own memory, nothing of ours.

It cosigns a log that only grows, refuses to go backwards, and can be told to misbehave.
"""

import base64
import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

NAME = "witness.test/w1"


class Witness:
    """What a witness remembers of each log: the size and root it cosigned last."""

    def __init__(self, vkeys: list[str], *, time_s: int = 1_700_000_000) -> None:
        self._private = Ed25519PrivateKey.generate()
        self._vkeys = vkeys
        self._lock = threading.Lock()
        self.time_s = time_s
        self.seen: dict[str, tuple[int, bytes]] = {}
        self.asked: list[int] = []
        """The status of each answer."""
        self.answer_instead: tuple[int, str, bytes] | None = None

    @property
    def vkey(self) -> str:
        """Its verifier key, of type 4."""
        public = b"\x04" + self._private.public_key().public_bytes_raw()
        return f"{NAME}+{self._key_id(public).hex()}+{base64.b64encode(public).decode()}"

    def add_checkpoint(self, body: bytes) -> tuple[int, str, bytes]:
        """Status, content type and body. Checking and remembering are one step, as the specification asks."""
        with self._lock:
            answer = self.answer_instead or self._add(body)
            self.asked.append(answer[0])
            return answer

    def _add(self, body: bytes) -> tuple[int, str, bytes]:
        head, note = body.decode().split("\n\n", 1)
        first, *proof = head.split("\n")
        assert len(proof) <= 63
        assert first.startswith("old ")
        old = int(first[4:])
        text, signatures = note.rsplit("\n\n", 1)
        text += "\n"
        origin, size_line, root_line = text.split("\n")[:3]
        size, root = int(size_line), base64.b64decode(root_line)
        vkeys = [vkey for vkey in self._vkeys if vkey.split("+", 2)[0] == origin]
        if not vkeys:
            return 404, "text/plain", b"unknown log\n"
        if not any(_signed(text, signatures, vkey) for vkey in vkeys):
            return 403, "text/plain", b"unknown key\n"
        if old > size:
            return 400, "text/plain", b"old is larger\n"
        last_size, last_root = self.seen.get(origin, (0, b""))
        if old != last_size:
            return 409, "text/x.tlog.size", b"%d\n" % last_size
        if not consistent(old, size, [base64.b64decode(line) for line in proof], last_root, root):
            return 422, "text/plain", b"not consistent\n"
        self.seen[origin] = size, root
        return 200, "text/plain", self._cosign(text).encode()

    def _cosign(self, text: str) -> str:
        signature = self._private.sign(f"cosignature/v1\ntime {self.time_s}\n{text}".encode())
        public = b"\x04" + self._private.public_key().public_bytes_raw()
        blob = self._key_id(public) + self.time_s.to_bytes(8, "big") + signature
        return f"— {NAME} {base64.b64encode(blob).decode()}\n"

    @staticmethod
    def _key_id(public: bytes) -> bytes:
        return hashlib.sha256(NAME.encode() + b"\n" + public).digest()[:4]


def _signed(text: str, signatures: str, vkey: str) -> bool:
    name, key_id, encoded = vkey.split("+", 2)
    for line in signatures.splitlines():
        _, signer, blob = line.split(" ")
        raw = base64.b64decode(blob)
        if signer == name and raw[:4].hex() == key_id:
            try:
                Ed25519PublicKey.from_public_bytes(base64.b64decode(encoded)[1:]).verify(raw[4:], text.encode())
            except InvalidSignature:
                return False
            return True
    return False


def consistent(first: int, second: int, path: list[bytes], first_root: bytes, second_root: bytes) -> bool:
    """RFC 9162 section 2.1.4.2; nothing needs proving from the empty tree."""
    if first in {0, second}:
        return not path and first_root == (second_root if first else first_root)
    if not path:
        return False
    if first & (first - 1) == 0:
        path = [first_root, *path]
    fn, sn = first - 1, second - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    return _walk(fn, sn, path) == (first_root, second_root)


def _walk(fn: int, sn: int, path: list[bytes]) -> tuple[bytes, bytes] | None:
    fr = sr = path[0]
    for c in path[1:]:
        if sn == 0:
            return None
        if fn & 1 or fn == sn:
            fr, sr = _node(c, fr), _node(c, sr)
            while fn and not fn & 1:
                fn, sn = fn >> 1, sn >> 1
        else:
            sr = _node(sr, c)
        fn, sn = fn >> 1, sn >> 1
    return (fr, sr) if sn == 0 else None


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


@contextmanager
def serving(witness: Witness) -> Iterator[str]:
    """Serve it on loopback; its submission prefix."""

    class Handler(BaseHTTPRequestHandler):
        """One request."""

        def do_POST(self) -> None:
            """add-checkpoint, and nothing else."""
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status, kind, answer = witness.add_checkpoint(body) if self.path == "/prefix/add-checkpoint" else (404, "", b"")
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_arguments: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/prefix"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
