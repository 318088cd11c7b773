"""The port Signer: its suite on the fake and on RS256, and what registries need of the real one's tokens."""

import base64
import itertools
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa, x25519
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512, HashAlgorithm
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from authsvc.adapters.signing import TokenSigner, signing
from authsvc.decide.keys import libtrust_id
from authsvc.errors import Misconfigured
from authsvc.ports import Signer
from tests.authsvc.fakes import PlainSigner, claims_of
from wharfinger.cli.generate import new_certificate, new_key
from wharfinger.runtime.settings import KeyIdForm, ServiceSettings, SigningKey, TlsPair, TokenSettings, X5c

NOW = 1_795_477_894
MADE = datetime(2026, 11, 1, tzinfo=UTC)
CLAIMS = {
    "iss": "wharfinger",
    "sub": "zoë#j",
    "aud": "registry",
    "exp": NOW + 900,
    "nbf": NOW - 10,
    "iat": NOW,
    "jti": "j",
    "access": [{"type": "repository", "name": "shop/cart", "actions": ["pull"]}],
}
CHECKS: Any = {"verify_exp": False, "verify_nbf": False, "verify_iat": False}


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> TlsPair:
    """A key and its certificate, in files."""
    folder = tmp_path_factory.mktemp("pair")
    key = new_key()
    return written(folder, key, new_certificate(key, ["localhost"], now=MADE))


def written(folder: Path, key: bytes, certificate: bytes) -> TlsPair:
    """A pair in a folder."""
    (folder / "signing.key").write_bytes(key)
    (folder / "signing.crt").write_bytes(certificate)
    return TlsPair(folder / "signing.crt", folder / "signing.key")


def signer_of(*pairs: TlsPair) -> TokenSigner:
    """Signs with some pairs, the first of them the current one."""
    signing = tuple(SigningKey(f"k{at}", one.certificate, one.key, signs_from=-at) for at, one in enumerate(pairs))
    return TokenSigner(TokenSettings("wharfinger", 900, signing, ()), now=NOW)


@pytest.fixture(params=["fake", "rs256"])
def signer(request: pytest.FixtureRequest) -> Signer:
    """Each implementation."""
    return PlainSigner() if request.param == "fake" else signer_of(request.getfixturevalue("pair"))


def test_a_token_carries_its_claims(signer: Signer) -> None:
    """As they were given: types too, for registries refuse a list of audiences and times with a fraction."""
    token = signer.sign(CLAIMS, service="registry", now=NOW)
    assert claims_of(token) == CLAIMS
    assert token.count(".") == 2
    assert token.isascii()


def test_the_claims_are_not_changed(signer: Signer) -> None:
    """They are the caller's."""
    given = dict(CLAIMS)
    signer.sign(given, service="registry", now=NOW)
    assert given == CLAIMS


def test_the_certificate_proves_the_token(pair: TlsPair) -> None:
    """By RS256 and nothing else."""
    token = signer_of(pair).sign(CLAIMS, service="registry", now=NOW)
    certificate = x509.load_pem_x509_certificate(pair.certificate.read_bytes())
    public = certificate.public_key()
    assert isinstance(public, rsa.RSAPublicKey)
    assert jwt.decode(token, public, algorithms=["RS256"], audience="registry", options=CHECKS) == CLAIMS
    other = load_pem_private_key(new_key(), None).public_key()
    assert isinstance(other, rsa.RSAPublicKey)
    with pytest.raises(jwt.InvalidSignatureError):
        jwt.decode(token, other, algorithms=["RS256"], audience="registry", options=CHECKS)


def test_both_ways_to_the_key(pair: TlsPair) -> None:
    """Libtrust's key id for 2.8, the certificate itself for every release."""
    header = jwt.get_unverified_header(signer_of(pair).sign(CLAIMS, service="registry", now=NOW))
    certificate = x509.load_pem_x509_certificate(pair.certificate.read_bytes())
    public = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert header == {
        "alg": "RS256",
        "typ": "JWT",
        "kid": libtrust_id(public),
        "x5c": [base64.b64encode(certificate.public_bytes(Encoding.DER)).decode()],
    }
    assert [len(part) for part in header["kid"].split(":")] == [4] * 12


