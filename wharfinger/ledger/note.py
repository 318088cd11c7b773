"""Signed notes, and the Ed25519 keys that sign and verify them. Pure: bytes in, values out; times come in as arguments.

Sources: C2SP signed-note for the format and keys of type 1; C2SP tlog-cosignature for what witnesses sign (type 4). Strict:
what parses is written back byte for byte, and what does not raises MalformedNote and nothing else.
"""

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass
from enum import Enum, IntEnum
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

MAX_NOTE: Final = 1 << 20
MAX_SIGNATURES: Final = 64
"""C2SP asks for 16 at least; more would only make us verify for somebody's pleasure."""
KEY_ID_BYTES: Final = 4
PUBLIC_BYTES: Final = 32
SIGNATURE_BYTES: Final = 64
TIME_BYTES: Final = 8
MAX_TIME: Final = (1 << 63) - 1
_MARK: Final = "— "
_CONTROL: Final = re.compile(r"[\x00-\x09\x0b-\x1f]")
_KEY_ID: Final = re.compile(r"[0-9a-f]{8}", re.ASCII)


class MalformedNote(ValueError):  # noqa: N818 - named for what it reports
    """What came is no note, key, checkpoint or receipt."""


class KeyType(IntEnum):
    """What a key signs: its byte in key ids and verifier keys."""

    ED25519 = 0x01
    """A note's text: a log's key."""
    COSIGNATURE = 0x04
    """A checkpoint as a witness saw it, with the time."""


class Verdict(Enum):
    """What a note's signatures say of a key."""

    VALID = "valid"
    ABSENT = "absent"
    WRONG = "wrong"
    """A signature of this key's name and id does not verify: the whole note is to be rejected."""


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature line. ``blob``: what follows the key id."""

    name: str
    key_id: bytes
    blob: bytes

    def line(self) -> str:
        """The line, with its newline."""
        return f"{_MARK}{self.name} {base64.b64encode(self.key_id + self.blob).decode()}\n"


@dataclass(frozen=True, slots=True)
class Note:
    """A text that ends in a newline, and the signatures under it."""

    text: str
    signatures: tuple[Signature, ...]

    def to_bytes(self) -> bytes:
        """The note as it is kept and sent."""
        return (self.text + "\n" + "".join(one.line() for one in self.signatures)).encode()


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A public key with the name it signs under."""

    name: str
    type: KeyType
    public: bytes

    @property
    def key_id(self) -> bytes:
        """The first bytes of SHA-256(name ‖ newline ‖ type ‖ public key)."""
        content = self.name.encode() + b"\n" + bytes([self.type]) + self.public
        return hashlib.sha256(content).digest()[:KEY_ID_BYTES]

    def __str__(self) -> str:
        """The key as people exchange it: ``name+id+key``."""
        return f"{self.name}+{self.key_id.hex()}+{base64.b64encode(bytes([self.type]) + self.public).decode()}"


def parse_note(data: bytes) -> Note:
    """Read a note. Raises MalformedNote."""
    if len(data) > MAX_NOTE:
        raise MalformedNote(f"a note is not larger than {MAX_NOTE} bytes")
    try:
        whole = data.decode("utf-8")
    except UnicodeDecodeError:
        raise MalformedNote("a note is UTF-8") from None
    if _CONTROL.search(whole):
        raise MalformedNote("a note has no control characters but newlines")
    text, blank, rest = whole.rpartition("\n\n")
    if not blank:
        raise MalformedNote("a note has an empty line before its signatures")
    return Note(text + "\n", parse_signatures(rest))


def parse_signatures(text: str) -> tuple[Signature, ...]:
    """Read signature lines, one or more. Raises MalformedNote."""
    *lines, end = text.split("\n")
    if end or not 0 < len(lines) <= MAX_SIGNATURES:
        raise MalformedNote(f"a note has 1 to {MAX_SIGNATURES} signature lines, each with a newline")
    return tuple(_signature(line) for line in lines)


def _signature(line: str) -> Signature:
    name, space, encoded = line.removeprefix(_MARK).partition(" ")
    if not line.startswith(_MARK) or not space:
        raise MalformedNote("a signature line is: em dash, name, signature, with single spaces")
    require_name(name)
    blob = decode_base64(encoded)
    if len(blob) <= KEY_ID_BYTES:
        raise MalformedNote("a signature is longer than its key id")
    return Signature(name, blob[:KEY_ID_BYTES], blob[KEY_ID_BYTES:])


