"""What programs are told, and what their end means."""

import json
from ipaddress import ip_address

import pytest

from authsvc.decide.commands import (
    Ended,
    Faulty,
    authenticated,
    authorized,
    credentials_for,
    question_for,
)
from authsvc.decide.credentials import Identity, NoMatch, WrongPassword
from authsvc.decide.request import Claimed
from wharfinger.policy import Request
from wharfinger.wire.issuance import Credential
from wharfinger.wire.names import Account

KEY = b"k" * 32


def asked(name: str = "a", *, ip: str = "127.0.0.1", labels: dict[str, tuple[str, ...]] | None = None) -> Request:
    """Bob asks to push."""
    return Request("bob", "repository", name, "r", ip_address(ip) if ip else None, ("pull", "push"), labels or {})


@pytest.mark.parametrize(
    ("told", "claimed"),
    [
        (b"bob secret", Claimed("bob", "secret")),
        (b"bob two words: and a colon", Claimed("bob", "two words: and a colon")),
        (b"bob ", Claimed("bob", "")),
        (b" secret", Claimed("", "secret")),
        (b" ", None),
        ("zoë ✓".encode(), Claimed("zoë", "✓")),
        (b"bob \xff\xfe", Claimed("bob", "\udcff\udcfe")),
        (None, Claimed("alice ", "secret")),
        (None, Claimed("alice bob", "secret")),
        (None, Claimed("alice\nbob", "secret")),
        (None, Claimed("alice\t", "secret")),
        (None, Claimed("alice\u00a0", "secret")),
        (None, Claimed("alice\x00", "secret")),
        (None, Claimed("\udcff", "secret")),
    ],
)
def test_what_ext_auth_is_told(told: bytes | None, claimed: Claimed | None) -> None:
    """Account, space, password; an account that this cannot say is not asked for."""
    assert told == credentials_for(claimed)


@pytest.mark.parametrize(
    ("labels", "output"),
    [
        ({}, b""),
        ({}, b"{}"),
        ({}, b"null"),
        ({}, b'{"labels": null}'),
        ({}, b'{"groups": ["admin"]}'),
        ({"team": ("core", "web")}, b'{"labels": {"team": ["core", "web"]}}'),
        ({"team": ("core",)}, b' {"Labels": {"team": ["core"]}, "more": 1}\n'),
        ({"team": ("two",)}, b'{"labels": {"team": ["one"]}, "LABELS": {"team": ["two"]}}'),
        ({"team": ()}, b'{"labels": {"team": null}}'),
    ],
)
def test_an_account_that_ext_auth_allows(labels: dict[str, tuple[str, ...]], output: bytes) -> None:
    """With the labels it wrote, read as Go reads them."""
    found = authenticated(Ended(0, output), account="bob", key=KEY)
    assert isinstance(found, Identity)
    assert (Account("bob"), "ext_auth", labels) == (found.account, found.credential.kind, found.labels)


def test_its_credential_is_the_accounts() -> None:
    """Stable, another one for another account or key, and none for the anonymous client."""
    first, again, other, keyed = (
        authenticated(Ended(0), account=account, key=key)
        for account, key in (("bob", KEY), ("bob", KEY), ("zoe", KEY), ("bob", b"x" * 32))
    )
    assert first == again
    assert isinstance(first, Identity)
    assert isinstance(other, Identity)
    assert isinstance(keyed, Identity)
    assert len({first.credential.id, other.credential.id, keyed.credential.id}) == 3
    assert Identity(Account(""), Credential("anonymous", "")) == authenticated(Ended(0), account="", key=KEY)


@pytest.mark.parametrize(
    "output",
    [
        b"\n",
        b"ok",
        b"[]",
        b'"labels"',
        b'{"labels": ["team"]}',
        b'{"labels": {"team": "core"}}',
        b'{"labels": {"team": [1]}}',
        b"{} {}",
        b"\xff",
    ],
)
def test_what_ext_auth_must_not_write(output: bytes) -> None:
    """Anything else than the labels it was asked for, and the fault does not repeat it."""
    found = authenticated(Ended(0, output), account="bob", key=KEY)
    assert Faulty("ext_auth wrote what is no {labels: {name: [value]}}") == found


@pytest.mark.parametrize(
    ("found", "code"),
    [
        (WrongPassword(), 1),
        (NoMatch(), 2),
        (Faulty("ext_auth ended with 3"), 3),
        (Faulty("ext_auth ended with 127"), 127),
        (Faulty("ext_auth ended with -9"), -9),
    ],
)
def test_an_account_that_ext_auth_does_not_allow(found: object, code: int) -> None:
    """Exit 1 and 2 are answers, whatever was written; all else is a fault."""
    assert found == authenticated(Ended(code, b'{"labels": {"team": ["core"]}}'), account="bob", key=KEY)


@pytest.mark.parametrize(
    ("told", "question"),
    [
        (
            b'{"Account":"bob","Type":"repository","Name":"a","Service":"r","IP":"127.0.0.1","Actions":["pull","push"],"Labels":{"g":["x"]}}',
            asked(labels={"g": ("x",)}),
        ),
        (
            b'{"Account":"bob","Type":"repository","Name":"a","Service":"r","IP":"127.0.0.1","Actions":["pull","push"],"Labels":null}',
            asked(),
        ),
        (
            b'{"Account":"bob","Type":"repository","Name":"\\u003ca\\u003e\\u0026\\u2028\\u2029","Service":"r","IP":"","Actions":["pull","push"],"Labels":{"a":[],"b":["x","y"]}}',
            asked("<a>&\u2028\u2029", ip="", labels={"b": ("x", "y"), "a": ()}),
        ),
        (
            b'{"Account":"bob","Type":"repository","Name":"a","Service":"r","IP":"10.0.0.1","Actions":["pull","push"],"Labels":null}',
            asked(ip="::ffff:10.0.0.1"),
        ),
        (
            b'{"Account":"bob","Type":"repository","Name":"a","Service":"r","IP":"2001:db8::1","Actions":["pull","push"],"Labels":null}',
            asked(ip="2001:0db8:0::1"),
        ),
    ],
)
def test_what_ext_authz_is_told(told: bytes, question: Request) -> None:
    """To the byte what docker_auth's program was told; the first two were seen there."""
    assert told == question_for(question)
    assert json.loads(told)["Name"] == question.name


@pytest.mark.parametrize(
    ("granted", "code"),
    [
        (("pull", "push"), 0),
        ((), 1),
        (Faulty("ext_authz ended with 2"), 2),
        (Faulty("ext_authz ended with -15"), -15),
    ],
)
def test_what_ext_authz_grants(granted: object, code: int) -> None:
    """All, or nothing; there is no third answer."""
    assert granted == authorized(Ended(code, b"pull"), asked())


def test_what_a_program_wrote_is_not_shown() -> None:
    """It may be a password, repeated."""
    assert "secret" not in repr(Ended(0, b"secret"))
