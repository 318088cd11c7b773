"""Keys: which one signs, and what a token says of it. Thumbprints against RFC 7638 and RFC 8037's own examples."""

from dataclasses import replace

import pytest

from authsvc.decide.keys import PublicKey, algorithm_of, current, header, key_set, libtrust_id, thumbprint, warnings
from wharfinger.runtime.settings import KeyIdForm, ServiceSettings, X5c

RFC7638 = {
    "kty": "RSA",
    "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw",
    "e": "AQAB",
}
RFC8037 = {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}
P256 = {"kty": "EC", "crv": "P-256", "x": "AGU_" + "A" * 39, "y": "f" * 43}
DAY = 86_400


def key(jwk: dict[str, str] = RFC7638, **more: object) -> PublicKey:
    """A key."""
    return replace(PublicKey("k1", jwk, b"spki", ("Y2VydA==",), not_after=1_000 * DAY), **more)  # type: ignore[arg-type]  # of its fields


def test_thumbprints() -> None:
    """RFC 7638 section 3.1, RFC 8037 appendix A.3."""
    assert thumbprint(RFC7638) == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
    assert thumbprint(RFC8037) == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


def test_libtrust_ids() -> None:
    """Twelve groups of four."""
    assert libtrust_id(b"spki").count(":") == 11
    assert {len(group) for group in libtrust_id(b"spki").split(":")} == {4}


def test_the_current_key() -> None:
    """The latest whose time has come, the first among equals; one that cannot sign never."""
    keys = [key(id="a"), key(id="b"), key(id="next", signs_from=500), key(id="gone", signs_from=400, can_sign=False)]
    assert [current(keys, now=now).id for now in (0, 499, 500)] == ["a", "a", "next"]
    with pytest.raises(ValueError, match="no key signs yet"):
        current(keys[2:], now=0)


@pytest.mark.parametrize(
    ("x5c", "now", "carried"),
    [(X5c.AUTO, 0, True), (X5c.AUTO, 1_000 * DAY, False), (X5c.NEVER, 0, False), (X5c.ALWAYS, 1_000 * DAY, True)],
)
def test_x5c(x5c: X5c, now: int, *, carried: bool) -> None:
    """Automatically until the certificate ends, else as it is wanted."""
    made = header(key(), ServiceSettings(x5c=x5c), algorithm="RS256", now=now)
    assert (made.get("x5c") == ["Y2VydA=="]) is carried
    assert made["typ"] == "JWT"


def test_key_ids_by_form() -> None:
    """The form a registry finds the key by."""
    ids = {form: header(key(), ServiceSettings(form), algorithm="RS256", now=0)["kid"] for form in KeyIdForm}
    assert ids == {
        KeyIdForm.LIBTRUST: libtrust_id(b"spki"),
        KeyIdForm.RFC7638: thumbprint(RFC7638),
        KeyIdForm.CUSTOM: "k1",
    }


@pytest.mark.parametrize(("jwk", "expected"), [(RFC7638, "RS512"), (P256, "ES256"), (RFC8037, "EdDSA")])
def test_algorithms(jwk: dict[str, str], expected: str) -> None:
    """As configured for RSA, the curve's own for others."""
    assert algorithm_of(key(jwk), "RS512") == expected


def test_the_key_set_has_every_id() -> None:
    """A registry that reads it finds the key whichever id a token carries; nothing private stands in it."""
    entries = key_set([key(), key(RFC8037, id="k2")], "RS256")["keys"]
    assert isinstance(entries, list)
    assert len(entries) == 6
    assert {entry["kid"] for entry in entries} >= {"k1", "k2", thumbprint(RFC8037)}
    assert not {"d", "p", "q"} & {name for entry in entries for name in entry}


def test_warnings() -> None:
    """Certificates that ended or soon will, or are sent all the same; a coordinate registry 3.1 mishandles, an id none looks for."""
    keys = [key(id="old", not_after=5 * DAY), key(id="soon", not_after=12 * DAY), key(P256, id="ec"), key(RFC8037, id="ed")]
    odd = {"s": ServiceSettings(x5c=X5c.NEVER), "t": ServiceSettings(KeyIdForm.RFC7638, X5c.NEVER), "u": ServiceSettings()}
    odd["v"] = ServiceSettings(x5c=X5c.ALWAYS)
    found = warnings(keys, odd, now=10 * DAY)
    assert [phrase.split(":")[0] for phrase in found] == [
        "the certificate of key old has expired",
        "the certificate of key soon ends in 2 days",
        "key ec has a coordinate that starts with a zero byte",
        "service s",
        "service v",
    ]
    assert warnings([key()], odd, now=0) == ()
