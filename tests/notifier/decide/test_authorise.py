"""Who may post notifications."""

from ipaddress import ip_network

import pytest

from notifier.decide.authorise import Refused, Why, authorise
from wharfinger.runtime.settings import Secret, Source


def source(name: str, *secrets: bytes, allow: tuple[str, ...] = ()) -> Source:
    """A configured source."""
    networks = tuple(ip_network(one) for one in allow)
    return Source(name, tuple(map(Secret, secrets)), "http://registry", "registry", "", None, networks)


SOURCES = (source("main", b"secret-one", b"secret-old"), source("edge", b"secret-two", allow=("10.0.0.0/8",)))


@pytest.mark.parametrize(
    ("named", "header", "peer", "expected"),
    [
        (None, "Bearer secret-one", "1.2.3.4", "main"),
        ("main", "bearer  secret-old", "1.2.3.4", "main"),
        (None, "Bearer secret-two", "10.1.1.1", "edge"),
        ("edge", "Bearer secret-two", "::ffff:10.1.1.1", "edge"),
    ],
)
def test_authorised(named: str | None, header: str, peer: str, expected: str) -> None:
    """By the secret alone, or by the secret of the named source; either one while rotating."""
    found = authorise(SOURCES, named=named, authorization=[header], peer=peer)
    assert isinstance(found, Source)
    assert found.name == expected


@pytest.mark.parametrize(
    ("named", "headers", "peer", "why"),
    [
        (None, [], "1.2.3.4", Why.NO_SECRET),
        (None, ["Bearer secret-one"] * 2, "1.2.3.4", Why.NO_SECRET),
        (None, ["Basic secret-one"], "1.2.3.4", Why.NO_SECRET),
        (None, ["Bearer "], "1.2.3.4", Why.NO_SECRET),
        (None, ["Bearer secret-on"], "1.2.3.4", Why.WRONG_SECRET),
        (None, ["Bearer \udcff"], "1.2.3.4", Why.WRONG_SECRET),
        ("edge", ["Bearer secret-one"], "10.1.1.1", Why.WRONG_SOURCE),
        ("nobody", ["Bearer secret-one"], "1.2.3.4", Why.WRONG_SOURCE),
        ("edge", ["Bearer secret-two"], "11.1.1.1", Why.WRONG_ADDRESS),
        ("edge", ["Bearer secret-two"], "::1", Why.WRONG_ADDRESS),
        ("edge", ["Bearer secret-two"], "", Why.WRONG_ADDRESS),
    ],
)
def test_refused(named: str | None, headers: list[str], peer: str, why: Why) -> None:
    """Anything else, with the reason for the log alone."""
    assert authorise(SOURCES, named=named, authorization=headers, peer=peer) == Refused(why)
