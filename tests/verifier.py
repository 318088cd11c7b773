"""A registry's token check as plain code, by releases: 2.8, 3.0 and 3.1. Written from what real ones were seen to accept.

The table it follows stands in tests/tokens.py and is played on real registries by tests/real/test_forged_tokens.py. Sources of the order:
distribution's registry/auth/token/token.go (2.8: libtrust; 3.x: go-jose v4).
"""

import base64
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    SECP384R1,
    SECP521R1,
    EllipticCurvePublicKey,
    EllipticCurvePublicNumbers,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey, RSAPublicNumbers
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

LEEWAY_S: Final = 60
Key = RSAPublicKey | EllipticCurvePublicKey | Ed25519PublicKey
_HASHES: Final[Mapping[str, hashes.HashAlgorithm]] = {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}
_CURVES: Final = {"ES256": "secp256r1", "ES384": "secp384r1", "ES512": "secp521r1"}
_BASE_POINT: Final = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)
"""P-256's generator (FIPS 186-4), which 3.0 takes for every key's own point."""


class Release(StrEnum):
    """Of distribution's registry."""

    V28 = "2.8"
    V30 = "3.0"
    V31 = "3.1"


class DoesNotStart(Exception):  # noqa: N818 - named for what it does not
    """The registry panics on its configuration."""


class Refused(Exception):  # noqa: N818 - named for what happened
    """401."""


