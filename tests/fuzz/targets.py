"""What strangers can send, read by what reads it: each target takes any bytes, and fails when something that must hold does not.

Shared by the property tests (hypothesis) and the coverage-guided runs (atheris). ``SEEDS``: bytes to start from.
"""

import base64
import json
from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import urlencode

from authsvc.decide.backoff import Kind, subjects
from authsvc.decide.client_address import client_address
from authsvc.decide.journal import JournalEntry, read, written
from authsvc.decide.journal import Kind as RecordKind
from authsvc.decide.refusals import network_of
from authsvc.decide.request import MAX_ACCOUNT, MAX_TEXT, BadRequest, TokenRequest, read_get, read_post
from wharfinger.runtime.settings import RealIp
from wharfinger.wire.codec import UnreadableRecord, decode, encode
from wharfinger.wire.event import MAX_EVENTS, Malformed, parse_envelope
from wharfinger.wire.event import MAX_TEXT as MAX_EVENT_TEXT
from wharfinger.wire.issuance import Issuance, Refusal
from wharfinger.wire.names import Account, Jti
from wharfinger.wire.scope import MAX_SCOPE_LENGTH, MAX_SCOPES, Scope, ScopeFault, covers, parse_scope, parse_scopes
from wharfinger.wire.subject import PlainSubject, TokenSubject, format_subject, parse_subject

Target = Callable[[bytes], None]
LONGEST_PROBLEM: Final = 120


def text_of(data: bytes) -> str:
    """Bytes as a header or query holds them."""
    return data.decode("utf-8", "surrogateescape")


def get(data: bytes) -> None:
    """A GET's query, a NUL, and an Authorization header."""
    query, _, header = data.partition(b"\x00")
    _check(read_get(text_of(query), [text_of(header)] if header else []), sent=bool(header))


def post(data: bytes) -> None:
    """A POST's query, a NUL, an Authorization header, a NUL, and the form."""
    query, _, rest = data.partition(b"\x00")
    header, _, body = rest.partition(b"\x00")
    # Also in the query: Go's FormValue looks there too.
    _check(read_post(text_of(query), [text_of(header)] if header else [], body), sent=bool(query or header or body))


def _check(found: TokenRequest | BadRequest, *, sent: bool) -> None:
    if isinstance(found, BadRequest):
        assert len(found.problem) <= LONGEST_PROBLEM
        assert found.code in {"invalid_request", "invalid_scope", "unsupported_grant_type"}
        return
    assert len(found.scopes) <= MAX_SCOPES
    assert len(found.service) <= MAX_TEXT
    assert len(found.client_id) <= MAX_TEXT
    assert found.credentials is None or sent
    assert found.credentials is None or found.credentials.by in {"basic", "form"}
    assert found.credentials is None or len(found.credentials.account) <= MAX_ACCOUNT
    # What is kept of it must be fit for a record, whatever it was.
    encode([found.service, found.client_id, found.scopes])
    for scope in found.scopes:
        _check_scope(scope)


def scope(data: bytes) -> None:
    """One scope."""
    text = text_of(data)
    found = parse_scope(text)
    if isinstance(found, ScopeFault):
        assert len(found.problem) <= LONGEST_PROBLEM
        assert len(found.text) <= MAX_SCOPE_LENGTH
        return
    _check_scope(found)
    assert not {" ", "\r", "\n", "\x00"} & set(str(found))


def _check_scope(found: Scope) -> None:
    assert parse_scope(str(found)) == found or len(str(found)) > MAX_SCOPE_LENGTH
    assert found.type.isascii()
    assert found.type.isalnum()
    assert list(found.actions) == sorted(set(found.actions))
    assert len(found.name) <= MAX_SCOPE_LENGTH
    for action in found.actions:
        assert covers([found], kind=found.type, name=found.name, action=action)
        assert not covers([found], kind=found.type, name=found.name + "x", action=action)


def scopes(data: bytes) -> None:
    """Several, parted by spaces, in several values parted by line feeds."""
    found = parse_scopes(text_of(data).split("\n"))
    if not isinstance(found, ScopeFault):
        assert 1 <= len(found) <= MAX_SCOPES
        assert parse_scopes([" ".join(map(str, found))]) == found


def basic(data: bytes) -> None:
    """An Authorization header: as it is, and one made of an account and a password."""
    get(b"\x00" + data)
    account, _, password = data.decode("utf-8", "replace").partition("\x00")
    header = "Basic " + base64.b64encode(f"{account}:{password}".encode()).decode()
    found = read_get("", [header])
    name, _, rest = f"{account}:{password}".partition(":")
    assert isinstance(found, BadRequest) is (len(name) > MAX_ACCOUNT)
    if isinstance(found, BadRequest):
        return
    assert found.credentials is not None
    assert (found.credentials.account, found.credentials.password) == (name, rest)


