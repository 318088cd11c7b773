"""Thousands of connections that ask nothing, or never to the end: those that do are served, and the others are let go."""

import http.client
import os
import resource
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.real.conftest import House, build_house, wait_until
from tests.real.test_pipe import all_exact
from wharfinger.cli.pusher import make_image
from wharfinger.runtime.connections import Bounds
from workers.decide.challenge import basic

pytestmark = pytest.mark.real

MOST = Bounds().connections
WAIT_S = 3 * Bounds().head_s


@pytest.fixture(scope="module")
def besieged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A house whose token service is one process."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < 2 * MOST:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(4 * MOST, hard), hard))
    built = build_house(tmp_path_factory.mktemp("besieged"), processes=1)
    yield built
    assert built.program.stop() == 0
    built.registry_program.stop()
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@contextmanager
def connections(port: int, count: int, sent: bytes = b"") -> Iterator[list[socket.socket]]:
    """So many to a port of ours, each with something sent on it."""
    made: list[socket.socket] = []
    try:
        for _ in range(count):
            made.append(socket.create_connection(("127.0.0.1", port), timeout=WAIT_S))
            if sent:
                made[-1].sendall(sent)
        yield made
    finally:
        for one in made:
            one.close()


def ended(one: socket.socket) -> bool:
    """Whether the other end has closed it; waits for that."""
    try:
        return one.recv(1) == b""
    except ConnectionResetError:
        return True


def token(house: House) -> int:
    """A client's status."""
    connection = http.client.HTTPConnection("127.0.0.1", house.ports.auth, timeout=WAIT_S)
    headers = {"Authorization": basic("hussein", house.password("hussein").encode())}
    connection.request("GET", "/auth?service=registry", headers=headers)
    status = connection.getresponse().status
    connection.close()
    return status


def open_files(house: House, child: str) -> int:
    """What a process holds open."""
    return len(list(Path(f"/proc/{house.children()[child]}/fd").iterdir()))


@pytest.mark.parametrize("sent", [b"", b"GET /auth?service=regi"], ids=["silent", "half a head"])
def test_more_connections_than_places(besieged: House, sent: bytes) -> None:
    """To both services, more than each has places: tokens and events go on, and then every one of them is closed."""
    with (
        connections(besieged.ports.auth, MOST + 300, sent) as at_auth,
        connections(besieged.ports.notifier, MOST + 300, sent) as at_notifier,
    ):
        assert [token(besieged) for _ in range(5)] == [200] * 5
        assert max(open_files(besieged, child) for child in ("auth", "notifier")) < MOST + 128
        tag = f"besieged-{len(sent)}"
        besieged.pusher().push(make_image(os.urandom(32)), "ubuntu", tag)
        besieged.traced(f"ubuntu:{tag}", lambda found: found.events)
        all_exact(besieged, "ubuntu")
        assert all(map(ended, at_auth + at_notifier))
    wait_until("few open files", lambda: open_files(besieged, "auth") < 100)
    assert "connections.full" in (besieged.folder / "up.log").read_text()


def test_who_stops_in_the_middle(besieged: House) -> None:
    """A head that trickles, a form that does not come, a second request that stops: each is let go in its time."""
    basic_line = f"Authorization: {basic('hussein', besieged.password('hussein').encode())}\r\n".encode()
    starts = {
        "a head": b"GET /auth?service=registry HTTP/1.1\r\nHost: h\r\n" + basic_line,
        "a form": b"POST /auth HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n" + basic_line + b"\r\nservice=reg",
        "a second head": b"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\nGET /auth?service=registry HTTP/1.1\r\n",
    }
    before = besieged.rows("SELECT count(*) FROM records WHERE kind = 'issuance'")
    with ExitStack() as stack:
        made = [stack.enter_context(connections(besieged.ports.auth, 1, start))[0] for start in starts.values()]
        assert b"200 OK" in made[-1].recv(65_536)
        made[-1].sendall(b"Host: h\r\n")
        for one in made:
            while one.recv(65_536):
                pass
    assert token(besieged) == 200
    wait_until("the one token", lambda: besieged.rows("SELECT count(*) FROM records WHERE kind = 'issuance'") > before)
    assert besieged.rows("SELECT count(*) FROM records WHERE kind = 'issuance'") == [(before[0][0] + 1,)]


def test_the_log_is_not_filled(besieged: House) -> None:
    """A thousand malformed requests, with passwords in them: a handful of lines, and nothing of what was sent."""
    size = (besieged.folder / "up.log").stat().st_size
    for _ in range(20):
        with connections(
            besieged.ports.auth, 50, b"GET /auth HTTP/1.1\r\nHost: h\r\nAuthorization : Basic c3VwZXJzZWNyZXQ=\r\n\r\n"
        ) as made:
            assert all(b"400 Bad Request" in one.recv(1_000) for one in made)
    text = (besieged.folder / "up.log").read_text()
    assert "c3VwZXJzZWNyZXQ" not in text
    assert len(text) - size < 10_000