@dataclass(frozen=True)
class Registry:
    """One, with its ``auth.token`` settings. ``jwks``: of 3.x only; without ``bundle`` it is all it trusts."""

    release: Release
    issuer: str = "wharfinger"
    service: str = "registry"
    bundle: Sequence[x509.Certificate] = ()
    jwks: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.release is Release.V28 and any(isinstance(one.public_key(), Ed25519PublicKey) for one in self.bundle):
            raise DoesNotStart("public key type not supported")

    def accepts(self, token: str, *, now: int, wanted: tuple[str, str, str] = ("repository", "a/b", "pull")) -> bool:
        """Whether a token gives that access."""
        try:
            self.check(token, now, wanted)
        except Refused:
            return False
        return True

    def check(self, token: str, now: int, wanted: tuple[str, str, str]) -> None:
        """Raises Refused, with why."""
        parts = token.split(".")
        if len(parts) != 3:
            raise Refused("not three parts")
        header, claims = (self._json(_decoded(part, padded=False)) for part in parts[:2])
        signature = _decoded(parts[2], padded=self.release is Release.V28)
        if not signature:
            raise Refused("no signature")
        algorithm = header.get("alg")
        if not isinstance(algorithm, str) or not re.fullmatch(self._algorithms(), algorithm):
            raise Refused("algorithm")
        if self.release is not Release.V28 and not set(header.get("crit", ())) <= {"b64"}:
            raise Refused("crit")
        if self.release is not Release.V28 and header.get("b64", True) is not True:
            raise Refused("an unencoded payload")
        key = self._key(header, now)
        _verify(key, algorithm, f"{parts[0]}.{parts[1]}".encode(), signature)
        self._claims(claims, now)
        self._access(claims, wanted)

    def _algorithms(self) -> str:
        # HS* is in 3.x's list too; no key that it holds is of that kind.
        return "(RS|ES)(256|384|512)" if self.release is Release.V28 else "(RS|PS|ES)(256|384|512)|EdDSA"

    def _json(self, data: bytes) -> dict[str, Any]:
        strict = self.release is not Release.V28

        def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
            if strict and len({name for name, _ in pairs}) != len(pairs):
                raise Refused("a name twice")  # go-jose's own JSON; Go's takes the last
            return dict(pairs) if strict else {name.lower(): value for name, value in pairs}

        try:
            found = json.loads(data, object_pairs_hook=members)
        except ValueError as error:
            raise Refused("not JSON") from error
        if not isinstance(found, dict):
            raise Refused("no object")
        return found

    def _claims(self, claims: Mapping[str, Any], now: int) -> None:
        for name in ("iss", "sub", "jti"):
            if not isinstance(claims.get(name, ""), str):
                raise Refused(f"{name} is no text")
        for name in ("exp", "nbf", "iat"):
            value = claims.get(name, 0)
            if not isinstance(value, int) or isinstance(value, bool):
                raise Refused(f"{name} is no integer")
        if claims.get("iss") != self.issuer:
            raise Refused("issuer")
        audience = claims.get("aud")
        listed = isinstance(audience, list) and self.release is not Release.V28 and self.service in audience
        if audience != self.service and not listed:
            raise Refused("audience")
        if now > claims.get("exp", 0) + LEEWAY_S:
            raise Refused("expired")
        if now < claims.get("nbf", 0) - LEEWAY_S:
            raise Refused("not yet")

    def _access(self, claims: Mapping[str, Any], wanted: tuple[str, str, str]) -> None:
        kind, name, action = wanted
        entries = claims.get("access") or []
        if not any(
            isinstance(one, dict)
            and one.get("type") == kind
            and one.get("name") == name
            and {action, "*"} & set(one.get("actions") or ())
            for one in entries
        ):
            raise Refused("access")

    def _key(self, header: Mapping[str, Any], now: int) -> Key:
        if header.get("x5c"):
            return self._certified(header["x5c"], now)
        if header.get("jwk"):
            return self._embedded(header["jwk"])
        kid = header.get("kid")
        trusted = self._by_id()
        if not isinstance(kid, str) or kid not in trusted:
            raise Refused("unknown key id")
        return trusted[kid]

    def _certified(self, chain: object, now: int) -> Key:
        try:
            assert isinstance(chain, list)
            certificates = [x509.load_der_x509_certificate(base64.b64decode(one, validate=True)) for one in chain]
        except (AssertionError, ValueError, TypeError) as error:
            raise Refused("x5c is no chain") from error
        moment = datetime.fromtimestamp(now, UTC)
        leaf = certificates[0]
        if not _leads_to(leaf, certificates[1:], self.bundle, moment):
            raise Refused("x5c is not trusted")
        key = leaf.public_key()
        if not isinstance(key, Key) or (self.release is Release.V28 and isinstance(key, Ed25519PublicKey)):
            raise Refused("a kind of key it does not know")
        return key

    def _embedded(self, jwk: object) -> Key:
        """A key in the header counts when it is one that is trusted; its own word for its id does not."""
        try:
            assert isinstance(jwk, dict)
            key = key_of(jwk)
        except (AssertionError, KeyError, ValueError, TypeError) as error:
            raise Refused("jwk is no key") from error
        if spki(key) not in {spki(one) for one in self._by_id().values()}:
            raise Refused("jwk is not trusted")
        return key

    def _by_id(self) -> dict[str, Key]:
        trusted = {str(one["kid"]): key_of(one) for one in self.jwks.get("keys", ())}
        for certificate in self.bundle:
            key = certificate.public_key()
            assert isinstance(key, Key)
            kid = self._id_of(key)
            if kid:
                trusted[kid] = key
        return trusted

    def _id_of(self, key: Key) -> str:
        match self.release, key:
            case Release.V28, _:
                return libtrust(key)
            case Release.V30, RSAPublicKey():
                return thumbprint(jwk_of(key))
            case Release.V30, EllipticCurvePublicKey():
                size = (key.key_size + 7) // 8
                point = {"x": _number(_BASE_POINT[0], size), "y": _number(_BASE_POINT[1], size)}
                return thumbprint(jwk_of(key) | point)
            case Release.V30, _:
                return ""
            case _, EllipticCurvePublicKey():
                numbers = key.public_numbers()
                stripped = {"x": _number(numbers.x), "y": _number(numbers.y)}
                return thumbprint(jwk_of(key) | stripped)
            case _:
                return thumbprint(jwk_of(key))


def libtrust(key: Key) -> str:
    """Base32 of SHA-256(SPKI)[:30], in twelve groups of four."""
    text = base64.b32encode(hashlib.sha256(spki(key)).digest()[:30]).decode()
    return ":".join(re.findall("....", text))


