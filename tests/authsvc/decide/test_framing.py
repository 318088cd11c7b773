"""Heads of HTTP messages: where a body ends, or that nobody should say."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authsvc.decide.framing import Body, Ends, RequestHead, ResponseHead, chunk_size, request_head, response_head

NONE = Body(Ends.LENGTH)


def head(*lines: str) -> bytes:
    """Lines as they are sent."""
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def test_a_request() -> None:
    """Path and query apart, names in small letters, values as they came, repetitions kept."""
    made = head(
        "GET /auth?service=r&scope=a%20b HTTP/1.1", "Host: x", "X-Real-Ip:  1.1.1.1 ", "x-real-ip: 2.2.2.2", "Empty:", "Name: é"
    )
    assert request_head(made) == RequestHead(
        "GET", "/auth", "service=r&scope=a%20b",
        {"host": ("x",), "x-real-ip": ("1.1.1.1", "2.2.2.2"), "empty": ("",), "name": ("é",)}, NONE, goes_on=True,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("body", "goes_on", "lines"),
    [
        (NONE, True, ["GET / HTTP/1.1"]),
        (NONE, False, ["GET / HTTP/1.0"]),
        (NONE, True, ["GET / HTTP/1.0", "Connection: Keep-Alive"]),
        (NONE, False, ["GET / HTTP/1.1", "Connection: keep-alive, Close"]),
        (Body(Ends.LENGTH, 12), True, ["POST / HTTP/1.1", "Content-Length: 12"]),
        (Body(Ends.CHUNKS), True, ["POST / HTTP/1.1", "Transfer-Encoding: Chunked"]),
        (NONE, True, ["BREW / HTTP/1.1", "Expect: 100-continue"]),
        (NONE, True, ["OPTIONS * HTTP/1.1"]),
    ],
)
def test_bodies_of_requests(body: Body, *, goes_on: bool, lines: list[str]) -> None:
    """By a length, by chunks, or none."""
    found = request_head(head(*lines))
    assert found is not None
    assert (body, goes_on) == (found.body, found.goes_on)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\r\n\r\n",
        b"GET / HTTP/1.1\n\n",
        b"GET / HTTP/1.1\r\nA: b\n\r\n\r\n",
        b"GET / HTTP/1.1\r\nA: b\rc\r\n\r\n",
        b"GET / HTTP/1.1\r\nA: \x00\r\n\r\n",
        head("GET /a b HTTP/1.1"),
        head("GET / HTTP/2.0"),
        head("GET /"),
        head("PRI * HTTP/2.0"),
        head("GET / HTTP/1.1", "no colon"),
        head("GET / HTTP/1.1", "Name : x"),
        head("GET / HTTP/1.1", "A: b", " folded"),
        head("GET / HTTP/1.1", ": x"),
        head("GET / HTTP/1.1", "Connection: upgrade", "Upgrade: h2c"),
        head("CONNECT x:1 HTTP/1.1"),
        head("POST / HTTP/1.1", "Content-Length: 1", "Transfer-Encoding: chunked"),
        head("POST / HTTP/1.1", "Content-Length: 1", "Content-Length: 1"),
        head("POST / HTTP/1.1", "Content-Length: +1"),
        head("POST / HTTP/1.1", "Content-Length: 1, 1"),
        head("POST / HTTP/1.1", "Content-Length: ²"),
        head("POST / HTTP/1.1", "Content-Length:"),
        head("POST / HTTP/1.1", "Transfer-Encoding: gzip, chunked"),
        head("POST / HTTP/1.1", "Transfer-Encoding: chunked", "Transfer-Encoding: chunked"),
        head("POST / HTTP/1.0", "Transfer-Encoding: chunked"),
    ],
)
def test_what_is_not_read_alike(data: bytes) -> None:
    """It goes through unseen: the server behind decides what it is."""
    assert request_head(data) is None


@pytest.mark.parametrize(
    ("expected", "method", "lines"),
    [
        (ResponseHead(200, Body(Ends.LENGTH, 5), goes_on=True, last=True), "GET", ["HTTP/1.1 200 OK", "Content-Length: 5"]),
        (ResponseHead(200, Body(Ends.LENGTH, 5), goes_on=True, last=True), "GET", ["HTTP/1.1 200", "Content-Length: 5"]),
        (ResponseHead(200, NONE, goes_on=True, last=True), "HEAD", ["HTTP/1.1 200 OK", "Content-Length: 5"]),
        (ResponseHead(204, NONE, goes_on=True, last=True), "GET", ["HTTP/1.1 204 No Content"]),
        (ResponseHead(304, NONE, goes_on=True, last=True), "GET", ["HTTP/1.1 304 Not Modified", "Content-Length: 5"]),
        (ResponseHead(100, NONE, goes_on=True, last=False), "POST", ["HTTP/1.1 100 Continue"]),
        (ResponseHead(200, Body(Ends.CHUNKS), goes_on=True, last=True), "GET", ["HTTP/1.1 200 OK", "transfer-encoding: chunked"]),
        (ResponseHead(500, Body(Ends.CLOSE), goes_on=False, last=True), "GET", ["HTTP/1.1 500 Internal Server Error"]),
        (ResponseHead(401, Body(Ends.LENGTH, 0), goes_on=False, last=True), "GET", ["HTTP/1.0 401 No", "Content-Length: 0"]),
        (ResponseHead(400, Body(Ends.LENGTH, 3), goes_on=False, last=True), "GET", ["HTTP/1.1 400 Bad Request", "Connection: close", "Content-Length: 3"]),
    ],
)  # fmt: skip
def test_an_answer(expected: ResponseHead, method: str, lines: list[str]) -> None:
    """By its status, its request's method and its fields; without either it ends with the connection."""
    assert expected == response_head(head(*lines), method=method)


@pytest.mark.parametrize(
    "lines",
    [
        ["HTTP/2 200"],
        ["HTTP/1.1 999 x"],
        ["200 OK"],
        ["HTTP/1.1 200 OK", "bad line"],
        ["HTTP/1.1 101 Switching Protocols", "Upgrade: x"],
        ["HTTP/1.1 200 OK", "Content-Length: x"],
        ["HTTP/1.1 200 OK", "Content-Length: 1", "Transfer-Encoding: chunked"],
        ["HTTP/1.1 200 OK", "Transfer-Encoding: gzip"],
    ],
)
def test_an_answer_that_is_not_read_alike(lines: list[str]) -> None:
    """It goes through unseen too."""
    assert response_head(head(*lines), method="GET") is None


@pytest.mark.parametrize(
    ("size", "line"),
    [(0, b"0\r\n"), (255, b"fF\r\n"), (16, b"10 ;name=value\r\n"), (None, b"\r\n"), (None, b"x\r\n"), (None, b"1"), (None, b"-1\r\n"), (None, b"f" * 16 + b"\r\n")],
)  # fmt: skip
def test_the_line_of_a_chunk(size: int | None, line: bytes) -> None:
    """Hexadecimal, with extensions that nobody reads."""
    assert size == chunk_size(line)


@given(st.binary(max_size=200))
def test_nothing_raises(data: bytes) -> None:
    """Whatever is sent is a head or none."""
    for made in (data, b"GET / HTTP/1.1\r\n" + data + b"\r\n\r\n"):
        assert isinstance(request_head(made), RequestHead | None)
    assert isinstance(response_head(b"HTTP/1.1 200 OK\r\n" + data + b"\r\n\r\n", method="GET"), ResponseHead | None)
