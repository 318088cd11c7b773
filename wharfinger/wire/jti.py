"""The token id that proves itself: minting and verifying, over given time, nonce and keys.

26 characters of an alphabet in ASCII order, so that ids sort by time as text: 42 bits of milliseconds, 50 bits of nonce and
64 bits of HMAC-SHA256 over (version, time, nonce, account). So an id made by somebody who holds the signing key, but not the
jti key, is told from an id whose record was lost. A jti is a name, never a credential.
"""

import binascii
import hashlib
import hmac
import re
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from typing import Final

from wharfinger.wire.names import Account, Jti

ALPHABET: Final = "-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz"
LENGTH: Final = 26
TIME_BITS: Final = 42
NONCE_BITS: Final = 50
PROOF_BITS: Final = 64
MIN_KEY_BYTES: Final = 32
VERSION: Final = b"wharfinger/jti/v1\x00"
"""First in the HMAC's input: ids of a later shape cannot be passed off as this one."""

SHAPE: Final = "[-0-9A-Z_a-z]{26}"
"""What every id looks like, as a regular expression."""
_SHAPE: Final = re.compile(SHAPE, re.ASCII)
_BASE64: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_OURS: Final = bytes.maketrans(_BASE64, ALPHABET.encode())
_THEIRS: Final = bytes.maketrans(ALPHABET.encode(), _BASE64)
_PAIRS: Final = tuple(first + second for first in ALPHABET for second in ALPHABET)
_SHIFTS: Final = tuple(range(12 * (LENGTH // 2 - 1), -1, -12))
"""Two letters at a time: an id is made for every token."""


class Proof(StrEnum):
    """What an id says of itself."""

    AUTHENTIC = "authentic"
    """Minted with one of our keys, for this account."""
    FORGED = "forged"
    """Of the right shape, but made without any of our keys, or for another account."""
    MALFORMED = "malformed"
    """Of another shape: not an id of ours at all."""


@dataclass(frozen=True, slots=True)
class JtiKeys:
    """The keys of the proof: the first mints, all verify. Each is at least 32 bytes.

    Raises:
        ValueError: there is no key, or one is too short.
    """

    keys: tuple[bytes, ...] = field(repr=False)

    def __post_init__(self) -> None:
        if not self.keys:
            raise ValueError("no jti key: at least one is needed to mint and verify token ids")
        if any(len(key) < MIN_KEY_BYTES for key in self.keys):
            raise ValueError(f"a jti key is shorter than {MIN_KEY_BYTES} bytes")


def mint(keys: JtiKeys, *, account: Account, now_ms: int, nonce: int) -> Jti:
    """The id of one token.

    Args:
        keys: the first of them makes the proof.
        account: the authenticated account; empty for the anonymous one.
        now_ms: milliseconds since the epoch, below 2**42 (the year 2109).
        nonce: 50 random bits, drawn by the caller.

    Raises:
        ValueError: time or nonce is out of its range.
    """
    if not 0 <= now_ms < 1 << TIME_BITS:
        raise ValueError(f"time of a token id out of range: {now_ms} ms")
    if not 0 <= nonce < 1 << NONCE_BITS:
        raise ValueError("nonce of a token id out of range")
    proof = _proof(keys.keys[0], now_ms, nonce, account)
    number = (now_ms << NONCE_BITS | nonce) << PROOF_BITS | proof
    return Jti("".join([_PAIRS[number >> shift & 4095] for shift in _SHIFTS]))


def verify(keys: JtiKeys, *, unverified_jti: str, account: Account) -> Proof:
    """Whether an id was minted with one of our keys, for this account."""
    if not has_shape(unverified_jti):
        return Proof.MALFORMED
    number = int.from_bytes(pack(unverified_jti))
    claimed = (number & (1 << PROOF_BITS) - 1).to_bytes(8)
    nonce = number >> PROOF_BITS & (1 << NONCE_BITS) - 1
    minted_ms = number >> PROOF_BITS + NONCE_BITS
    # Every key is tried, so that the time taken does not tell which one fits.
    proofs = [_proof(key, minted_ms, nonce, account).to_bytes(8) for key in keys.keys]
    fits = [hmac.compare_digest(claimed, proof) for proof in proofs]
    return Proof.AUTHENTIC if any(fits) else Proof.FORGED


def has_shape(text: str) -> bool:
    """Whether a text looks like a token id, whoever made it."""
    return _SHAPE.fullmatch(text) is not None


def minted_at_ms(jti: Jti) -> int:
    """When the id says it was minted, in milliseconds since the epoch.

    Raises:
        ValueError: the text has not the shape of an id.
    """
    if not has_shape(jti):
        raise ValueError("not of the shape of a token id")
    return int.from_bytes(pack(jti)) >> PROOF_BITS + NONCE_BITS


def pack(jti: str) -> bytes:
    """The 156 bits of what has the shape of an id, most significant first, in twenty bytes."""
    # Base64 in another alphabet, with two letters of zeroes before: 168 bits, of which the first byte is none of ours.
    return binascii.a2b_base64(b"AA" + jti.encode().translate(_THEIRS))[1:]


def unpack(packed: bytes) -> str:
    """The text of twenty bytes."""
    return binascii.b2a_base64(b"\x00" + packed, newline=False)[-LENGTH:].translate(_OURS).decode()


def _proof(key: bytes, minted_ms: int, nonce: int, account: Account) -> int:
    # Fixed widths before the one free field: no two inputs share an encoding.
    message = VERSION + minted_ms.to_bytes(6) + nonce.to_bytes(7) + account.encode("utf-8", "surrogatepass")
    proof = _keyed(key).copy()
    proof.update(message)
    return int.from_bytes(proof.digest()[:8])


@lru_cache(maxsize=64)
def _keyed(key: bytes) -> hmac.HMAC:
    """HMAC with its key taken in: half of what a proof costs."""
    return hmac.new(key, digestmod=hashlib.sha256)
