"""Signs tokens with RS256 (PyJWT, cryptography): the key is loaded once, for reading PEM costs a hundred times the signing.

The header carries both ways in which registries find the key: ``kid`` in libtrust's form for 2.8's rootcertbundle, ``x5c`` for
that and every 3.x. An expired certificate's x5c is refused by all of them, so it is left out then.
"""

import base64
import hashlib
from collections.abc import Mapping
from datetime import UTC
from typing import Final

import jwt
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from authsvc.errors import Misconfigured
from wharfinger.runtime.settings import TlsPair

MIN_RSA_BITS: Final = 2_048
_KEY_ID_BYTES: Final = 30
_KEY_ID_GROUP: Final = 4


class Rs256Signer:
    """The port ``Signer``. Raises Misconfigured when key and certificate cannot be used together."""

    def __init__(self, pair: TlsPair) -> None:
        chain = _chain(pair)
        self._key = _key(pair)
        leaf = chain[0]
        public = _spki(self._key.public_key())
        if public != _spki(leaf.public_key()):
            raise Misconfigured(f"token.certificate {pair.certificate} is not of token.key {pair.key}: give a pair that fits")
        self._expires = leaf.not_valid_after_utc.astimezone(UTC).timestamp()
        self._plain = {"kid": key_id(public)}
        self._full = self._plain | {"x5c": [base64.b64encode(one.public_bytes(Encoding.DER)).decode() for one in chain]}

    def sign(self, claims: Mapping[str, object], *, now: int) -> str:
        """The token in compact form."""
        headers = self._full if now < self._expires else self._plain
        return jwt.encode(dict(claims), self._key, algorithm="RS256", headers=dict(headers))


def key_id(spki: bytes) -> str:
    """The key id of libtrust: base32 of SHA-256(SPKI)[:30] in twelve groups of four."""
    text = base64.b32encode(hashlib.sha256(spki).digest()[:_KEY_ID_BYTES]).decode()
    return ":".join(text[at : at + _KEY_ID_GROUP] for at in range(0, len(text), _KEY_ID_GROUP))


def _spki(key: object) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)  # type: ignore[attr-defined,no-any-return]  # any public key


def _chain(pair: TlsPair) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(pair.certificate.read_bytes())
    except (OSError, ValueError) as error:
        raise Misconfigured(f"token.certificate {pair.certificate} cannot be read: {error}") from error


def _key(pair: TlsPair) -> RSAPrivateKey:
    try:
        key = load_pem_private_key(pair.key.read_bytes(), password=None)
    except TypeError as error:
        raise Misconfigured(f"token.key {pair.key} is locked by a passphrase: give one without") from error
    except (OSError, ValueError, UnsupportedAlgorithm) as error:
        # The reason only: an error text may quote the file.
        raise Misconfigured(f"token.key {pair.key} cannot be read: {type(error).__name__}") from error
    if not isinstance(key, RSAPrivateKey) or key.key_size < MIN_RSA_BITS:
        raise Misconfigured(f"token.key {pair.key} is no RSA key of {MIN_RSA_BITS} bits or more: other kinds are not built yet")
    return key