def address(data: bytes) -> None:
    """A proxy's header, and the networks that follow from it."""
    text = text_of(data)
    for position in (0, -1, 3, -3):
        found = client_address("10.0.0.1", [text], RealIp("X-Forwarded-For", position))
        if isinstance(found, str):
            assert "%" not in found
            assert network_of(found)
            assert set(subjects(b"k" * 32, account=text, addr=found)) == set(Kind)
    subjects(b"k" * 32, account=text, addr=text)


def subject(data: bytes) -> None:
    """A token's subject, as an event names it."""
    text = text_of(data)
    found = parse_subject(text)
    if isinstance(found, TokenSubject):
        assert format_subject(found.unverified_account, found.unverified_jti) == text
    else:
        assert found == PlainSubject(text)
    made = parse_subject(format_subject(Account(text), Jti("P7EDuDlmaqA2s52sRqx2-KIEUD")))
    assert made == TokenSubject(Account(text), Jti("P7EDuDlmaqA2s52sRqx2-KIEUD"))


def event(data: bytes) -> None:
    """A notification's body."""
    found = parse_envelope(data)
    assert len(found) <= MAX_EVENTS
    for one in found:
        if isinstance(one, Malformed):
            assert len(one.problem) <= LONGEST_PROBLEM
            continue
        texts = (
            one.event_id,
            one.repository,
            one.tag,
            one.digest,
            one.media_type,
            one.unverified_actor,
            one.user_agent,
            one.client_addr,
        )
        assert all(len(text) <= MAX_EVENT_TEXT or text is one.unverified_actor for text in texts)
        "".join(texts).encode()
        assert json.loads(one.raw)


def journal(data: bytes) -> None:
    """A journal's file."""
    end = 0
    for piece in read(data):
        assert end < piece.upto <= len(data)
        line, end = data[end : piece.upto], piece.upto
        if isinstance(piece.found, JournalEntry):
            assert written(piece.found) == line
    assert b"\n" not in data[end:]


def record(data: bytes) -> None:
    """A stream's entry, which whoever may write to Redis can put there."""
    for kind in (Issuance, Refusal):
        try:
            found = decode(kind, data)
        except UnreadableRecord:
            continue
        assert decode(kind, encode(found)) == found


TARGETS: Final[Mapping[str, Target]] = {
    one.__name__: one for one in (get, post, scope, scopes, basic, address, subject, event, journal, record)
}

_SCOPE: Final = "repository:library/nginx:pull,push"
_BASIC: Final = b"Basic em9lOnMzY3JldA=="
_FORM: Final = urlencode(
    {
        "grant_type": "password",
        "service": "registry",
        "client_id": "containerd-client",
        "username": "zoe",
        "password": "s3cret",
        "scope": _SCOPE,
    }
).encode()

SEEDS: Final[Mapping[str, tuple[bytes, ...]]] = {
    "get": (
        f"account=zoe&client_id=docker&offline_token=true&service=registry&scope={_SCOPE}".encode() + b"\x00" + _BASIC,
        b"scope=registry:catalog:*&scope=repository(plugin):a:pull&service=%00\x00bearer x",
    ),
    "post": (b"\x00\x00" + _FORM, b"service=q\x00" + _BASIC + b"\x00scope=" + _SCOPE.encode(), b"\x00\x00grant_type=refresh_token&refresh_token=x"),
    "scope": (_SCOPE.encode(), b"repository:host:5000/a:pull", b"repository(plugin):a/b:*", b"a:b:c:d:e"),
    "scopes": (f"{_SCOPE} repository:b:pull\nregistry:catalog:*".encode(),),
    "basic": (_BASIC, b"zoe\x00s3cret:with:colons", "zoë\x00ß".encode()),
    "address": (b"192.0.2.7, 10.0.0.1", b"2001:db8::1%eth0", b"::ffff:10.1.2.3"),
    "subject": (b"zoe#P7EDuDlmaqA2s52sRqx2-KIEUD", b"#P7EDuDlmaqA2s52sRqx2-KIEUD", b"a#b"),
    "event": (
        b'{"events":[{"id":"1","timestamp":"2026-11-24T00:00:00Z","action":"push","target":{"mediaType":"m","size":1,"digest":"sha256:'
        + b"ab" * 32
        + b'","repository":"a/b","tag":"v1"},"request":{"id":"r","addr":"[::1]:5","host":"h","method":"PUT","useragent":"u"},"actor":{"name":"z"}}]}',
        b'{"events":null}',
    ),
    "journal": (written(JournalEntry(RecordKind.ISSUANCE, b'{"jti":"a"}')) * 2, b"issuance 0000000b 00000000 {}\n"),
    "record": (
        b'{"schema":1,"jti":"a","account":"zoe","credential":{"kind":"static","id":"c"},"authenticated_by":"basic","client_addr":"","asked":[{"type":"repository","name":"a","actions":["pull"]}],"rules":[1,null],"issued_at":1,"not_before":1,"expires_at":2}',
        b'{"id":"r","reason":"wrong_password","account":"zoe","since":1,"until":2}',
    ),
}  # fmt: skip
