"""Receipts: the proof that one record is in the log, as a file that stands alone, and what it proves. Pure.

Source: C2SP tlog-proof. Its ``extra`` is the record's entry, the very bytes that the leaf hashes. Personal values stand in the
entry as commitments; who is to check them gets values and salts in a second file, so that the receipt itself tells of nobody.
"""

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from wharfinger.ledger.checkpoint import (
    MAX_PROOF,
    SignedCheckpoint,
    encode_hash,
    parse_hash,
    parse_number,
    parse_signed,
)
from wharfinger.ledger.merkle import leaf_hash
from wharfinger.ledger.note import KeyType, MalformedNote, Verdict, VerifierKey, cosigned_at, decode_base64, verify
from wharfinger.ledger.record import PERSONAL_FIELDS, SALT_BYTES, AuditRecord, commitment, salt
from wharfinger.ledger.tiles import verify_inclusion

HEADER: Final = "c2sp.org/tlog-proof@v1"
SUFFIX: Final = ".tlog-proof"
DISCLOSED_SUFFIX: Final = ".disclosed.json"
MAX_RECEIPT: Final = 8 << 20


@dataclass(frozen=True, slots=True)
class Receipt:
    """A record's entry, its index in the log, and the proof that the checkpoint's tree has it there."""

    entry: bytes
    index: int
    proof: tuple[bytes, ...]
    signed: SignedCheckpoint

    def to_bytes(self) -> bytes:
        """The file."""
        extra = base64.b64encode(self.entry).decode()
        lines = [HEADER, f"extra {extra}", f"index {self.index}", *map(encode_hash, self.proof), "", ""]
        return "\n".join(lines).encode() + self.signed.note.to_bytes()


@dataclass(frozen=True, slots=True)
class Proved:
    """What a receipt proves: the record's public fields, and which witnesses saw the checkpoint, when (seconds)."""

    record: Mapping[str, Any]
    origin: str
    size: int
    cosigned: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class NotProved:
    """Why a receipt proves nothing."""

    why: str


def parse_receipt(data: bytes) -> Receipt:
    """Read a receipt. Raises MalformedNote, also for one without the entry: it would not stand alone."""
    if len(data) > MAX_RECEIPT:
        raise MalformedNote(f"a receipt is not larger than {MAX_RECEIPT} bytes")
    head, blank, checkpoint = data.partition(b"\n\n")
    try:
        lines = head.decode("ascii").split("\n")
    except UnicodeDecodeError:
        raise MalformedNote("a receipt's head is ASCII") from None
    if not blank or lines[0] != HEADER:
        raise MalformedNote(f"a receipt begins with {HEADER}")
    if len(lines) < len(("header", "extra", "index")):
        raise MalformedNote("a receipt has the lines extra and index")
    entry = decode_base64(_value("extra", lines[1]))
    index = parse_number(_value("index", lines[2]))
    proof = tuple(parse_hash(line) for line in lines[3:])
    if len(proof) > MAX_PROOF:
        raise MalformedNote(f"a proof has at most {MAX_PROOF} hashes")
    return Receipt(entry, index, proof, parse_signed(checkpoint))


def _value(name: str, line: str) -> str:
    found, space, value = line.partition(" ")
    if found != name or not space or not value:
        raise MalformedNote(f"a receipt's line of {name} is missing")
    return value


def check_receipt(receipt: Receipt, keys: Sequence[VerifierKey]) -> Proved | NotProved:
    """Verify a receipt, with nothing else at hand.

    Args:
        receipt: as parsed.
        keys: whose signatures it must bear, all of them; one at least is a log's.
    """
    signed = receipt.signed
    checkpoint = signed.checkpoint
    for key in keys:
        match verify(signed.note, key):
            case Verdict.WRONG:
                return NotProved(f"the signature of {key.name} is wrong")
            case Verdict.ABSENT:
                return NotProved(f"{key.name} (key {key.key_id.hex()}) has not signed the checkpoint")
            case Verdict.VALID:
                continue
    if not any(key.type is KeyType.ED25519 and key.name == checkpoint.origin for key in keys):
        return NotProved(f"no key of the log {checkpoint.origin} was given: a witness alone proves no record")
    if not verify_inclusion(leaf_hash(receipt.entry), receipt.index, checkpoint.size, receipt.proof, checkpoint.root):
        return NotProved("the entry is not what the checkpoint's tree has at this index: entry, index or proof was changed")
    record = read_entry(receipt.entry)
    if record is None or record.get("seq") != receipt.index:
        return NotProved("the entry is in the log, but is no record of ours with this number")
    cosigned = {key.name: time for key in keys if (time := cosigned_at(signed.note, key)) is not None}
    return Proved(record, checkpoint.origin, checkpoint.size, cosigned)


def read_entry(entry: bytes) -> dict[str, Any] | None:
    """An entry's fields; None when it is no JSON object."""
    try:
        fields = json.loads(entry)
    except (ValueError, RecursionError):
        return None
    return fields if isinstance(fields, dict) else None


def disclose(record: AuditRecord, secret: bytes, *, seq: int, names: Sequence[str]) -> bytes:
    """The second file: the clear values of personal fields with their salts, JSON. A field's salt tells of no other field."""
    said = {name: str(getattr(record.personal, name)) for name in names}
    personal = {
        name: {"value": value, "salt": salt(secret, name).hex(), "sha256": commitment(salt(secret, name), name, value)}
        for name, value in said.items()
        if value
    }
    return json.dumps({"seq": seq, "personal": personal}, ensure_ascii=False, indent=2).encode() + b"\n"


def check_disclosed(data: bytes, record: Mapping[str, Any]) -> dict[str, str] | NotProved:
    """The clear values of a second file, each held to the commitment in the proved entry. Raises MalformedNote."""
    try:
        told = json.loads(data)
        personal = {str(name): (str(one["value"]), bytes.fromhex(one["salt"])) for name, one in told["personal"].items()}
        seq = told["seq"]
        # JSON can spell halves of characters, which no value of ours has.
        "".join(value for value, _ in personal.values()).encode()
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError):
        raise MalformedNote("not a file of disclosed values") from None
    if seq != record["seq"]:
        return NotProved(f"the disclosed values are of record {seq}, the receipt is of record {record['seq']}")
    committed = record.get("personal")
    for name, (value, salted) in personal.items():
        if name not in PERSONAL_FIELDS or len(salted) != SALT_BYTES or not isinstance(committed, dict):
            return NotProved(f"the record does not commit to {name}")
        if commitment(salted, name, value) != committed.get(name):
            return NotProved(f"the disclosed {name} is not what the record commits to")
    return {name: value for name, (value, _) in personal.items()}
