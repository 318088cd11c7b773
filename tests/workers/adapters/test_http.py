"""The HTTP client: what it sends, what it makes of answers, and that no peer holds a worker longer than it may."""

import socket
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.servers import Reply, answering, saying
from workers.adapters.http import MAX_BODY, Answer, Endpoint, request, streaming
from workers.errors import Unavailable

pytestmark = pytest.mark.real


def local(port: int, name: str = "peer.example") -> Endpoint:
    """An address that was checked, under the name it was given as."""
    return Endpoint(name, port, address="127.0.0.1")


def test_a_request_and_its_answer() -> None:
    """Whole, in both directions; header names come back in small letters."""
    with answering(lambda heard: Reply(201, {"X-Odd": "Value"}, heard.body[::-1])) as peer:
        answer = request(local(peer.port), "POST", "/a?b=c", headers={"X-Mine": "1"}, body=b"abc")
    assert (answer.status, answer.headers["x-odd"], answer.body) == (201, "Value", b"cba")
    (heard,) = peer.heard
    assert (heard.method, heard.path, heard.body, heard.headers["x-mine"]) == ("POST", "/a?b=c", b"abc", "1")
    assert heard.headers["host"] == f"peer.example:{peer.port}"


def test_the_checked_address_is_used() -> None:
    """The name is only told, never resolved again."""
    with answering(lambda _: Reply()) as peer:
        request(local(peer.port, "does-not-resolve.invalid"), "GET", "/")
    assert peer.heard[0].headers["host"].startswith("does-not-resolve.invalid")


def test_a_head_has_no_body() -> None:
    """Though it says how long one would be."""
    with answering(lambda _: Reply(200, {"Content-Length": "999"})) as peer:
        assert request(local(peer.port), "HEAD", "/").body == b""


def test_redirects_are_answers() -> None:
    """Nothing is sent to where one points."""
    with answering(lambda _: Reply(307, {"Location": "/elsewhere"})) as peer:
        assert request(local(peer.port), "POST", "/", body=b"x").status == 307
    assert [heard.path for heard in peer.heard] == ["/"]


def test_a_unix_socket(tmp_path: Path) -> None:
    """The Engine's way."""
    path = str(tmp_path / "s")
    with saying(_replies(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"), family=socket.AF_UNIX, address=path):
        assert request(Endpoint("docker", 80, unix=path), "GET", "/").body == b"ok"


def _replies(answer: bytes) -> Callable[[socket.socket], None]:
    def speak(connection: socket.socket) -> None:
        connection.recv(65_536)
        connection.sendall(answer)

    return speak


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (b"HTTP/1.0 200 OK\r\n\r\nuntil it closes", b"until it closes"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n", b"abc"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: close\r\n\r\nx", b"x"),
    ],
)
def test_forms_of_answers(answer: bytes, body: bytes) -> None:
    """Each way in which a body may end."""
    with saying(_replies(answer)) as peer:
        assert request(local(peer.port), "GET", "/").body == body


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\r\n",
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nab\r\n",
    ],
    ids=["nothing", "empty line", "nonsense", "no status", "long header", "many headers", "cut body", "cut chunk", "no chunk"],
)
def test_broken_answers(answer: bytes) -> None:
    """They are told apart from whole ones, with the peer's name and nothing of what it sent."""
    with saying(_replies(answer)) as peer, pytest.raises(Unavailable, match=r"peer\.example") as raised:
        request(local(peer.port), "GET", "/")
    assert "nonsense" not in str(raised.value)


def test_a_body_that_is_too_large() -> None:
    """It is not kept in memory."""
    with answering(lambda _: Reply(200, {}, bytes(MAX_BODY + 1))) as peer, pytest.raises(Unavailable, match="more than"):
        request(local(peer.port), "GET", "/")


def test_the_largest_body() -> None:
    """Is taken."""
    with answering(lambda _: Reply(200, {}, bytes(MAX_BODY))) as peer:
        assert len(request(local(peer.port), "GET", "/").body) == MAX_BODY


def test_nobody_listens(tmp_path: Path) -> None:
    """On a port, and on a socket's path."""
    with answering(lambda _: Reply()) as peer:
        free = peer.port
    for nobody, name in ((local(free), "peer.example"), (Endpoint("docker", 80, unix=str(tmp_path / "s")), str(tmp_path))):
        with pytest.raises(Unavailable, match=name):
            request(nobody, "GET", "/")


def _drips(answer: bytes, done: threading.Event) -> Callable[[socket.socket], None]:
    """Sends a byte at a time, and pauses so long that all of it takes hours, until the test is over."""

    def speak(connection: socket.socket) -> None:
        connection.recv(65_536)
        try:
            for at in range(len(answer)):
                connection.sendall(answer[at : at + 1])
                if done.wait(0.05):
                    return
        except OSError:
            return  # the client has gone, as it should

    return speak


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 60_000,
        b"HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n" + b"x" * 60_000,
        b"H" * 60_000,
    ],
    ids=["head", "body", "status"],
)
def test_a_peer_that_drips(answer: bytes) -> None:
    """Each byte comes in time, the whole never would: the deadline is for the whole, its head included."""
    done = threading.Event()
    with saying(_drips(answer, done)) as peer:
        with pytest.raises(Unavailable, match="in time"):
            request(local(peer.port), "GET", "/", timeout_s=0.5)
        done.set()


def test_a_peer_that_is_silent() -> None:
    """It takes the request and says nothing."""
    with saying(_only_listens) as peer, pytest.raises(Unavailable, match="in time"):
        request(local(peer.port), "GET", "/", timeout_s=0.3)


def _only_listens(connection: socket.socket) -> None:
    while connection.recv(65_536):
        pass


def test_a_long_stream_that_goes_on() -> None:
    """Its pauses are short, and the whole has time."""
    pieces = b"".join(b"1\r\nx\r\n" for _ in range(5))
    answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + pieces + b"0\r\n\r\n"
    with (
        saying(_replies(answer)) as peer,
        streaming(local(peer.port), "GET", "/", timeout_s=30, idle_s=10) as (head, chunks),
    ):
        assert isinstance(head, Answer)
        assert b"".join(chunks) == b"xxxxx"


@pytest.mark.parametrize(
    ("path", "headers"),
    [("/with space", {}), ("/new\nline", {}), ("/hóok", {}), ("/", {"Authorization": "Bearer a\nb"}), ("/", {"X": "\u2603"})],
)
def test_what_http_cannot_carry(path: str, headers: dict[str, str]) -> None:
    """A path or token that a peer gave us: nothing is sent, and it is told as the peer's fault."""
    with answering(lambda _: Reply()) as peer, pytest.raises(Unavailable):
        request(local(peer.port), "GET", path, headers=headers)
    assert peer.heard == []


def test_tls_that_nobody_vouches_for() -> None:
    """A certificate of no authority is refused: so is a peer that speaks no TLS at all."""
    with answering(lambda _: Reply()) as peer, pytest.raises(Unavailable):
        request(Endpoint("peer.example", peer.port, address="127.0.0.1", tls=True), "GET", "/")
