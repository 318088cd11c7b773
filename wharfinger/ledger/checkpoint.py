"""Checkpoints: the log's size and root as the text of a signed note, and what may be signed. Pure.

Source: C2SP tlog-checkpoint, without extension lines; C2SP tlog-witness for what a witness is asked.
"""

import base64
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from wharfinger.ledger.merkle import HASH_BYTES
from wharfinger.ledger.note import MalformedNote, Note, Signer, VerifierKey, decode_base64, parse_note, require_name

MAX_SIZE: Final = (1 << 63) - 1
RESTORE: Final = "restore log.key from a backup, or name the key that signed it in ledger.former_vkeys (docs/audit.md)"
MAX_PROOF: Final = 63
"""Hashes of a proof: no tree of MAX_SIZE leaves has more."""
_NUMBER: Final = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)
_LINES: Final = 3


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A log's size and root hash, under the name of the log."""

    origin: str
    size: int
    root: bytes

    def to_text(self) -> str:
        """The note's text."""
        return f"{self.origin}\n{self.size}\n{encode_hash(self.root)}\n"


@dataclass(frozen=True, slots=True)
class SignedCheckpoint:
    """A checkpoint with the note that says it."""

    checkpoint: Checkpoint
    note: Note


def sign(checkpoint: Checkpoint, signer: Signer) -> SignedCheckpoint:
    """Sign a checkpoint; the log's key bears the log's name."""
    text = checkpoint.to_text()
    return SignedCheckpoint(checkpoint, Note(text, (signer.sign(text),)))


def parse_checkpoint(text: str) -> Checkpoint:
    """Read a note's text. Raises MalformedNote, also for extension lines: we write none, and nobody could audit them."""
    lines = text.split("\n")
    if len(lines) != _LINES + 1 or lines[-1]:
        raise MalformedNote("a checkpoint is three lines: origin, size, root")
    origin, size, root = lines[:-1]
    require_name(origin)
    return Checkpoint(origin, parse_number(size), parse_hash(root))


def parse_signed(data: bytes) -> SignedCheckpoint:
    """Read a signed checkpoint. Raises MalformedNote. Verifies nothing."""
    note = parse_note(data)
    return SignedCheckpoint(parse_checkpoint(note.text), note)


def parse_kept(data: bytes) -> tuple[SignedCheckpoint, ...]:
    """Read a file of checkpoints, one after the other; empty lines between them. Raises MalformedNote."""
    return tuple(parse_signed(one) for one in _notes(data))


def _notes(data: bytes) -> Iterator[bytes]:
    """Each note of a file: a text, an empty line, and lines that begin with the mark of a signature."""
    held: list[bytes] = []
    signed = False
    for line in data.splitlines(keepends=True):
        is_signature = line.startswith("— ".encode())
        if signed and not is_signature:
            yield b"".join(held)
            held, signed = [], False
        signed = is_signature
        if held or line != b"\n":
            held.append(line)
    if held:
        yield b"".join(held)


def parse_number(text: str) -> int:
    """A decimal without leading zeroes. Raises MalformedNote."""
    if _NUMBER.fullmatch(text) is None or int(text) > MAX_SIZE:
        raise MalformedNote("not a decimal number without leading zeroes")
    return int(text)


def encode_hash(hashed: bytes) -> str:
    """A hash as these formats write it."""
    return base64.b64encode(hashed).decode()


def parse_hash(text: str) -> bytes:
    """A hash in base64. Raises MalformedNote."""
    hashed = decode_base64(text)
    if len(hashed) != HASH_BYTES:
        raise MalformedNote(f"a hash is {HASH_BYTES} bytes")
    return hashed


@dataclass(frozen=True, slots=True)
class Sign:
    """There is news, and it may be signed."""


@dataclass(frozen=True, slots=True)
class Nothing:
    """No news, or the newest checkpoint is too recent for another."""


@dataclass(frozen=True, slots=True)
class Refuse:
    """Signing would vouch for a log that is not the one signed before. ``about``: the same for the same problem."""

    problem: str
    about: str


@dataclass(frozen=True, slots=True)
class Head:
    """The log's size, with its root by the frontier and by the tiles; None where they are torn."""

    size: int
    frontier_root: bytes | None
    tiles_root: bytes | None


@dataclass(frozen=True, slots=True)
class Latest:
    """The newest checkpoint there is: by whom it is signed (None: nobody whom we know), and what the tiles give at its size."""

    checkpoint: Checkpoint
    signed_by: VerifierKey | None
    tiles_root: bytes | None


def recent(then_ms: int | None, *, now_ms: int, within_ms: int) -> bool:
    """Whether something was so shortly ago. A clock that was set back makes nothing recent: it must not silence the log."""
    return then_ms is not None and 0 <= now_ms - then_ms < within_ms


def next_step(head: Head, latest: Latest | None) -> Sign | Nothing | Refuse:
    """Whether to sign the log as it is now.

    C2SP tlog-checkpoint: a log must not sign what is inconsistent with what it signed before. So what was changed behind the
    log's back is never vouched for by the next checkpoint.
    """
    signed = 0 if latest is None else latest.checkpoint.size
    if latest is not None:
        newest = latest.checkpoint
        if latest.signed_by is None:
            return Refuse(
                f"the checkpoint of {newest.size} records of {newest.origin} is signed by none of our keys: {RESTORE}",
                about=f"unknown_key/{newest.size}",
            )
        if head.size < newest.size:
            problem = f"the log has {head.size} records, and had {newest.size} when it was last signed: {_VERIFY}"
            return Refuse(problem, about=f"shorter/{newest.size}")
        if latest.tiles_root != newest.root:
            problem = f"the log's first {newest.size} records are not those that were signed: {_VERIFY}"
            return Refuse(problem, about=f"rewritten/{newest.size}")
    if head.frontier_root is None or head.frontier_root != head.tiles_root:
        return Refuse(f"the log's frontier and tiles are not of one tree: {_VERIFY}", about=f"torn/{signed}")
    return Sign() if head.size > signed else Nothing()


_VERIFY: Final = "not signed, run `wharfinger audit verify`"


def add_checkpoint_request(old: int, proof: Sequence[bytes], signed: SignedCheckpoint) -> bytes:
    """The body of ``add-checkpoint``: what a witness is asked to cosign, and the proof from the last size it signed."""
    lines = [f"old {old}", *map(encode_hash, proof), "", ""]
    return "\n".join(lines).encode() + signed.note.to_bytes()
