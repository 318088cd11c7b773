"""Tokens as registries were seen to take or refuse them, and as forgers make them. Keys and certificates of their own.

``TABLE`` is what registries 2.8.3, 3.0.0 and 3.1.1 did when each of its rows was played on them; ``FORGED`` is what nobody may
take. Both make their tokens from :class:`Keys` at a given time.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from tests.verifier import Release, jwk_of, libtrust, spki, thumbprint

ISSUER: Final = "wharfinger"
SERVICE: Final = "registry"
REPOSITORY: Final = "a/b"
Private = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
_HASHES: Final[Mapping[str, hashes.HashAlgorithm]] = {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}


@dataclass(frozen=True)
class Pair:
    """A key with its certificate, and who issued that above it."""

    key: Private
    certificate: x509.Certificate
    above: tuple[x509.Certificate, ...] = ()

    @property
    def x5c(self) -> list[str]:
        """The chain as a header carries it."""
        return [base64.b64encode(one.public_bytes(Encoding.DER)).decode() for one in (self.certificate, *self.above)]

    @property
    def libtrust(self) -> str:
        """Its id for 2.8."""
        return libtrust(self.key.public_key())

    @property
    def thumbprint(self) -> str:
        """Its id by RFC 7638."""
        return thumbprint(jwk_of(self.key.public_key()))

    @property
    def algorithm(self) -> str:
        """The usual one of its kind."""
        if isinstance(self.key, rsa.RSAPrivateKey):
            return "RS256"
        return (
            {256: "ES256", 384: "ES384", 521: "ES512"}[self.key.key_size]
            if isinstance(self.key, ec.EllipticCurvePrivateKey)
            else "EdDSA"
        )

    def pem(self) -> bytes:
        """The private key."""
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def pair(
    key: Private, *, name: str = "wharfinger", ends: timedelta = timedelta(days=30), ca: bool = True, by: Pair | None = None
) -> Pair:
    """A certificate for a key: its own, or issued by another pair."""
    now = datetime.now(UTC)
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(by.certificate.subject if by else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=60))
        .not_valid_after(now + ends)
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    )
    signing = by.key if by else key
    made = builder.sign(signing, None if isinstance(signing, ed25519.Ed25519PrivateKey) else hashes.SHA256())
    return Pair(key, made, (by.certificate,) if by else ())


class Keys:
    """Every pair the tables speak of."""

    def __init__(self) -> None:
        self.rsa = pair(_rsa(), name="rsa")
        self.p256 = pair(_ec(ec.SECP256R1()), name="p256")
        self.p384 = pair(_ec(ec.SECP384R1()), name="p384")
        self.p521 = pair(_ec(ec.SECP521R1()), name="p521")
        self.ed = pair(ed25519.Ed25519PrivateKey.generate(), name="ed")
        self.zero = pair(_ec(ec.SECP256R1(), zero=True), name="zero")
        self.zero521 = pair(_ec(ec.SECP521R1(), zero=True), name="zero521")
        self.expired = pair(_rsa(), name="expired", ends=timedelta(days=-1))
        self.ca = pair(_rsa(), name="ca")
        self.leaf = pair(_rsa(), name="leaf", ca=False, by=self.ca)
        # The forger's: with names of ours, and under a CA that calls itself as ours does.
        self.foreign = pair(_rsa(), name="rsa")
        self.foreign_p256 = pair(ec.generate_private_key(ec.SECP256R1()), name="p256")
        self.foreign_ca = pair(_rsa(), name="ca")
        self.foreign_leaf = pair(_rsa(), name="leaf", ca=False, by=self.foreign_ca)

    def bundle(self, release: Release, *, zero: bool = False) -> list[x509.Certificate]:
        """What a registry trusts. 2.8 panics on Ed25519; 3.0 knows the last P-256 key only, so the odd one stands apart."""
        pairs = [self.rsa, self.zero if zero else self.p256, self.p384, self.p521, self.expired, self.ca]
        return [one.certificate for one in (pairs if release is Release.V28 else [*pairs, self.ed])]

    def key_set(self) -> dict[str, Any]:
        """The same for a registry that reads ``jwks``: under the form of id that it would not compute itself."""
        pairs = {"any": self.rsa, self.p256.libtrust: self.p256, "ed-1": self.ed}
        return {"keys": [jwk_of(one.key.public_key()) | {"kid": kid} for kid, one in pairs.items()]}


def _rsa() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65_537, key_size=2_048)


def _ec(curve: ec.EllipticCurve, *, zero: bool = False) -> ec.EllipticCurvePrivateKey:
    """A key with a coordinate that starts with a zero byte, or without one: of P-521 three in four have one."""
    while True:
        key = ec.generate_private_key(curve)
        point = key.public_key().public_numbers()
        if (min(point.x, point.y) < 1 << 8 * ((curve.key_size + 7) // 8 - 1)) is zero:
            return key


def claims(now: int, **changed: Any) -> dict[str, Any]:
    """A good token's; None leaves one out."""
    usual = {
        "iss": ISSUER, "sub": "zoe", "aud": SERVICE, "exp": now + 900, "nbf": now - 10, "iat": now, "jti": "1",
        "access": [{"type": "repository", "name": REPOSITORY, "actions": ["pull"]}],
    }  # fmt: skip
    return {name: value for name, value in (usual | changed).items() if value is not None}


