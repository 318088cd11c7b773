"""Which requests are plain, and that aiohttp's parser reads each of those as we do."""

import asyncio
from collections.abc import Mapping

import pytest
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http import HttpRequestParser
from aiohttp.streams import EMPTY_PAYLOAD
from hypothesis import example, given, settings
from hypothesis import strategies as st

from wharfinger.runtime.plain import MAX_FIELDS, MAX_SIZE, PlainGet, plain_get

DOCKER = (
    b"GET /auth?account=zoe&scope=repository%3Ashop%2Fcart%3Apull%2Cpush&service=registry HTTP/1.1\r\n"
    b"Host: auth.example.com:5001\r\nUser-Agent: docker/28.1 go/go1.24 \\(linux\\)\r\n"
    b"Authorization: Basic em9lOnMzY3JldA==\r\nAccept-Encoding: gzip\r\n\r\n"
)
LINE = b"GET /auth HTTP/1.1\r\n"
HOST = b"Host: h\r\n"
END = b"\r\n"


def test_what_docker_sends() -> None:
    """Is read: its path, its query as it came, its headers by name in small letters."""
    assert plain_get(DOCKER) == PlainGet(
        "/auth",
        "account=zoe&scope=repository%3Ashop%2Fcart%3Apull%2Cpush&service=registry",
        {
            "host": ("auth.example.com:5001",),
            "user-agent": ("docker/28.1 go/go1.24 \\(linux\\)",),
            "authorization": ("Basic em9lOnMzY3JldA==",),
            "accept-encoding": ("gzip",),
        },
        goes_on=True,
    )


