"""Verifying by code that is not ours: pymerkle for the tree, cryptography for Ed25519, the formats read as their pages say.

Nothing of Wharfinger is imported here, so that no fault of ours can vouch for itself. A test holds this file to that.
"""

import base64
import hashlib
import json
from dataclasses import dataclass
from typing import Any

import pymerkle
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


@dataclass(frozen=True)
class Signed:
    """A checkpoint, once its signature was verified."""

    origin: str
    size: int
    root: bytes
    text: str
    lines: list[str]


def open_checkpoint(note: str, vkey: str) -> Signed:
    """Verify the signature of one log's key with a plain Ed25519 call. Raises when it is wrong or not there."""
    text, signatures = note.rsplit("\n\n", 1)
    text += "\n"
    name, key_id, encoded = vkey.split("+", 2)
    public = base64.b64decode(encoded)
    assert public[0] == 1
    assert hashlib.sha256(name.encode() + b"\n" + public).hexdigest()[:8] == key_id
    lines = signatures.splitlines()
    blobs = [base64.b64decode(line.split(" ")[2]) for line in lines if line.split(" ")[1] == name]
    (blob,) = [blob for blob in blobs if blob[:4].hex() == key_id]
    Ed25519PublicKey.from_public_bytes(public[1:]).verify(blob[4:], text.encode())
    origin, size, root = text.splitlines()
    assert origin == name
    return Signed(origin, int(size), base64.b64decode(root), text, lines)


def open_cosignature(signed: Signed, vkey: str) -> int:
    """Verify a witness's cosignature with a plain Ed25519 call; its time. Raises when it is wrong or not there."""
    name, key_id, encoded = vkey.split("+", 2)
    public = base64.b64decode(encoded)
    assert public[0] == 4
    (blob,) = [base64.b64decode(line.split(" ")[2]) for line in signed.lines if line.split(" ")[1] == name]
    assert blob[:4].hex() == key_id
    time_s = int.from_bytes(blob[4:12], "big")
    message = f"cosignature/v1\ntime {time_s}\n{signed.text}".encode()
    Ed25519PublicKey.from_public_bytes(public[1:]).verify(blob[12:], message)
    return time_s


def open_receipt(receipt: str, vkey: str) -> tuple[dict[str, Any], Signed]:
    """Verify a receipt with pymerkle; the record and the checkpoint. Raises pymerkle.InvalidProof."""
    head, note = receipt.split("\n\n", 1)
    first, extra, index, *proof = head.split("\n")
    assert first == "c2sp.org/tlog-proof@v1"
    entry = base64.b64decode(extra.removeprefix("extra "))
    at = int(index.removeprefix("index ")) + 1  # pymerkle counts from one
    signed = open_checkpoint(note, vkey)
    hashes = [base64.b64decode(one) for one in proof]
    leaf = pymerkle.InmemoryTree(algorithm="sha256").hash_buff(entry)
    proof_of_theirs(at, signed.size, leaf, hashes).verify(leaf, signed.root, index=at, size=signed.size, algorithm="sha256")
    return json.loads(entry), signed


def proof_of_theirs(at: int, size: int, leaf: bytes, hashes: list[bytes]) -> pymerkle.InclusionProof:
    """An RFC 6962 audit path as pymerkle has it: the leaf first, and for each step whether it is taken from the left or right.

    Written from RFC 6962 section 2.1.1; pymerkle refuses it when its own computation gives other sides.
    """
    sides: list[int] = []
    bit, start, end = 0, 0, size
    while end - start > 1:
        middle = start + (1 << ((end - start - 1).bit_length() - 1))
        sides.append(bit)
        bit, start, end = (0, start, middle) if at - 1 < middle else (1, middle, end)
    return pymerkle.InclusionProof("sha256", True, size, at, [bit, *reversed(sides)], [leaf, *hashes])


def tree_of(entries: list[bytes]) -> pymerkle.InmemoryTree:
    """The whole tree, by pymerkle."""
    tree = pymerkle.InmemoryTree(algorithm="sha256")
    tree.append_entries(entries)
    return tree
