"""Decides which key signs, by which algorithm, and what a token's header says of it. Holds public values only.

Sources: RFC 7517, 7518 and 7638 for JWKs and thumbprints, RFC 8037 for Ed25519; libtrust's key id as registry 2.8 computes it.
"""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from wharfinger.runtime.settings import KeyIdForm, ServiceSettings, X5c
from wharfinger.wire.codec import encode

EXPIRY_WARNING_S: Final = 30 * 86_400
"""A certificate that ends within this is warned of: registries must be given another one, and restarted."""
_KEY_ID_BYTES: Final = 30
_KEY_ID_GROUP: Final = 4
_THUMBPRINT_MEMBERS: Final = {"RSA": ("e", "kty", "n"), "EC": ("crv", "kty", "x", "y"), "OKP": ("crv", "kty", "x")}
_EC_ALGORITHMS: Final = {"P-256": "ES256", "P-384": "ES384", "P-521": "ES512"}


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A signing key as others see it.

    ``jwk``: its public members; ``spki``: DER; ``chain``: base64 DER certificates, leaf first; ``not_after``: epoch seconds.
    """

    id: str
    jwk: Mapping[str, str]
    spki: bytes
    chain: tuple[str, ...]
    not_after: int
    signs_from: int = 0
    can_sign: bool = True

    def key_id(self, form: KeyIdForm) -> str:
        """Its id in one form."""
        match form:
            case KeyIdForm.LIBTRUST:
                return libtrust_id(self.spki)
            case KeyIdForm.RFC7638:
                return thumbprint(self.jwk)
            case _:
                return self.id

    def expired(self, now: int) -> bool:
        """Whether its certificate has ended: every registry refuses its x5c then, and takes its key id still."""
        return now >= self.not_after


def current(keys: Sequence[PublicKey], *, now: int) -> PublicKey:
    """The key that signs: of those whose time has come the latest, the first listed among equals. Raises ValueError: none."""
    ready = [key for key in keys if key.can_sign and key.signs_from <= now]
    if not ready:
        raise ValueError("no key signs yet: every signs_from lies in the future")
    return max(ready, key=lambda key: key.signs_from)


def header(key: PublicKey, service: ServiceSettings, *, algorithm: str, now: int) -> dict[str, object]:
    """A token's JOSE header, as the registry of a service can read it."""
    made: dict[str, object] = {"typ": "JWT", "alg": algorithm, "kid": key.key_id(service.key_id)}
    if service.x5c is X5c.ALWAYS or (service.x5c is X5c.AUTO and not key.expired(now)):
        made["x5c"] = list(key.chain)
    return made


def algorithm_of(key: PublicKey, rsa: str) -> str:
    """The JWS algorithm: the configured one for RSA, the curve's own for others."""
    match key.jwk["kty"]:
        case "RSA":
            return rsa
        case "EC":
            return _EC_ALGORITHMS[key.jwk["crv"]]
        case _:
            return "EdDSA"


def key_set(keys: Sequence[PublicKey], rsa: str) -> dict[str, object]:
    """The JWK set: every key under each of its ids, so that a registry finds it whichever form a token carries."""
    entries: list[dict[str, str]] = []
    for key in keys:
        ids = dict.fromkeys(key.key_id(form) for form in KeyIdForm)
        entries += [{**key.jwk, "kid": one, "use": "sig", "alg": algorithm_of(key, rsa)} for one in ids]
    return {"keys": entries}


def libtrust_id(spki: bytes) -> str:
    """Base32 of SHA-256(SPKI)[:30], in twelve groups of four."""
    text = base64.b32encode(hashlib.sha256(spki).digest()[:_KEY_ID_BYTES]).decode()
    return ":".join(text[at : at + _KEY_ID_GROUP] for at in range(0, len(text), _KEY_ID_GROUP))


def thumbprint(jwk: Mapping[str, str]) -> str:
    """RFC 7638 section 3: SHA-256 of the required members, base64url."""
    members = {name: jwk[name] for name in _THUMBPRINT_MEMBERS[jwk["kty"]]}  # in lexicographic order
    return base64.urlsafe_b64encode(hashlib.sha256(encode(members)).digest()).rstrip(b"=").decode()


def warnings(keys: Sequence[PublicKey], services: Mapping[str, ServiceSettings], *, now: int) -> tuple[str, ...]:
    """What an operator should know of the keys, a phrase each."""
    found = []
    for key in keys:
        left_s = key.not_after - now
        if left_s <= 0:
            found.append(f"the certificate of key {key.id} has expired: tokens no longer carry it (x5c)")
        elif left_s < EXPIRY_WARNING_S:
            found.append(f"the certificate of key {key.id} ends in {left_s // 86_400} days: give registries a new one in time")
        if key.jwk["kty"] == "EC" and _starts_with_zero(key.jwk):
            found.append(f"key {key.id} has a coordinate that starts with a zero byte: registry 3.1 refuses its thumbprint")
    signing = [key for key in keys if key.can_sign]
    for name, service in services.items():
        without_x5c = service.x5c is X5c.NEVER and service.key_id is not KeyIdForm.CUSTOM
        if without_x5c and service.key_id is KeyIdForm.LIBTRUST and any(key.jwk["kty"] == "OKP" for key in signing):
            found.append(f"service {name}: no registry finds an Ed25519 key by its libtrust id")
        if service.x5c is X5c.ALWAYS and any(key.expired(now) for key in signing):
            found.append(f"service {name}: x5c: always sends a certificate that has expired, which every registry refuses")
    return tuple(found)


def _starts_with_zero(jwk: Mapping[str, str]) -> bool:
    # The first six bits of base64url and the next two: "AA", "AB"… hold a zero byte only when both are 0 or so.
    return any(base64.urlsafe_b64decode(jwk[name] + "==")[:1] == b"\x00" for name in ("x", "y"))