def thumbprint(jwk: Mapping[str, str]) -> str:
    """RFC 7638: of the members without any other."""
    members = json.dumps(dict(sorted(jwk.items())), separators=(",", ":"))
    return _encoded(hashlib.sha256(members.encode()).digest())


def jwk_of(key: Key) -> dict[str, str]:
    """The members that a thumbprint is made of."""
    if isinstance(key, RSAPublicKey):
        numbers = key.public_numbers()
        return {"kty": "RSA", "n": _number(numbers.n), "e": _number(numbers.e)}
    if isinstance(key, EllipticCurvePublicKey):
        point, size = key.public_numbers(), (key.key_size + 7) // 8
        return {"kty": "EC", "crv": f"P-{key.key_size}", "x": _number(point.x, size), "y": _number(point.y, size)}
    return {"kty": "OKP", "crv": "Ed25519", "x": _encoded(key.public_bytes_raw())}


def key_of(jwk: Mapping[str, Any]) -> Key:
    """A JWK's key. Raises KeyError, ValueError."""

    def number(name: str) -> int:
        return int.from_bytes(_decoded(jwk[name], padded=False))

    match jwk["kty"]:
        case "RSA":
            return RSAPublicNumbers(number("e"), number("n")).public_key()
        case "EC":
            curve = {"P-256": SECP256R1, "P-384": SECP384R1, "P-521": SECP521R1}[jwk["crv"]]()
            return EllipticCurvePublicNumbers(number("x"), number("y"), curve).public_key()
        case _:
            return Ed25519PublicKey.from_public_bytes(_decoded(jwk["x"], padded=False))


def spki(key: Key) -> bytes:
    """DER."""
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _leads_to(
    leaf: x509.Certificate, between: Sequence[x509.Certificate], roots: Sequence[x509.Certificate], moment: datetime
) -> bool:
    if not leaf.not_valid_before_utc <= moment <= leaf.not_valid_after_utc:
        return False
    if leaf in roots:
        return True
    return any(_issued(leaf, root) and _leads_to(root, [], roots, moment) for root in roots) or any(
        _issued(leaf, one) and _leads_to(one, [other for other in between if other is not one], roots, moment)
        for one in between
    )


def _issued(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
        constraints = issuer.extensions.get_extension_for_class(x509.BasicConstraints).value
    except (ValueError, TypeError, InvalidSignature, x509.ExtensionNotFound):
        return False
    return constraints.ca


def _verify(key: Key, algorithm: str, signed: bytes, signature: bytes) -> None:
    kind = "EdDSA" if algorithm == "EdDSA" else algorithm[:2]
    try:
        match kind, key:
            case "RS", RSAPublicKey():
                key.verify(signature, signed, padding.PKCS1v15(), _HASHES[algorithm[2:]])
            case "PS", RSAPublicKey():
                made = padding.PSS(padding.MGF1(_HASHES[algorithm[2:]]), padding.PSS.DIGEST_LENGTH)
                key.verify(signature, signed, made, _HASHES[algorithm[2:]])
            case "ES", EllipticCurvePublicKey() if key.curve.name == _CURVES[algorithm]:
                size = (key.key_size + 7) // 8
                if len(signature) != 2 * size:
                    raise Refused("a signature of another length")
                pair = encode_dss_signature(int.from_bytes(signature[:size]), int.from_bytes(signature[size:]))
                key.verify(pair, signed, ECDSA(_HASHES[algorithm[2:]]))
            case "EdDSA", Ed25519PublicKey():
                key.verify(signature, signed)
            case _:
                raise Refused("a key of another kind than the algorithm's")
    except InvalidSignature as error:
        raise Refused("signature") from error


def _decoded(text: object, *, padded: bool) -> bytes:
    if not isinstance(text, str) or not re.fullmatch(r"[A-Za-z0-9_-]*" + ("=*" if padded else ""), text):
        raise Refused("not base64url")
    bare = text.rstrip("=")
    if len(bare) % 4 == 1:
        raise Refused("not base64url")
    return base64.urlsafe_b64decode(bare + "=" * (-len(bare) % 4))


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _number(value: int, size: int = 0) -> str:
    return _encoded(value.to_bytes(size or (value.bit_length() + 7) // 8))
