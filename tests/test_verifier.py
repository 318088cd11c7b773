"""The verifier itself: it says what real registries said, row by row, and takes nothing that is forged."""

import time

import pytest

from tests.tokens import FORGED, ISSUER, SERVICE, TABLE, Keys, Row, token
from tests.verifier import DoesNotStart, Registry, Release


@pytest.fixture(scope="module")
def keys() -> Keys:
    """Made once."""
    return Keys()


def registry(keys: Keys, release: Release, trusts: str = "bundle") -> Registry:
    """One that trusts what a row needs."""
    if trusts == "jwks":
        return Registry(release, ISSUER, SERVICE, jwks=keys.key_set())
    return Registry(release, ISSUER, SERVICE, keys.bundle(release, zero=trusts == "zero"))


@pytest.mark.parametrize("release", Release)
@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
def test_the_table(keys: Keys, row: Row, release: Release) -> None:
    """What each release was seen to do."""
    expected = row.expected(release)
    if expected is not None:
        now = int(time.time())
        assert registry(keys, release, row.trusts).accepts(row.make(keys, now), now=now) is expected


@pytest.mark.parametrize("release", Release)
@pytest.mark.parametrize("name", FORGED)
def test_forgeries(keys: Keys, name: str, release: Release) -> None:
    """None is taken, whatever the registry trusts."""
    now = int(time.time())
    forged = FORGED[name](keys, now)
    trusting = ("bundle", "zero") if release is Release.V28 else ("bundle", "zero", "jwks")
    assert not [trusts for trusts in trusting if registry(keys, release, trusts).accepts(forged, now=now)]


def test_it_takes_what_it_should(keys: Keys) -> None:
    """A good token of each key by its chain: what refuses everything would pass the suite of forgeries too."""
    now = int(time.time())
    for release in Release:
        pairs = [keys.rsa, keys.p256, keys.p384, keys.p521, keys.leaf] + ([] if release is Release.V28 else [keys.ed])
        assert all(registry(keys, release).accepts(token(one, now, x5c=True), now=now) for one in pairs)


def test_an_ed25519_certificate_stops_2_8(keys: Keys) -> None:
    """It panics at its start."""
    with pytest.raises(DoesNotStart):
        Registry(Release.V28, bundle=[keys.ed.certificate])
