"""Heads of requests: what is left out of them, and that nothing else is changed however it comes."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wharfinger.runtime.heads import MAX_HEAD, FirstHead, with_one_content_type

HEAD = b"POST /events HTTP/1.1\r\nHost: x\r\nContent-Type: a\r\nContent-Length: 2\r\ncontent-type:b\r\nX: Content-Type: c"
WITHOUT = b"POST /events HTTP/1.1\r\nHost: x\r\nContent-Type: a\r\nContent-Length: 2\r\nX: Content-Type: c"


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (HEAD, WITHOUT),
        (WITHOUT, WITHOUT),
        (b"", b""),
        (b"Content-Type: a", b"Content-Type: a"),
        (b"CONTENT-TYPE: a\r\nContent-Type: b\r\ncontent-type: c", b"CONTENT-TYPE: a"),
        (b"Content-Length: 1\r\nContent-Length: 2", b"Content-Length: 1\r\nContent-Length: 2"),
        (b"Host: a\r\nHost: b\r\nContent-Type-Options: x", b"Host: a\r\nHost: b\r\nContent-Type-Options: x"),
    ],
)
def test_the_first_content_type_counts(head: bytes, expected: bytes) -> None:
    """The others are gone; a second one of any other header stays the fault that it is."""
    assert with_one_content_type(head) == expected


class Inner(asyncio.Protocol):
    """What stands behind, and what it was handed."""

    def __init__(self) -> None:
        self.calls: list[object] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Note it."""
        self.calls.append(transport)

    def data_received(self, data: bytes) -> None:
        """Note it."""
        self.calls.append(data)

    def eof_received(self) -> bool:
        """Note it."""
        self.calls.append("eof")
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """Note it."""
        self.calls.append(exc)

    def pause_writing(self) -> None:
        """Note it."""
        self.calls.append("pause")

    def resume_writing(self) -> None:
        """Note it."""
        self.calls.append("resume")


class Transport(asyncio.Transport):
    """Whose it is."""

    protocol: asyncio.BaseProtocol | None = None

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """It is another's from now on."""
        self.protocol = protocol


def handed(*pieces: bytes) -> list[object]:
    """What comes out for what goes in."""
    inner = Inner()
    protocol = FirstHead(inner)
    for piece in pieces:
        protocol.data_received(piece)
    return inner.calls


def test_everything_is_handed_on() -> None:
    """In its order."""
    inner, transport, fault = Inner(), Transport(), ConnectionResetError()
    protocol = FirstHead(inner)
    protocol.connection_made(transport)
    protocol.pause_writing()
    protocol.resume_writing()
    assert protocol.eof_received()
    protocol.connection_lost(fault)
    assert inner.calls == [transport, "pause", "resume", "eof", fault]


@pytest.mark.parametrize("pieces", [(b"GET / HTTP/1.1\r\n",), (HEAD, b"\r\n\r\n"), (b"PU",)])
def test_it_gives_its_place_to_what_stands_behind(pieces: tuple[bytes, ...]) -> None:
    """As soon as nothing is held any more: what follows need not pass here."""
    inner, transport = Inner(), Transport()
    protocol = FirstHead(inner)
    protocol.connection_made(transport)
    for piece in pieces:
        assert transport.protocol is None
        protocol.data_received(piece)
    assert transport.protocol is inner


def test_a_head_is_held_until_it_is_whole() -> None:
    """Then its body goes with it, and what follows goes at once."""
    assert handed(HEAD) == []
    assert handed(HEAD, b"\r\n\r") == []
    assert handed(HEAD, b"\r\n\r", b"\n{}", b"more") == [WITHOUT + b"\r\n\r\n{}", b"more"]


def test_what_is_no_post_goes_at_once() -> None:
    """It is not looked at; neither is a second request of the same connection."""
    for start in (b"GET / HTTP/1.1\r\n", b"\x16\x03\x01", b"PUT /", b"P\r\n"):
        assert handed(start, b"x") == [start, b"x"]
    again = HEAD + b"\r\n\r\n"
    assert handed(again, again) == [WITHOUT + b"\r\n\r\n", again]


def test_the_first_letters_are_waited_for() -> None:
    """They may become a POST."""
    assert handed(b"P", b"OS", b"T") == []
    assert handed(b"P", b"U") == [b"PU"]


def test_a_head_without_an_end() -> None:
    """Is not held for ever: whoever stands behind refuses it."""
    start, more = b"POST /", b"x" * MAX_HEAD
    assert handed(start, more) == [start + more]


def test_an_end_in_the_middle() -> None:
    """What was held is told before that nothing follows."""
    inner = Inner()
    protocol = FirstHead(inner)
    protocol.data_received(HEAD)
    protocol.eof_received()
    assert inner.calls == [HEAD, "eof"]


@given(st.lists(st.binary(max_size=30)), st.booleans())
def test_any_pieces(pieces: list[bytes], post: bool) -> None:  # noqa: FBT001 - drawn
    """Nothing is lost and nothing is added, however it is cut."""
    sent = [b"POST / HTTP/1.1\r\n", *pieces] if post else pieces
    inner = Inner()
    protocol = FirstHead(inner)
    for piece in sent:
        protocol.data_received(piece)
    protocol.eof_received()
    got = b"".join(one for one in inner.calls if isinstance(one, bytes))
    head, end, rest = b"".join(sent).partition(b"\r\n\r\n")
    assert got == (with_one_content_type(head) if head.startswith(b"POST ") and end else head) + end + rest


@given(st.lists(st.sampled_from([b"Content-Type: a", b"content-type: b", b"X: y", b"Host: z", b""])))
def test_at_most_one(lines: list[bytes]) -> None:
    """And all others, in their order."""
    found = with_one_content_type(b"\r\n".join(lines)).split(b"\r\n")
    types = [line for line in found if line.lower().startswith(b"content-type:")]
    given_types = [line for line in lines if line.lower().startswith(b"content-type:")]
    assert types == given_types[:1]
    assert [line for line in found if line not in types] == [line for line in lines or [b""] if line not in given_types]