def test_a_chain_is_given_whole(pair: TlsPair, tmp_path: Path) -> None:
    """The signing certificate first."""
    above = new_certificate(new_key(), ["above"], now=MADE)
    chain = written(tmp_path, pair.key.read_bytes(), pair.certificate.read_bytes() + above)
    header = jwt.get_unverified_header(signer_of(chain).sign(CLAIMS, service="registry", now=NOW))
    names = [x509.load_der_x509_certificate(base64.b64decode(one)).subject.rfc4514_string() for one in header["x5c"]]
    assert names == ["CN=localhost", "CN=above"]


def test_an_expired_certificate_is_left_out(pair: TlsPair) -> None:
    """Every release refuses it in x5c, and takes the key by its id."""
    signer = signer_of(pair)
    expires = int(x509.load_pem_x509_certificate(pair.certificate.read_bytes()).not_valid_after_utc.timestamp())
    headers = [jwt.get_unverified_header(signer.sign(CLAIMS, service="registry", now=now)) for now in (expires - 1, expires)]
    assert ["x5c" in header for header in headers] == [True, False]
    assert headers[0]["kid"] == headers[1]["kid"]


def pem(key: Any) -> bytes:
    """A private key as a file holds it."""
    text: bytes = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return text


def self_signed(key: Any) -> bytes:
    """A certificate for a key of any kind, PEM."""
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(7).not_valid_before(MADE).not_valid_after(MADE + timedelta(days=90))
    return builder.sign(key, None if isinstance(key, Ed25519PrivateKey) else SHA256()).public_bytes(Encoding.PEM)


KINDS: dict[str, Callable[[], Any]] = {
    "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "ES384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "ES512": lambda: ec.generate_private_key(ec.SECP521R1()),
    "EdDSA": Ed25519PrivateKey.generate,
}


@pytest.mark.parametrize("algorithm", KINDS)
def test_other_kinds_of_key(tmp_path: Path, algorithm: str) -> None:
    """Each has an algorithm of its own; the published key set proves the token, under the id that the token names."""
    key = KINDS[algorithm]()
    signer = signer_of(written(tmp_path, pem(key), self_signed(key)))
    token = signer.sign(CLAIMS, service="registry", now=NOW)
    header = jwt.get_unverified_header(token)
    assert header["alg"] == algorithm
    public = jwt.PyJWKSet.from_dict(signer.key_set())[header["kid"]]
    assert jwt.decode(token, public, algorithms=[algorithm], audience="registry", options=CHECKS) == CLAIMS


@pytest.mark.parametrize(
    ("algorithm", "hashed", "size"), [("ES256", SHA256(), 32), ("ES384", SHA384(), 48), ("ES512", SHA512(), 66)]
)
def test_numbers_that_begin_with_noughts(algorithm: str, hashed: HashAlgorithm, size: int) -> None:
    """Both halves of a signature keep their size, also where a number is a byte shorter, as one in 256 is."""
    key = KINDS[algorithm]()
    sign = signing(key, algorithm)
    short: set[int] = set()
    for number in itertools.count():
        signed = b"%d" % number
        signature = sign(signed)
        halves = signature[:size], signature[size:]
        assert len(signature) == 2 * size
        key.public_key().verify(encode_dss_signature(*map(int.from_bytes, halves)), signed, ec.ECDSA(hashed))
        short |= {place for place, half in enumerate(halves) if half[0] == 0}
        if short == {0, 1}:
            break


@pytest.mark.parametrize("algorithm", ["RS384", "RS512"])
def test_other_algorithms_of_an_rsa_key(pair: TlsPair, algorithm: str) -> None:
    """As configured."""
    settings = TokenSettings("wharfinger", 900, (SigningKey("k", pair.certificate, pair.key),), (), algorithm)
    signer = TokenSigner(settings, now=NOW)
    token = signer.sign(CLAIMS, service="registry", now=NOW)
    public = jwt.PyJWKSet.from_dict(signer.key_set())[jwt.get_unverified_header(token)["kid"]]
    assert jwt.decode(token, public, algorithms=[algorithm], audience="registry", options=CHECKS) == CLAIMS