def encoded(part: object) -> str:
    """A part of a token: an object as JSON, or bytes as they are."""
    data = part if isinstance(part, bytes) else json.dumps(part, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def signed(header: object, payload: object, key: Private, algorithm: str) -> str:
    """A token with a true signature of some key."""
    text = f"{encoded(header)}.{encoded(payload)}"
    return f"{text}.{encoded(signature(text.encode(), key, algorithm))}"


def signature(data: bytes, key: Private, algorithm: str) -> bytes:
    """By RFC 7518 and 8037."""
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key.sign(data)
    digest = _HASHES[algorithm[-3:]]
    if isinstance(key, rsa.RSAPrivateKey):
        if algorithm.startswith("PS"):
            return key.sign(data, padding.PSS(padding.MGF1(digest), digest.digest_size), digest)
        return key.sign(data, padding.PKCS1v15(), digest)
    size = (key.key_size + 7) // 8
    return b"".join(number.to_bytes(size) for number in decode_dss_signature(key.sign(data, ec.ECDSA(digest))))


def token(
    of: Pair,
    now: int,
    *,
    kid: str | None = "",
    x5c: bool = False,
    algorithm: str = "",
    header: Mapping[str, Any] = {},
    **changed: Any,
) -> str:
    """One of a pair, with a key id, with its chain, or both."""
    used = algorithm or of.algorithm
    made = (
        {"typ": "JWT", "alg": used}
        | ({} if kid is None else {"kid": kid or "none"})
        | ({"x5c": of.x5c} if x5c else {})
        | dict(header)
    )
    return signed({name: value for name, value in made.items() if value is not None}, claims(now, **changed), of.key, used)


def _fixed(value: Any) -> Callable[[Keys, int], str]:
    return lambda keys, now: token(keys.rsa, now, x5c=True, **value)


Make = Callable[[Keys, int], str]


@dataclass(frozen=True)
class Row:
    """A token, and which releases take it; None: it cannot be asked of that one. ``trusts``: ``bundle``, ``zero`` or ``jwks``."""

    name: str
    make: Make
    v28: bool | None
    v30: bool
    v31: bool
    trusts: str = "bundle"

    def expected(self, release: Release) -> bool | None:
        """Of one release."""
        return {Release.V28: self.v28, Release.V30: self.v30, Release.V31: self.v31}[release]


def _stripped(of: Pair) -> str:
    key = of.key.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    point = key.public_numbers()
    short = {name: encoded(value.to_bytes((value.bit_length() + 7) // 8)) for name, value in (("x", point.x), ("y", point.y))}
    return thumbprint(jwk_of(key) | short)


BASE_POINT_ID: Final = thumbprint({
    "kty": "EC", "crv": "P-256", "x": "axfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpY", "y": "T-NC4v4af5uO5-tKfA-eFivOM1drMV7Oy7ZAaDe_UfU",
})  # fmt: skip

TABLE: Final = (
    Row("RSA, kid libtrust", lambda keys, now: token(keys.rsa, now, kid=keys.rsa.libtrust), True, False, False),
    Row("RSA, kid RFC 7638", lambda keys, now: token(keys.rsa, now, kid=keys.rsa.thumbprint), False, True, True),
    Row("EC, kid libtrust", lambda keys, now: token(keys.p256, now, kid=keys.p256.libtrust), True, False, False),
    Row("EC P-384, kid libtrust", lambda keys, now: token(keys.p384, now, kid=keys.p384.libtrust), True, False, False),
    Row("EC P-521, kid libtrust", lambda keys, now: token(keys.p521, now, kid=keys.p521.libtrust), True, False, False),
    Row("EC, kid RFC 7638", lambda keys, now: token(keys.p256, now, kid=keys.p256.thumbprint), False, False, True),
    Row("EC with a leading zero, kid libtrust", lambda keys, now: token(keys.zero, now, kid=keys.zero.libtrust), True, False, False, "zero"),
    Row("EC with a leading zero, kid RFC 7638", lambda keys, now: token(keys.zero, now, kid=keys.zero.thumbprint), False, False, False, "zero"),
    Row("EC with a leading zero, stripped", lambda keys, now: token(keys.zero, now, kid=_stripped(keys.zero)), False, False, True, "zero"),
    Row("EC, kid of the base point", lambda keys, now: token(keys.p256, now, kid=BASE_POINT_ID), False, True, False),
    Row("Ed25519, kid RFC 8037", lambda keys, now: token(keys.ed, now, kid=keys.ed.thumbprint), False, False, True),
    Row("RSA, x5c, any kid", lambda keys, now: token(keys.rsa, now, x5c=True, kid="whatever"), True, True, True),
    Row("RSA, x5c, no kid", lambda keys, now: token(keys.rsa, now, x5c=True, kid=None), True, True, True),
    Row("EC, x5c", lambda keys, now: token(keys.p256, now, x5c=True), True, True, True),
    Row("EC P-384, x5c", lambda keys, now: token(keys.p384, now, x5c=True), True, True, True),
    Row("EC P-521, x5c", lambda keys, now: token(keys.p521, now, x5c=True), True, True, True),
    Row("Ed25519, x5c", lambda keys, now: token(keys.ed, now, x5c=True), False, True, True),
    Row("x5c, expired", lambda keys, now: token(keys.expired, now, x5c=True), False, False, False),
    Row("expired, kid libtrust", lambda keys, now: token(keys.expired, now, kid=keys.expired.libtrust), True, False, False),
    Row("expired, kid RFC 7638", lambda keys, now: token(keys.expired, now, kid=keys.expired.thumbprint), False, True, True),
    Row("a CA's leaf, kid libtrust", lambda keys, now: token(keys.leaf, now, kid=keys.leaf.libtrust), False, False, False),
    Row("a CA's leaf, kid RFC 7638", lambda keys, now: token(keys.leaf, now, kid=keys.leaf.thumbprint), False, False, False),
    Row("a CA's leaf, x5c", lambda keys, now: token(keys.leaf, now, x5c=True), True, True, True),
    Row("x5c untrusted, kid trusted", lambda keys, now: token(keys.rsa, now, kid=keys.rsa.libtrust, header={"x5c": keys.foreign.x5c}), False, False, False),
    Row("jwks only, x5c", lambda keys, now: token(keys.rsa, now, x5c=True, kid="any"), None, False, False, "jwks"),
    Row("jwks, RSA", lambda keys, now: token(keys.rsa, now, kid="any"), None, True, True, "jwks"),
    Row("jwks, EC, kid libtrust", lambda keys, now: token(keys.p256, now, kid=keys.p256.libtrust), None, True, True, "jwks"),
    Row("jwks, Ed25519", lambda keys, now: token(keys.ed, now, kid="ed-1"), None, True, True, "jwks"),
    Row("RS384", _fixed({"algorithm": "RS384"}), True, True, True),
    Row("RS512", _fixed({"algorithm": "RS512"}), True, True, True),
    Row("PS256", _fixed({"algorithm": "PS256"}), False, True, True),
    Row("a list of audiences", _fixed({"aud": [SERVICE, "other"]}), False, True, True),
    Row("exp a float", lambda keys, now: token(keys.rsa, now, x5c=True, exp=now + 900.0), False, False, False),
    Row("nbf a float", lambda keys, now: token(keys.rsa, now, x5c=True, nbf=now - 10.0), False, False, False),
    Row("exp 30 s ago", lambda keys, now: token(keys.rsa, now, x5c=True, exp=now - 30), True, True, True),
    Row("exp 62 s ago", lambda keys, now: token(keys.rsa, now, x5c=True, exp=now - 62), False, False, False),
    Row("nbf in 30 s", lambda keys, now: token(keys.rsa, now, x5c=True, nbf=now + 30), True, True, True),
    Row("nbf in 63 s", lambda keys, now: token(keys.rsa, now, x5c=True, nbf=now + 66), False, False, False),
    Row("no exp", _fixed({"exp": None}), False, False, False),
    *(Row(f"no {name}", _fixed({name: None}), True, True, True) for name in ("nbf", "iat", "jti", "sub")),
    Row("no typ", _fixed({"header": {"typ": None}}), True, True, True),
    Row("claims in another case", _fixed({"access": [{"Type": "repository", "Name": REPOSITORY, "Actions": ["pull"]}]}), True, False, False),
    Row("padding in the signature", lambda keys, now: token(keys.rsa, now, x5c=True) + "==", True, False, False),
    Row("crit b64, b64 true", _fixed({"header": {"crit": ["b64"], "b64": True}}), True, True, True),
    Row("sub a number", _fixed({"sub": 7}), False, False, False),
    Row("a claim nobody knows", _fixed({"more": {"than": ["this"]}}), True, True, True),
)  # fmt: skip


def _good(keys: Keys, now: int, **changed: Any) -> tuple[str, str, str]:
    header, payload, made = token(keys.rsa, now, kid=keys.rsa.libtrust, x5c=True, **changed).split(".")
    return header, payload, made


def _header(keys: Keys, **changed: Any) -> dict[str, Any]:
    made = {"typ": "JWT", "alg": "RS256", "kid": keys.rsa.libtrust} | changed
    return {name: value for name, value in made.items() if value is not None}


def _unsigned(**changed: Any) -> Make:
    return lambda keys, now: f"{encoded(_header(keys, **changed))}.{encoded(claims(now))}."


def _with_old_signature(*, header: Mapping[str, Any] | None = None, payload: Any = None, **changed: Any) -> Make:
    def make(keys: Keys, now: int) -> str:
        old_header, old_payload, made = _good(keys, now)
        new_header = old_header if header is None else encoded(_header(keys, x5c=keys.rsa.x5c) | header)
        new_payload = (encoded(claims(now, **changed)) if changed else old_payload) if payload is None else payload(now)
        return f"{new_header}.{new_payload}.{made}"

    return make


def _hmac(secret: Callable[[Keys], bytes], **changed: Any) -> Make:
    def make(keys: Keys, now: int) -> str:
        text = f"{encoded(_header(keys, **{'alg': 'HS256'} | changed))}.{encoded(claims(now))}"
        return f"{text}.{encoded(hmac.digest(secret(keys), text.encode(), hashlib.sha256))}"

    return make


def _foreign(*, by: str = "foreign", header: Callable[[Keys], Mapping[str, Any]] = lambda _: {}) -> Make:
    def make(keys: Keys, now: int) -> str:
        of: Pair = getattr(keys, by)
        made = {
            name: value for name, value in (_header(keys, alg=of.algorithm) | dict(header(keys))).items() if value is not None
        }
        return signed(made, claims(now), of.key, of.algorithm)

    return make


def _own(of: Pair, **more: Any) -> dict[str, Any]:
    return jwk_of(of.key.public_key()) | more


def _access(*entries: Mapping[str, Any]) -> Make:
    return _fixed({"access": list(entries)})


_WIDER = [{"type": "repository", "name": REPOSITORY, "actions": ["pull", "push", "*"]}]
_TWICE = b'{"iss":"%s","aud":"%s","exp":%d,"nbf":1,"access":[],"access":[{"type":"repository","name":"%s","actions":["pull"]}]}'

FORGED: Final[Mapping[str, Make]] = {
    # No signature, or none that proves anything.
    **{f"alg {name}": _unsigned(alg=name) for name in ("none", "None", "NONE", "nOnE", "", "null")},
    "alg null": _unsigned(alg=None),
    "alg none beside a trusted chain": lambda keys, now: f"{encoded(_header(keys, alg='none', x5c=keys.rsa.x5c))}.{encoded(claims(now))}.",
    "alg none over a true signature": _with_old_signature(header={"alg": "none"}),
    "RS256 without a signature": _unsigned(),
    "RS256 beside a chain, without a signature": lambda keys, now: ".".join(_good(keys, now)[:2]) + ".",
    "two parts": lambda keys, now: ".".join(_good(keys, now)[:2]),
    "a signature of noughts": lambda keys, now: ".".join(_good(keys, now)[:2]) + "." + encoded(bytes(256)),
    "a signature cut short": lambda keys, now: ".".join(_good(keys, now))[:-4],
    "a signature with something behind it": lambda keys, now: ".".join(_good(keys, now)) + "AAAA",
    "a bit of the signature": lambda keys, now: _flipped(".".join(_good(keys, now))),
    "an ECDSA signature of noughts": lambda keys, now: _ec_with(keys, now, bytes(64)),
    "an ECDSA signature of one": lambda keys, now: _ec_with(keys, now, (b"\x00" * 31 + b"\x01") * 2),
    "an ECDSA signature of nothing": lambda keys, now: _ec_with(keys, now, b""),
    "five parts": lambda keys, now: ".".join((*_good(keys, now), "AA", "AA")),
    "nothing": lambda _keys, _now: "",
    "dots": lambda _keys, _now: "..",
    # A secret that everybody knows.
    "HS256 by the public key, PEM": _hmac(lambda keys: keys.rsa.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)),
    "HS256 by the public key, DER": _hmac(lambda keys: spki(keys.rsa.key.public_key())),
    "HS256 by the certificate, PEM": _hmac(lambda keys: keys.rsa.certificate.public_bytes(Encoding.PEM)),
    "HS256 by the certificate, DER": _hmac(lambda keys: keys.rsa.certificate.public_bytes(Encoding.DER)),
    "HS256 by the modulus": _hmac(lambda keys: jwk_of(keys.rsa.key.public_key())["n"].encode()),
    "HS256 by nothing": _hmac(lambda _: b""),
    "HS256 by a file that is empty": _hmac(lambda _: b"", kid="../../../../../../dev/null"),
    "HS256 beside the chain": lambda keys, now: _hmac(lambda keys: spki(keys.rsa.key.public_key()), x5c=keys.rsa.x5c)(keys, now),
    "HS256, kid RFC 7638": lambda keys, now: _hmac(lambda keys: spki(keys.rsa.key.public_key()), kid=keys.rsa.thumbprint)(keys, now),
    # A key of one's own.
    "another key, our kid": _foreign(),
    "another key, our RFC 7638 kid": _foreign(header=lambda keys: {"kid": keys.rsa.thumbprint}),
    "another EC key, our kid": _foreign(by="foreign_p256", header=lambda keys: {"kid": keys.p256.libtrust}),
    "another EC key, the base point's kid": _foreign(by="foreign_p256", header=lambda _: {"kid": BASE_POINT_ID}),
    "another kind of key under a kid": _foreign(by="foreign_p256"),
    "our own other key under a kid": lambda keys, now: signed(_header(keys, alg="ES256"), claims(now), keys.p256.key, "ES256"),
    "jwk of one's own": _foreign(header=lambda keys: {"kid": None, "jwk": _own(keys.foreign)}),
    "jwk of one's own, kid of ours": _foreign(header=lambda keys: {"jwk": _own(keys.foreign)}),
    "jwk of one's own that calls itself ours": _foreign(header=lambda keys: {"jwk": _own(keys.foreign, kid=keys.rsa.libtrust)}),
    "jwk that calls itself ours by RFC 7638": _foreign(
        header=lambda keys: {"kid": keys.rsa.thumbprint, "jwk": _own(keys.foreign, kid=keys.rsa.thumbprint)}
    ),
    "jwk with our chain in it": _foreign(header=lambda keys: {"kid": None, "jwk": _own(keys.foreign, x5c=keys.rsa.x5c)}),
    "EC jwk of one's own": _foreign(by="foreign_p256", header=lambda keys: {"kid": None, "jwk": _own(keys.foreign_p256)}),
    "symmetric jwk": _hmac(lambda _: b"k" * 32, jwk={"kty": "oct", "k": encoded(b"k" * 32)}, kid=None),
    "jku": _foreign(header=lambda keys: {"kid": keys.foreign.thumbprint, "jku": "http://127.0.0.1:9/keys"}),
    "x5u": _foreign(header=lambda keys: {"kid": keys.foreign.thumbprint, "x5u": "http://127.0.0.1:9/chain"}),
    # A chain of one's own.
    "x5c of one's own, with our names": _foreign(header=lambda keys: {"x5c": keys.foreign.x5c}),
    "x5c of one's own before ours": _foreign(header=lambda keys: {"x5c": [*keys.foreign.x5c, *keys.rsa.x5c]}),
    "our x5c, another key": _foreign(header=lambda keys: {"x5c": keys.rsa.x5c}),
    "our x5c before one's own, another key": _foreign(header=lambda keys: {"x5c": [*keys.rsa.x5c, *keys.foreign.x5c]}),
    "x5c of one's own CA": _foreign(by="foreign_leaf", header=lambda keys: {"x5c": keys.foreign_leaf.x5c}),
    "x5c of one's own CA before our CA": _foreign(
        by="foreign_leaf", header=lambda keys: {"x5c": [keys.foreign_leaf.x5c[0], *keys.ca.x5c]}
    ),
    "our CA's leaf, another key": _foreign(header=lambda keys: {"x5c": keys.leaf.x5c}),
    "x5c that is no certificate": _foreign(header=lambda _: {"x5c": ["AAAA"]}),
    "x5c that is no list": _foreign(header=lambda keys: {"x5c": keys.rsa.x5c[0]}),
    "x5c of numbers": _foreign(header=lambda _: {"x5c": [1, 2]}),
    # Ids that are no ids.
    **{
        f"kid {kid!r}"[:40]: _foreign(header=lambda _, kid=kid: {"kid": kid})  # type: ignore[misc]  # binds now
        for kid in ("", "/dev/null", "../signing.key", "' OR '1'='1", "1; DROP TABLE keys", "*", "%00", "x" * 2_000, 7, ["a"], {"a": 1}, True)
    },
    "no kid at all": _foreign(header=lambda _: {"kid": None}),
    # What is true of something else.
    "wider access under an old signature": _with_old_signature(access=_WIDER),
    "another subject under an old signature": _with_old_signature(sub="admin"),
    "a later end under an old signature": lambda keys, now: ".".join((*_good(keys, now)[:1], encoded(claims(now, exp=now + 10**6)), _good(keys, now)[2])),
    "another algorithm under an old signature": _with_old_signature(header={"alg": "RS512"}),
    "crit nobody knows, under an old signature": _with_old_signature(header={"crit": ["exp"], "exp": 1}),
    "b64 false, under an old signature": _with_old_signature(header={"crit": ["b64"], "b64": False}),
    "claims twice, under an old signature": _with_old_signature(
        payload=lambda now: encoded(_TWICE % (ISSUER.encode(), SERVICE.encode(), now + 900, REPOSITORY.encode()))
    ),
    "another token's signature": lambda keys, now: ".".join((*_good(keys, now)[:2], _good(keys, now, sub="yan")[2])),
    "a header of another token": lambda keys, now: ".".join((token(keys.p256, now, x5c=True).split(".")[0], *_good(keys, now)[1:])),
    # Signed by us, for something else.
    **{f"issuer {issuer!r}": _fixed({"iss": issuer}) for issuer in ("other", "Wharfinger", "wharfinger ", "wharfinger/", "", 7)},
    "no issuer": _fixed({"iss": None}),
    **{f"audience {audience!r}": _fixed({"aud": audience}) for audience in ("other", "Registry", "registry,other", "", ["other"], [], 7)},
    "no audience": _fixed({"aud": None}),
    "expired an hour ago": lambda keys, now: token(keys.rsa, now, x5c=True, exp=now - 3_600),
    "expired 62 s ago": lambda keys, now: token(keys.rsa, now, x5c=True, exp=now - 62),
    "expired at the beginning of time": _fixed({"exp": 1}),
    "an end before all time": _fixed({"exp": -1}),
    "an end as text": lambda keys, now: token(keys.rsa, now, x5c=True, exp=str(now + 900)),
    "an end as a float": lambda keys, now: token(keys.rsa, now, x5c=True, exp=now + 900.5),
    "an end by an exponent": lambda keys, now: signed(
        _header(keys, x5c=keys.rsa.x5c), json.dumps(claims(now)).replace(str(now + 900), "1e10").encode(), keys.rsa.key, "RS256"
    ),
    "not for another hour": lambda keys, now: token(keys.rsa, now, x5c=True, nbf=now + 3_600),
    "a beginning as text": lambda keys, now: token(keys.rsa, now, x5c=True, nbf=str(now)),
    "claims that are a list": lambda keys, now: signed(_header(keys, x5c=keys.rsa.x5c), [claims(now)], keys.rsa.key, "RS256"),
    "claims that are nothing": lambda keys, _now: signed(_header(keys, x5c=keys.rsa.x5c), b"", keys.rsa.key, "RS256"),
    "no access": _access(),
    "access to another repository": _access({"type": "repository", "name": "a/c", "actions": ["pull"]}),
    "access to one above": _access({"type": "repository", "name": "a", "actions": ["*"]}),
    "access to all by a star": _access({"type": "repository", "name": "*", "actions": ["*"]}),
    "access to another type": _access({"type": "registry", "name": REPOSITORY, "actions": ["*"]}),
    "access of another class": _access({"type": "repository(plugin)", "name": REPOSITORY, "actions": ["pull"]}),
    "access to push alone": _access({"type": "repository", "name": REPOSITORY, "actions": ["push"]}),
    "access in capitals": _access({"type": "repository", "name": REPOSITORY, "actions": ["PULL"]}),
}  # fmt: skip


def _flipped(text: str) -> str:
    at = len(text) - 100
    return text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1 :]


def _ec_with(keys: Keys, now: int, made: bytes) -> str:
    text = token(keys.p256, now, x5c=True).rpartition(".")[0]
    return f"{text}.{encoded(made)}"
