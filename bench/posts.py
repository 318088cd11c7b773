"""Posts notifications as registries do: a new connection for each, the answer read, the connection closed. Times each whole."""

import socket
import time
from collections.abc import Sequence
from multiprocessing import get_context


def post(port: int, secret: str, body: bytes) -> float:
    """Seconds from before the connection to the end of the answer. Raises AssertionError unless it is 202."""
    head = (
        f"POST /events HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUser-Agent: Go-http-client/1.1\r\nContent-Length: {len(body)}\r\n"
        f"Authorization: Bearer {secret}\r\nContent-Type: application/vnd.docker.distribution.events.v2+json\r\n\r\n"
    )
    began = time.perf_counter()
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # as Go does
        connection.sendall(head.encode() + body)
        answer = connection.recv(65_536)
    taken = time.perf_counter() - began
    assert answer.startswith(b"HTTP/1.1 202 "), answer[:80]
    return taken


def in_turn(port: int, secret: str, bodies: Sequence[bytes]) -> list[float]:
    """Post them one after the other."""
    return [post(port, secret, body) for body in bodies]


def at_once(clients: int, port: int, secret: str, bodies: Sequence[bytes]) -> tuple[list[float], float]:
    """Post them from several clients, each a process of its own: what each took, and how many it was a second."""
    shares = [(port, secret, bodies[at::clients]) for at in range(clients)]
    with get_context("fork").Pool(clients) as pool:
        pool.starmap(in_turn, [(port, secret, share[:1]) for _, _, share in shares], chunksize=1)  # all are there
        began = time.perf_counter()
        taken = [one for share in pool.starmap(in_turn, shares, chunksize=1) for one in share]
        return taken, len(taken) / (time.perf_counter() - began)
