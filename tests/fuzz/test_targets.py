"""Every target on what hypothesis makes of it: any bytes, pieces of what is meant, and what clients really send, damaged."""

import base64
from urllib.parse import urlencode

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from authsvc.decide.request import TokenRequest, read_get, read_post
from tests.fuzz.targets import SEEDS, TARGETS
from wharfinger.wire.scope import Scope, ScopeFault, parse_scope

WORDS = st.sampled_from([
    b"scope=", b"&", b"=", b"+", b"%20", b"%00", b"%ff", b"repository", b":", b"(plugin)", b",", b"pull", b"*", b"service=registry", b"account=",
    b"grant_type=password", b"username=", b"password=", b"client_id=", b"Basic ", b"em9lOnA=", b"Bearer ", b"\x00", b"\n", b" ", b"#",
    b'{"events":[', b'{"id":"1","action":"push","target":{"repository":"a"}}', b"]}", b"issuance 0000000b 637c8753 ", b'{"jti":"a"}',
    b"::ffff:10.0.0.1", b"10.0.0.1", b"\xed\xa0\x80", b"a" * 300, b"[" * 2_000,
])  # fmt: skip
made_of_words = st.lists(st.one_of(WORDS, st.binary(max_size=8)), max_size=20).map(b"".join)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """What somebody really sends, with a piece cut out, doubled or replaced."""
    seed = draw(st.sampled_from([one for several in SEEDS.values() for one in several]))
    start = draw(st.integers(0, len(seed)))
    end = draw(st.integers(start, min(len(seed), start + 20)))
    return seed[:start] + draw(st.one_of(st.binary(max_size=12), WORDS, st.just(seed[start:end] * 2))) + seed[end:]


@pytest.mark.parametrize("name", TARGETS)
def test_seeds(name: str) -> None:
    """What is meant is taken as that."""
    for seed in SEEDS[name]:
        TARGETS[name](seed)


@pytest.mark.parametrize("name", TARGETS)
@given(data=st.one_of(st.binary(max_size=200), made_of_words, damaged()))
@settings(max_examples=300, deadline=None)
def test_anything(name: str, data: bytes) -> None:
    """Nothing raises, nothing grows, and what is read can be written."""
    TARGETS[name](data)


types = st.from_regex(r"[a-z0-9]{1,12}", fullmatch=True)
names = st.from_regex(r"[A-Za-z0-9._/@-]{1,40}(:[0-9A-Za-z/]{1,20})?", fullmatch=True)
actions = st.lists(st.from_regex(r"[a-z]{1,10}|\*", fullmatch=True), min_size=1, max_size=5)
scopes = st.builds(lambda kind, name, words: Scope(kind, name, tuple(sorted(set(words)))), types, names, actions)


@given(scopes, st.booleans())
def test_a_scope_round_trips(scope: Scope, classed: bool) -> None:  # noqa: FBT001 - drawn
    """Written and read it is the same; a resource class is read and dropped."""
    text = str(scope)
    kind, _, rest = text.partition(":")
    assert parse_scope(f"{kind}(plugin):{rest}" if classed else text) == scope


@given(st.text(max_size=40), st.text(max_size=80), st.lists(scopes, max_size=8), st.booleans())
@example("zoe", "p:w", [], True)
def test_a_request_round_trips(account: str, password: str, asked: list[Scope], as_form: bool) -> None:  # noqa: FBT001 - drawn
    """Credentials by header or form, and scopes repeated or parted by spaces, are what the client meant."""
    if not account.isprintable() or ":" in account or not account or not password:
        return
    fields = [("service", "registry"), ("client_id", "c")]
    if as_form:
        form = [
            *fields,
            ("grant_type", "password"),
            ("username", account),
            ("password", password),
            *([("scope", " ".join(map(str, asked)))] if asked else []),
        ]
        found = read_post("", [], urlencode(form).encode())
    else:
        header = "Basic " + base64.b64encode(f"{account}:{password}".encode()).decode()
        found = read_get(urlencode([*fields, *(("scope", str(one)) for one in asked)]), [header])
    assert isinstance(found, TokenRequest)
    assert found.credentials is not None
    assert (found.credentials.account, found.credentials.password) == (account, password)
    assert (found.scopes, found.service, found.oauth) == (tuple(asked), "registry", as_form)


@given(st.text(max_size=30))
def test_what_is_no_scope_is_told_so(text: str) -> None:
    """A scope has two colons at least; without them it is a fault, never a grant of something else."""
    if text.count(":") < 2:
        assert isinstance(parse_scope(text), ScopeFault)
