"""A registry's challenge."""

import pytest

from workers.decide.challenge import Challenge, basic, parse_challenge, token_path

HEADER = 'Bearer realm="https://auth/token?x=1",service="registry",scope="repository:a:pull"'


def test_read() -> None:
    """Where to ask, and for what."""
    found = parse_challenge(HEADER, registry="https://reg")
    assert found == Challenge("https://auth/token?x=1", "registry")
    assert token_path(found, "a/b") == "/token?x=1&service=registry&scope=repository%3Aa%2Fb%3Apull"
    assert token_path(Challenge("http://auth", "s"), "a") == "/?service=s&scope=repository%3Aa%3Apull"


@pytest.mark.parametrize(
    ("header", "registry"),
    [
        ("", "http://reg"),
        ('Basic realm="x"', "http://reg"),
        ('Bearer realm="file:///etc/passwd"', "http://reg"),
        ("Bearer nothing", "http://reg"),
        ('Bearer realm="http://auth/token"', "https://reg"),
        ('Bearer realm="http://[::1/token"', "http://reg"),
        ('Bearer realm="http://auth:99999/"', "http://reg"),
        ('Bearer realm="http://auth:x/"', "http://reg"),
        ('Bearer realm="http://auth:0/"', "http://reg"),
        ('Bearer realm="http://auth/a b"', "http://reg"),
        ('Bearer realm="http://auth/\u2603"', "http://reg"),
        ('Bearer realm="http:///token"', "http://reg"),
    ],
)
def test_not_used(header: str, registry: str) -> None:
    """No Bearer, no web address that could be asked, or credentials out of TLS into the clear."""
    assert parse_challenge(header, registry=registry) is None


def test_basic() -> None:
    """RFC 7617's example."""
    assert basic("Aladdin", b"open sesame") == "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="