def parse_vkey(text: str) -> VerifierKey:
    """Read a verifier key. Raises MalformedNote."""
    name, plus, rest = text.partition("+")
    key_id, second, encoded = rest.partition("+")
    if not plus or not second or _KEY_ID.fullmatch(key_id) is None:
        raise MalformedNote("a verifier key is NAME+KEYID+KEY, the id in eight hex digits")
    require_name(name)
    content = decode_base64(encoded)
    if content[:1] not in {bytes([one]) for one in KeyType} or len(content) != 1 + PUBLIC_BYTES:
        raise MalformedNote("a verifier key holds an Ed25519 key, of a log (type 1) or a witness (type 4)")
    key = VerifierKey(name, KeyType(content[0]), content[1:])
    if key.key_id.hex() != key_id:
        raise MalformedNote("the verifier key's id is not that of its name and key")
    return key


def require_name(name: str) -> None:
    """Raise MalformedNote for what no key may be called."""
    if not name or "+" in name or any(letter.isspace() for letter in name) or _CONTROL.search(name):
        raise MalformedNote("a key's name is not empty, and has neither spaces nor a plus")
    try:
        name.encode()
    except UnicodeEncodeError:
        raise MalformedNote("a key's name is Unicode text") from None


def decode_base64(text: str) -> bytes:
    """Standard base64 in its one canonical form. Raises MalformedNote."""
    try:
        decoded = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise MalformedNote("not base64") from None
    # Python takes other spellings of the last letter too.
    if base64.b64encode(decoded).decode() != text:
        raise MalformedNote("not canonical base64")
    return decoded


@dataclass(frozen=True, slots=True)
class Signer:
    """A private key with its name. Prints nothing of the key."""

    verifier: VerifierKey
    _private: Ed25519PrivateKey

    def __repr__(self) -> str:
        return f"Signer({self.verifier})"

    def sign(self, text: str) -> Signature:
        """Sign a note's text, as a log does."""
        return Signature(self.verifier.name, self.verifier.key_id, self._private.sign(text.encode()))

    def cosign(self, text: str, *, time_s: int) -> Signature:
        """Sign a checkpoint's text as seen at a time, as a witness does."""
        signed = self._private.sign(_cosigned(text, time_s))
        return Signature(self.verifier.name, self.verifier.key_id, time_s.to_bytes(TIME_BYTES) + signed)


def signer(name: str, private: Ed25519PrivateKey, type_: KeyType = KeyType.ED25519) -> Signer:
    """A signer. Raises MalformedNote for a name that no key may have."""
    require_name(name)
    return Signer(VerifierKey(name, type_, private.public_key().public_bytes_raw()), private)


def verify(note: Note, key: VerifierKey) -> Verdict:
    """What a note's signatures say of a key. Signatures of other keys count for nothing, also of the same name or id."""
    ours = _signatures_of(note, key)
    if not ours:
        return Verdict.ABSENT
    return Verdict.VALID if all(_verifies(note.text, one, key) for one in ours) else Verdict.WRONG


def cosigned_at(note: Note, key: VerifierKey) -> int | None:
    """When a witness saw a checkpoint, in seconds since the epoch, by its own clock; None when it did not cosign."""
    if key.type is not KeyType.COSIGNATURE or verify(note, key) is not Verdict.VALID:
        return None
    return max(int.from_bytes(one.blob[:TIME_BYTES]) for one in _signatures_of(note, key))


def _signatures_of(note: Note, key: VerifierKey) -> list[Signature]:
    return [one for one in note.signatures if (one.name, one.key_id) == (key.name, key.key_id)]


def _verifies(text: str, signature: Signature, key: VerifierKey) -> bool:
    blob, signed = signature.blob, text.encode()
    if key.type is KeyType.COSIGNATURE:
        time_s = int.from_bytes(blob[:TIME_BYTES])
        if len(blob) != TIME_BYTES + SIGNATURE_BYTES or time_s > MAX_TIME:
            return False
        blob, signed = blob[TIME_BYTES:], _cosigned(text, time_s)
    try:
        Ed25519PublicKey.from_public_bytes(key.public).verify(blob, signed)
    except InvalidSignature:
        return False
    return True


def _cosigned(text: str, time_s: int) -> bytes:
    return f"cosignature/v1\ntime {time_s}\n{text}".encode()
