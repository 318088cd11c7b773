"""Texts as the bytes rows hold, and back again, exactly: a leaf is rebuilt from its row, so nothing may change. Pure.

The first byte says the form; what fits none is kept as it is written.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final

from wharfinger.wire.jti import has_shape, pack, unpack

_TEXT: Final = b"\x00"
_SHA256: Final = b"\x01"
_SHA512: Final = b"\x02"
_UUID: Final = b"\x03"
_HEX: Final = {"sha256": (_SHA256, 64), "sha512": (_SHA512, 128)}
MIN_PREFIX: Final = 7
"""Hex digits of a digest's beginning, as git has it; what begins like several names them all."""
_LOWER_HEX: Final = re.compile(r"[0-9a-f]+", re.ASCII)
_UUID_SHAPE: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
_MASK_BYTES: Final = 2
_HASH_BYTES: Final = 32


def pack_digest(digest: str) -> bytes | None:
    """A content digest; None for the empty one."""
    algorithm, _, encoded = digest.partition(":")
    form, length = _HEX.get(algorithm, (_TEXT, 0))
    if form != _TEXT and len(encoded) == length and _LOWER_HEX.fullmatch(encoded):
        return form + bytes.fromhex(encoded)
    return _TEXT + digest.encode() if digest else None


def pack_digest_range(digest: str) -> tuple[bytes, bytes] | None:
    """The first and the last content digest that begin so; None: too little is given of one, or it is none."""
    algorithm, _, encoded = digest.partition(":")
    form, length = _HEX.get(algorithm, (_TEXT, 0))
    if form == _TEXT or not MIN_PREFIX <= len(encoded) <= length or not _LOWER_HEX.fullmatch(encoded):
        return None
    return form + bytes.fromhex(encoded.ljust(length, "0")), form + bytes.fromhex(encoded.ljust(length, "f"))


def unpack_digest(packed: bytes | None) -> str:
    """The digest's text."""
    if not packed:
        return ""
    for algorithm, (form, _) in _HEX.items():
        if packed.startswith(form):
            return f"{algorithm}:{packed[1:].hex()}"
    return packed[1:].decode()


def pack_uuid(text: str) -> bytes | None:
    """The sixteen bytes of a UUID; None for what is not written like one."""
    return bytes.fromhex(text.replace("-", "")) if _UUID_SHAPE.fullmatch(text) else None


def pack_id(text: str) -> bytes | None:
    """An id of an event, a request, an instance: most are UUIDs."""
    if (packed := pack_uuid(text)) is not None:
        return _UUID + packed
    if text.startswith("sha256:"):
        return pack_digest(text)
    return _TEXT + text.encode() if text else None


def unpack_id(packed: bytes | None) -> str:
    """The id's text."""
    if packed and packed.startswith(_UUID):
        digits = packed[1:].hex()
        return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
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
    return pack(jti)


def unpack_jti(packed: bytes | None) -> str:
    """The token id's text."""
    return "" if packed is None else unpack(packed)


def pack_commitments(committed: Mapping[str, str], names: Sequence[str]) -> bytes:
    """Commitments as an erased record keeps them: two bytes that say which of the names are there, then their hashes."""
    there = [name for name in names if name in committed]
    mask = sum(1 << names.index(name) for name in there)
    return mask.to_bytes(_MASK_BYTES) + b"".join(bytes.fromhex(committed[name]) for name in there)


def unpack_commitments(packed: bytes, names: Sequence[str]) -> dict[str, str]:
    """The commitments by name. Raises ValueError: damaged, or of a newer version."""
    mask, hashes = int.from_bytes(packed[:_MASK_BYTES]), packed[_MASK_BYTES:]
    if mask >> len(names) or len(hashes) != mask.bit_count() * _HASH_BYTES:
        raise ValueError("the kept commitments are damaged, or of a newer version")
    there = [name for at, name in enumerate(names) if mask >> at & 1]
    return {name: hashes[at * _HASH_BYTES : (at + 1) * _HASH_BYTES].hex() for at, name in enumerate(there)}