def test_which_key_signs(pair: TlsPair, tmp_path: Path) -> None:
    """The latest whose time has come; one that is only published never does, and a service may have a key of its own."""
    files = []
    for name in ("old", "new", "published"):
        (tmp_path / name).mkdir()
        key = ec.generate_private_key(ec.SECP256R1())
        files.append(written(tmp_path / name, pem(key), self_signed(key)))
    old, new, published = files
    keys = (
        SigningKey("old", old.certificate, old.key),
        SigningKey("new", new.certificate, new.key, NOW + 10),
        SigningKey("published", published.certificate, None, NOW - 10),
        SigningKey("own", pair.certificate, pair.key, NOW + 10_000),
    )
    services = {"strict": ServiceSettings(KeyIdForm.RFC7638, X5c.NEVER, "own")}
    signer = TokenSigner(TokenSettings("wharfinger", 900, keys, (), services=services), now=NOW)
    ids = {one.id: one for one in signer.public}

    def kid(service: str, now: int) -> str:
        return str(jwt.get_unverified_header(signer.sign(CLAIMS, service=service, now=now))["kid"])

    assert [kid("registry", now) for now in (NOW, NOW + 9, NOW + 10, NOW)] == [
        ids[name].key_id(KeyIdForm.LIBTRUST) for name in ("old", "old", "new", "old")
    ]
    assert kid("strict", NOW) == ids["own"].key_id(KeyIdForm.RFC7638)
    assert signer.bundle().count("BEGIN CERTIFICATE") == 4


def test_no_key_signs_yet(pair: TlsPair) -> None:
    """Nothing could be signed: that is told at the start."""
    later = SigningKey("k", pair.certificate, pair.key, NOW + 1)
    with pytest.raises(Misconfigured, match="no key signs yet"):
        TokenSigner(TokenSettings("wharfinger", 900, (later,), ()), now=NOW)


def small_key() -> bytes:
    """A key that is too short."""
    key = rsa.generate_private_key(public_exponent=65_537, key_size=1_024)  # noqa: S505 - the fault
    return pem(key)


def locked(key: bytes) -> bytes:
    """The same key under a passphrase."""
    loaded = load_pem_private_key(key, None)
    return loaded.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"pass"))


def test_faults_of_the_pair(pair: TlsPair, tmp_path: Path) -> None:
    """Each is told with its file and what is wrong, never with what stands in the file."""
    key, certificate = pair.key.read_bytes(), pair.certificate.read_bytes()
    curve = ec.generate_private_key(ec.SECP256K1())
    table = [
        (b"-----BEGIN s3cret", certificate, "token.key", "cannot be read"),
        (b"", certificate, "token.key", "cannot be read"),
        (certificate, certificate, "token.key", "cannot be read"),
        (locked(key), certificate, "token.key", "passphrase"),
        (pem(x25519.X25519PrivateKey.generate()), certificate, "token.key", "no registry takes"),
        (small_key(), certificate, "token.key", "has 1024 bits"),
        (new_key(), certificate, "token.certificate", "is not of token.key"),
        (pem(curve), certificate, "token.certificate", "is not of token.key"),
        (pem(curve), self_signed(curve), "token.certificate", "no registry takes"),
        (key, b"", "token.certificate", "cannot be read"),
        (key, b"s3cret", "token.certificate", "cannot be read"),
        (key, key, "token.certificate", "cannot be read"),
    ]
    for row, (key_bytes, certificate_bytes, name, problem) in enumerate(table):
        folder = tmp_path / str(row)
        folder.mkdir()
        with pytest.raises(Misconfigured) as raised:
            signer_of(written(folder, key_bytes, certificate_bytes))
        assert name in str(raised.value), row
        assert problem in str(raised.value), row
        assert "s3cret" not in str(raised.value)
        assert "PRIVATE" not in str(raised.value)


@pytest.mark.parametrize("missing", ["signing.key", "signing.crt"])
def test_a_file_that_is_missing(pair: TlsPair, tmp_path: Path, missing: str) -> None:
    """It is named."""
    broken = written(tmp_path, pair.key.read_bytes(), pair.certificate.read_bytes())
    (tmp_path / missing).unlink()
    with pytest.raises(Misconfigured, match=missing):
        signer_of(broken)


def test_an_expired_pair_still_starts(pair: TlsPair, tmp_path: Path) -> None:
    """Registries that take the key by its id go on working."""
    old = new_certificate(pair.key.read_bytes(), ["localhost"], now=datetime.now(UTC) - timedelta(days=4_000))
    token = signer_of(written(tmp_path, pair.key.read_bytes(), old)).sign(CLAIMS, service="registry", now=NOW)
    assert json.loads(base64.urlsafe_b64decode(token.split(".")[0] + "==")).get("x5c") is None
