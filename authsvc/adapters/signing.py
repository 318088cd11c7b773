"""Signs tokens (JWS, RFC 7515, over cryptography): keys are loaded once, for reading PEM costs a hundred times the signing.

Headers are made once too, for each service and key: a certificate chain in JSON and base64 is longer than all claims. So is
what an algorithm needs beside the key: PyJWT makes it for each signature, and turns one of EC by way of hex.
"""

import base64
from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePrivateKey, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from authsvc.decide.keys import PublicKey, algorithm_of, current, header, key_set
from authsvc.errors import Misconfigured
from wharfinger.runtime.settings import SigningKey, TokenSettings
from wharfinger.wire.codec import encode

MIN_RSA_BITS: Final = 2_048
Private = RSAPrivateKey | EllipticCurvePrivateKey | Ed25519PrivateKey
Public = RSAPublicKey | EllipticCurvePublicKey | Ed25519PublicKey
_CURVES: Final = {"secp256r1", "secp384r1", "secp521r1"}
_HASHES: Final = {"256": SHA256(), "384": SHA384(), "512": SHA512()}

Sign = Callable[[bytes], bytes]
"""The signature of what is signed, as JWS has it (RFC 7518 section 3, RFC 8037)."""


class TokenSigner:
    """The port ``Signer``, over every configured key. Raises Misconfigured when a key and its certificate do not fit."""

    def __init__(self, settings: TokenSettings, *, now: int) -> None:
        self._settings = settings
        self.public: tuple[PublicKey, ...] = ()
        self._private: dict[str, Private] = {}
        for one in settings.keys:
            public, private = load_key(one)
            self.public += (public,)
            if private is not None:
                self._private[one.id] = private
        try:
            current(self.public, now=now)
        except ValueError as error:
            raise Misconfigured(f"token.keys: {error}") from error
        self._signing = lru_cache(maxsize=256)(self._choose)
        self._header = lru_cache(maxsize=256)(self._make_header)

    def sign(self, claims: Mapping[str, object], *, service: str, now: int) -> str:
        """The token in compact form."""
        # Only configured services have an entry of their own: a client's word does not fill the cache.
        signature, head = self._signing(service if service in self._settings.services else "", now)
        signed = head + b"." + _base64url(encode(claims))
        return (signed + b"." + _base64url(signature(signed))).decode()

    def key_set(self) -> dict[str, object]:
        """The JWK set of every key, also of those that no longer sign."""
        return key_set(self.public, self._settings.algorithm)

    def bundle(self) -> str:
        """Every certificate, PEM: a registry's ``rootcertbundle``. Written anew: a file may hold its private key too."""
        return "".join(dict.fromkeys(_pem(one) for key in self.public for one in key.chain))

    def _choose(self, service: str, now: int) -> tuple[Sign, bytes]:
        """What signs for a service in this second."""
        named = self._settings.services.get(service, self._settings.default).key
        key = next((one for one in self.public if one.id == named), None) or current(self.public, now=now)
        algorithm, head = self._header(service, key.id, key.expired(now))
        return signing(self._private[key.id], algorithm), head

    def _make_header(self, service: str, key_id: str, expired: bool) -> tuple[str, bytes]:  # noqa: FBT001 - a key of the cache
        key = next(one for one in self.public if one.id == key_id)
        profile = self._settings.services.get(service, self._settings.default)
        algorithm = algorithm_of(key, self._settings.algorithm)
        now = key.not_after if expired else key.not_after - 1
        return algorithm, _base64url(encode(header(key, profile, algorithm=algorithm, now=now)))


def signing(private: Private, algorithm: str) -> Sign:
    """What signs with a key by an algorithm that is of its kind (RFC 7518 section 3.1)."""
    if isinstance(private, Ed25519PrivateKey):
        return private.sign
    hashed = _HASHES[algorithm[2:]]
    if isinstance(private, RSAPrivateKey):
        padding = PKCS1v15()
        return lambda data: private.sign(data, padding, hashed)
    return partial(_sign_ec, private, ECDSA(hashed), (private.curve.key_size + 7) // 8)


def _sign_ec(private: EllipticCurvePrivateKey, how: ECDSA, size: int, data: bytes) -> bytes:
    r, s = decode_dss_signature(private.sign(data, how))
    return r.to_bytes(size) + s.to_bytes(size)


def load_key(settings: SigningKey) -> tuple[PublicKey, Private | None]:
    """A key with its certificate chain. Raises Misconfigured, naming file and setting, never a file's content."""
    chain = _chain(settings)
    private = None if settings.key is None else _private(settings.key)
    leaf = chain[0].public_key()
    if not isinstance(leaf, Public) or (isinstance(leaf, EllipticCurvePublicKey) and leaf.curve.name not in _CURVES):
        raise Misconfigured(f"token.certificate {settings.certificate} is of a kind no registry takes: give RSA, EC or Ed25519")
    if private is not None and _spki(private.public_key()) != _spki(leaf):
        raise Misconfigured(
            f"token.certificate {settings.certificate} is not of token.key {settings.key}: give a pair that fits"
        )
    encoded = tuple(base64.b64encode(one.public_bytes(Encoding.DER)).decode() for one in chain)
    not_after = int(chain[0].not_valid_after_utc.timestamp())
    public = PublicKey(
        settings.id, _jwk(leaf), _spki(leaf), encoded, not_after, settings.signs_from, can_sign=private is not None
    )
    return public, private


def _chain(settings: SigningKey) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(settings.certificate.read_bytes())
    except (OSError, ValueError) as error:
        raise Misconfigured(f"token.certificate {settings.certificate} cannot be read: {error}") from error


def _private(file: Path) -> Private:
    try:
        key = load_pem_private_key(file.read_bytes(), password=None)
    except TypeError as error:
        raise Misconfigured(f"token.key {file} is locked by a passphrase: give one without") from error
    except (OSError, ValueError, UnsupportedAlgorithm) as error:
        # The reason only: an error text may quote the file.
        raise Misconfigured(f"token.key {file} cannot be read: {type(error).__name__}") from error
    if isinstance(key, RSAPrivateKey) and key.key_size < MIN_RSA_BITS:
        raise Misconfigured(f"token.key {file} has {key.key_size} bits: registries want {MIN_RSA_BITS} or more")
    if not isinstance(key, Private):
        raise Misconfigured(f"token.key {file} is of a kind no registry takes: give RSA, EC or Ed25519")
    return key


def _pem(encoded: str) -> str:
    return x509.load_der_x509_certificate(base64.b64decode(encoded)).public_bytes(Encoding.PEM).decode()


def _jwk(key: Public) -> dict[str, str]:
    made: dict[str, Any]
    if isinstance(key, RSAPublicKey):
        made = RSAAlgorithm.to_jwk(key, as_dict=True)
    elif isinstance(key, EllipticCurvePublicKey):
        made = ECAlgorithm.to_jwk(key, as_dict=True)
    else:
        made = OKPAlgorithm.to_jwk(key, as_dict=True)
    return {name: str(made[name]) for name in ("kty", "n", "e", "crv", "x", "y") if name in made}


def _spki(key: Public) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _base64url(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")
