"""The Merkle tree of RFC 6962 as an append-only frontier: hashes in, hashes out. Stores nothing.

The frontier holds the roots of the perfect subtrees that make up the tree, largest first: one for each bit set in its size.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Self

HASH_BYTES: Final = 32
EMPTY_ROOT: Final = hashlib.sha256(b"").digest()
"""RFC 6962 section 2.1: the hash of an empty list."""


def leaf_hash(entry: bytes) -> bytes:
    """SHA-256(0x00 ‖ entry), RFC 6962 section 2.1."""
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256(0x01 ‖ left ‖ right), RFC 6962 section 2.1."""
    return hashlib.sha256(b"\x01" + left + right).digest()


@dataclass(frozen=True, slots=True)
class Frontier:
    """A tree of ``size`` leaves, by the roots of its perfect subtrees."""

    size: int = 0
    roots: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        if self.size < 0 or len(self.roots) != self.size.bit_count() or any(len(root) != HASH_BYTES for root in self.roots):
            raise ValueError(f"a tree of {self.size} leaves has {self.size.bit_count()} subtrees of 32-byte roots")

    def append(self, leaves: Iterable[bytes]) -> Self:
        """The tree with more leaf hashes at its end."""
        roots, size = list(self.roots), self.size
        for leaf in leaves:
            node, rest = leaf, size
            while rest & 1:
                node, rest = node_hash(roots.pop(), node), rest >> 1
            roots.append(node)
            size += 1
        return type(self)(size, tuple(roots))

    def root(self) -> bytes:
        """The tree's root hash."""
        if not self.roots:
            return EMPTY_ROOT
        *larger, node = self.roots
        for root in reversed(larger):
            node = node_hash(root, node)
        return node

    def to_bytes(self) -> bytes:
        """The roots, joined."""
        return b"".join(self.roots)

    @classmethod
    def from_bytes(cls, size: int, data: bytes) -> Self:
        """Read a stored frontier. Raises ValueError when it does not fit the size."""
        return cls(size, tuple(data[at : at + HASH_BYTES] for at in range(0, len(data), HASH_BYTES)))
