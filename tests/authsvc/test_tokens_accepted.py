"""Tokens of our own signer, under every setting, against the verifier of each release of the registry."""

import time

import jwt
import pytest

from tests.signers import CASES, Case, Signers
from tests.tokens import ISSUER, SERVICE, Keys
from tests.verifier import Registry, Release
from wharfinger.runtime.settings import KeyIdForm, X5c


@pytest.fixture(scope="module")
def signers(tmp_path_factory: pytest.TempPathFactory) -> Signers:
    """Made once."""
    return Signers(tmp_path_factory.mktemp("keys"))


@pytest.mark.parametrize("release", Release)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_registry_that_trusts_the_certificate(signers: Signers, case: Case, release: Release) -> None:
    """Every kind of key, id and chain: taken where it must be, and where it cannot be we know that."""
    now = int(time.time())
    certificates = [signers.certificate(case)] if case.kind != "ed" or release is not Release.V28 else []
    registry = Registry(release, ISSUER, SERVICE, certificates)
    assert registry.accepts(signers.token(case, now), now=now) is case.taken_by_bundle(release)


@pytest.mark.parametrize("release", [Release.V30, Release.V31])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_registry_that_reads_our_key_set(signers: Signers, case: Case, release: Release) -> None:
    """It holds each key under each of its ids: all are found, but for tokens that carry a certificate."""
    now = int(time.time())
    registry = Registry(release, ISSUER, SERVICE, jwks=signers.signer(case, now).key_set())
    assert registry.accepts(signers.token(case, now), now=now) is case.taken_by_jwks(release)


def test_the_default_suits_every_release(signers: Signers) -> None:
    """What is set when nothing is: RSA and EC are taken by all three, as long as the certificate lasts."""
    now = int(time.time())
    for case in CASES:
        if case.kind != "ed" and not case.expired and case.x5c is X5c.AUTO and case.key_id is KeyIdForm.LIBTRUST:
            assert all(case.taken_by_bundle(release) for release in Release)
            registry = [Registry(release, ISSUER, SERVICE, [signers.certificate(case)]) for release in Release]
            assert all(one.accepts(signers.token(case, now), now=now) for one in registry)


def test_nobody_else_takes_them(signers: Signers) -> None:
    """A registry that trusts other keys, of another service, or another issuer."""
    now, others = int(time.time()), Keys()
    for case in CASES:
        made = signers.token(case, now)
        for release in Release:
            assert not Registry(release, ISSUER, SERVICE, others.bundle(release)).accepts(made, now=now)
            if case.kind != "ed":
                certificates = [signers.certificate(case)]
                assert not Registry(release, ISSUER, "other", certificates).accepts(made, now=now)
                assert not Registry(release, "other", SERVICE, certificates).accepts(made, now=now)


def test_a_token_stays_small(signers: Signers) -> None:
    """With its certificate, and access to ten repositories, it fits into the 8 KiB of common proxies."""
    now = int(time.time())
    signer = signers.signer(Case("rsa", "RS256", KeyIdForm.LIBTRUST, X5c.ALWAYS, expired=False), now)
    access = [
        {"type": "repository", "name": f"team/project/image-{number}", "actions": ["pull", "push"]} for number in range(10)
    ]
    made = signer.sign({"iss": ISSUER, "aud": SERVICE, "exp": now + 900, "access": access}, service=SERVICE, now=now)
    assert len(made) < 8_000


def test_headers_say_nothing_more(signers: Signers) -> None:
    """Four members at most: no jwk, no jku, no x5u, no crit."""
    now = int(time.time())
    for case in CASES:
        assert set(jwt.get_unverified_header(signers.token(case, now))) <= {"typ", "alg", "kid", "x5c"}
