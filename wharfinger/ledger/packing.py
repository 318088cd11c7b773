"""Texts as the bytes rows hold, and back again, exactly: a leaf is rebuilt from its row, so nothing may change. Pure.

The first byte says the form; what fits none is kept as it is written.
"""

import re
import uuid
from typing import Final

from wharfinger.wire.jti import ALPHABET, LENGTH, has_shape

_TEXT: Final = b"\x00"
_SHA256: Final = b"\x01"
_SHA512: Final = b"\x02"
_UUID: Final = b"\x03"
_HEX: Final = {"sha256": (_SHA256, 64), "sha512": (_SHA512, 128)}
_LOWER_HEX: Final = re.compile(r"[0-9a-f]+", re.ASCII)
_UUID_SHAPE: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
_JTI_BYTES: Final = 20
_VALUE: Final = {letter: value for value, letter in enumerate(ALPHABET)}


def pack_digest(digest: str) -> bytes | None:
    """A content digest; None for the empty one."""
    algorithm, _, encoded = digest.partition(":")
    form, length = _HEX.get(algorithm, (_TEXT, 0))
    if form != _TEXT and len(encoded) == length and _LOWER_HEX.fullmatch(encoded):
        return form + bytes.fromhex(encoded)
    return _TEXT + digest.encode() if digest else None


def unpack_digest(packed: bytes | None) -> str:
    """The digest's text."""
    if not packed:
        return ""
    for algorithm, (form, _) in _HEX.items():
        if packed.startswith(form):
            return f"{algorithm}:{packed[1:].hex()}"
    return packed[1:].decode()


def pack_id(text: str) -> bytes | None:
    """An id of an event, a request, an instance: most are UUIDs."""
    if _UUID_SHAPE.fullmatch(text):
        return _UUID + uuid.UUID(text).bytes
    if text.startswith("sha256:"):
        return pack_digest(text)
    return _TEXT + text.encode() if text else None


def unpack_id(packed: bytes | None) -> str:
    """The id's text."""
    if packed and packed.startswith(_UUID):
        return str(uuid.UUID(bytes=packed[1:]))
    return unpack_digest(packed)


def pack_hash(text: str) -> bytes | None:
    """A SHA-256 in hex."""
    return bytes.fromhex(text) if text else None


def unpack_hash(packed: bytes | None) -> str:
    """The hash in hex."""
    return "" if packed is None else packed.hex()


def pack_jti(jti: str) -> bytes | None:
    """A token id: 156 bits. Raises ValueError for what has not the shape."""
    if not jti:
        return None
    if not has_shape(jti):
        raise ValueError("not of the shape of a token id")
    number = 0
    for letter in jti:
        number = number << 6 | _VALUE[letter]
    return number.to_bytes(_JTI_BYTES)


def unpack_jti(packed: bytes | None) -> str:
    """The token id's text."""
    if packed is None:
        return ""
    number = int.from_bytes(packed)
    return "".join(ALPHABET[number >> shift & 63] for shift in range(6 * (LENGTH - 1), -1, -6))