@pytest.mark.parametrize(
    ("headers", "goes_on"),
    [
        (b"", True),
        (b"Connection: close\r\n", False),
        (b"connection:\tKeep-Alive \r\n", True),
        (b"Keep-Alive: timeout=1\r\n", True),
    ],
)
def test_whether_it_goes_on(headers: bytes, goes_on: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """As the client says, in whatever letters."""
    found = plain_get(LINE + HOST + headers + END)
    assert found is not None
    assert found.goes_on is goes_on


@pytest.mark.parametrize(
    ("headers", "name", "value"),
    [
        (b"X:\r\n", "x", ""),
        (b"X:  a b\t\r\n", "x", "a b"),
        (b"X: \xff\xc3\xa9\r\n", "x", "\udcffé"),
        (b"aUTHORIZATION: Basic YQ==\r\n", "authorization", "Basic YQ=="),
    ],
)
def test_headers(headers: bytes, name: str, value: str) -> None:
    """Without the spaces around them."""
    found = plain_get(LINE + HOST + headers + END)
    assert found is not None
    assert found.fields[name] == (value,)


MANY = b"".join(b"X%d: y\r\n" % number for number in range(MAX_FIELDS))

NOT_PLAIN: Mapping[str, bytes] = {
    "nothing": b"",
    "a part": DOCKER[:-1],
    "one behind it": DOCKER + b"G",
    "two": DOCKER + DOCKER,
    "an empty line before it": b"\r\n" + DOCKER,
    "another method": DOCKER.replace(b"GET", b"POST"),
    "small letters": DOCKER.replace(b"GET", b"get"),
    "HTTP/1.0": DOCKER.replace(b"HTTP/1.1", b"HTTP/1.0"),
    "HTTP/2.0": DOCKER.replace(b"HTTP/1.1", b"HTTP/2.0"),
    "a whole URL": DOCKER.replace(b"/auth?", b"http://h/auth?"),
    "an asterisk": DOCKER.replace(b"/auth?", b"*?"),
    "a fragment": DOCKER.replace(b"/auth?", b"/auth#?"),
    "a fragment in the query": DOCKER.replace(b"service", b"#service"),
    "a space in the target": DOCKER.replace(b"zoe", b"z oe"),
    "a tab in the target": DOCKER.replace(b"zoe", b"z\toe"),
    "a byte beyond ASCII in the target": DOCKER.replace(b"zoe", b"zo\xc3\xab"),
    "two spaces": DOCKER.replace(b" HTTP", b"  HTTP"),
    "bare line feeds": DOCKER.replace(b"\r\n", b"\n"),
    "one bare line feed": DOCKER.replace(b"Host", b"X: y\nHost"),
    "a bare carriage return": DOCKER.replace(b"Host", b"X: y\rZ: z\r\nHost"),
    "NUL": DOCKER.replace(b"gzip", b"g\x00zip"),
    "DEL": DOCKER.replace(b"gzip", b"g\x7fzip"),
    "no colon": DOCKER.replace(b"Host:", b"X\r\nHost:"),
    "no name": DOCKER.replace(b"Host:", b": x\r\nHost:"),
    "a space before the colon": DOCKER.replace(b"Authorization:", b"Authorization :"),
    "a space before the name": DOCKER.replace(b"Authorization:", b" Authorization:"),
    "a folded line": DOCKER.replace(b"Basic ", b"Basic\r\n "),
    "no header": LINE + END,
    "no host": LINE + b"X: y\r\n" + END,
    "two hosts": LINE + HOST + HOST + END,
    "a length": LINE + HOST + b"Content-Length: 0\r\n" + END,
    "chunks": LINE + HOST + b"Transfer-Encoding: chunked\r\n" + END,
    "an expectation": LINE + HOST + b"Expect: 100-continue\r\n" + END,
    "an upgrade": LINE + HOST + b"Upgrade: h2c\r\n" + END,
    "an upgrade's option": LINE + HOST + b"Connection: upgrade\r\n" + END,
    "several options": LINE + HOST + b"Connection: close, keep-alive\r\n" + END,
    "an option for a proxy": LINE + HOST + b"Proxy-Connection: close\r\n" + END,
    "a header twice": LINE + HOST + b"Authorization: Basic YQ==\r\nAuthorization: Basic Yg==\r\n" + END,
    "one twice, in other letters": LINE + HOST + b"X: y\r\nx: z\r\n" + END,
    "options twice": LINE + HOST + b"Connection: close\r\nConnection: keep-alive\r\n" + END,
    "many headers": LINE + HOST + MANY + END,
    "a long head": LINE + HOST + b"X: " + b"y" * MAX_SIZE + b"\r\n" + END,
}


@pytest.mark.parametrize("name", NOT_PLAIN)
def test_what_is_not_plain(name: str) -> None:
    """Is left to a whole parser, well-formed or not."""
    assert plain_get(NOT_PLAIN[name]) is None


def test_the_most_headers() -> None:
    """One below what is not plain any more."""
    assert plain_get(LINE + HOST + MANY[: MANY.index(b"X62")] + END) is not None


def test_a_hostile_head_takes_no_time() -> None:
    """Nothing that nearly matches is tried in many ways: each of these would take for ever."""
    for data in (b"GET /" + b"!" * MAX_SIZE, LINE + b"a:" * 8_000, LINE + b"a:b\r\n" * 3_000, LINE + b"a" * MAX_SIZE):
        assert plain_get(data) is None


PIECES = st.sampled_from([
    b"\r\n", b"\n", b"\r", b" ", b"\t", b":", b"\x00", b"\x7f", b"\xff", b"#", b"?", b"%", b"//", b"..", b"@", b"GET ", b"HTTP/1.1", b"HTTP/1.0", b"/auth",
    b"Host: i\r\n", b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n", b"Connection: close\r\n", b"Connection: upgrade\r\n", b"Upgrade: x\r\n",
    b"Expect: 100-continue\r\n", b"Trailer: x\r\n", b"User-Agent: x\r\n", b"Proxy-Connection: close\r\n", b"X:\r\n", b"X : y\r\n", b" folded\r\n", b"\x0b", b"\x80", b'"', b"(", b"\\", b"|", b"~", b"{",
])  # fmt: skip


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """What docker sends, with pieces put in, or in the place of others."""
    data = draw(st.sampled_from([DOCKER, LINE + HOST + END, LINE + HOST + b"Connection: close\r\n" + END]))
    for _ in range(draw(st.integers(0, 3))):
        start = draw(st.integers(0, len(data)))
        end = draw(st.integers(start, min(len(data), start + 4)))
        data = data[:start] + draw(st.one_of(PIECES, st.binary(max_size=3))) + data[end:]
    return data


@given(damaged())
@example(DOCKER)
@settings(max_examples=3_000, deadline=None)
def test_aiohttp_reads_the_same(data: bytes) -> None:
    """Whatever is plain is to its parser one whole request without a body, for the same thing, with the same headers."""
    found = plain_get(data)
    if found is None:
        return
    loop = asyncio.new_event_loop()
    try:
        parser = HttpRequestParser(BaseProtocol(loop), loop, 2**16, max_line_size=MAX_SIZE, max_field_size=MAX_SIZE)
        ((message, payload),), upgraded, tail = parser.feed_data(data)
    finally:
        loop.close()
    assert (message.method, message.path) == ("GET", found.path + (f"?{found.query}" if b"?" in data.split(b" ")[1] else ""))
    assert (message.chunked, message.upgrade, upgraded, tail, payload) == (False, False, False, b"", EMPTY_PAYLOAD)
    assert message.should_close is not found.goes_on
    assert {name.lower(): (value,) for name, value in message.headers.items()} == found.fields
    assert len(message.headers) == len(found.fields)
