"""One tile of leaves held to its records, and to the hash that its parent has: which of the two was changed. Writes nothing.

Row and tile cannot tell by themselves which of them is right. What lies above can: the parent's hash, or for the last tile the
frontier, was made of the true leaves.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from wharfinger.ledger.merkle import HASH_BYTES, Frontier
from wharfinger.ledger.record import Personal
from wharfinger.ledger.tiles import WIDTH, split, tile_path, tile_root
from wharfinger.ledger.verification.batches import Records
from wharfinger.ledger.verification.findings import Findings, What
from wharfinger.ledger.verification.rebuilding import Rebuilt

MAX_SUSPECTS: Final = 64
"""Changed rows that are tried in each other's places."""
_NO_HASH: Final = bytes(HASH_BYTES)

IsTrue = Callable[[list[bytes]], bool]
"""Whether what lies above was made of these leaves."""


@dataclass(frozen=True, slots=True)
class Suspect:
    """A row that does not give its leaf, and the leaf."""

    rebuilt: Rebuilt
    leaf: bytes


@dataclass(slots=True)
class Suspects:
    """Changed rows, until it is known whether they are others' rows."""

    found: list[Suspect] = field(default_factory=list)
    leaves: dict[int, bytes] = field(default_factory=dict)

    def tell(self, findings: Findings) -> None:
        """Tell of each: reordered when it is another record's, else changed."""
        for one in self.found:
            others = (seq for seq, leaf in self.leaves.items() if seq != one.rebuilt.seq and one.rebuilt.leaf_as(seq) == leaf)
            other = next(others, None)
            if other is None:
                findings.add(What.CHANGED, _changed(one.rebuilt, one.leaf), one.rebuilt.seq)
            else:
                findings.add(What.REORDERED, f"its row is that of record {other}", one.rebuilt.seq)


@dataclass(frozen=True, slots=True)
class TileOfLeaves:
    """A tile's hashes as stored, and the records whose leaves they are. ``width``: how many it has to have."""

    number: int
    stored: bytes
    width: int

    @property
    def start(self) -> int:
        """The number of its first record."""
        return self.number * WIDTH

    def true_leaves(
        self, records: Records, removed: frozenset[int], is_true: IsTrue, findings: Findings, suspects: Suspects
    ) -> list[bytes]:
        """The leaves as they were written, as well as can be told; what differs from them is told of."""
        numbers = range(self.start, self.start + self.width)
        stored = [one if len(one) == HASH_BYTES else None for one in split(self.stored[: self.width * HASH_BYTES])]
        stored += [None] * (self.width - len(stored))
        # Of a record that was pruned, the hash is all there is.
        gone = removed.difference(records)
        rebuilt = [
            theirs if seq in gone else one.leaf if isinstance(one := records.get(seq), Rebuilt) else None
            for seq, theirs in zip(numbers, stored, strict=True)
        ]
        if None not in rebuilt and rebuilt == stored:
            return [leaf for leaf in rebuilt if leaf is not None]
        if (leaves := _whole(rebuilt)) is not None and is_true(leaves):
            self._tell_tile(rebuilt, stored, findings)
            return leaves
        sure = (leaves := _whole(stored)) is not None and is_true(leaves)
        for seq, ours, theirs in zip(numbers, rebuilt, stored, strict=True):
            if ours != theirs or ours is None:
                _tell_row(seq, records.get(seq), theirs if sure else None, findings, suspects)
        # Neither is what was written: the best guess goes on, and what lies above will not hold.
        return [(theirs if sure or ours is None else ours) or _NO_HASH for ours, theirs in zip(rebuilt, stored, strict=True)]

    def _tell_tile(self, rebuilt: list[bytes | None], stored: list[bytes | None], findings: Findings) -> None:
        path = tile_path(0, self.number)
        if not self.stored:
            findings.add(
                What.TILE, f"{path} is missing: the hashes of the records {self.start} to {self.start + self.width - 1}"
            )
            return
        for at, (ours, theirs) in enumerate(zip(rebuilt, stored, strict=True)):
            if ours != theirs:
                what = f"{path}: hash {at} is not that of record {self.start + at}, whose row is as it was written"
                findings.add(What.TILE, what)


def frontier_says(frontier: Frontier, width: int) -> IsTrue:
    """Whether the leaves of a last, partial tile are those of the log's frontier."""
    tail = frontier.roots[len(frontier.roots) - width.bit_count() :]
    return lambda leaves: Frontier().append(leaves).roots == tail


def parent_says(parent: bytes, number: int) -> IsTrue:
    """Whether the leaves of a full tile are those of the hash that its parent has."""
    at = number % WIDTH * HASH_BYTES
    expected = parent[at : at + HASH_BYTES]
    return lambda leaves: tile_root(leaves) == expected


def _tell_row(seq: int, row: Rebuilt | str | None, leaf: bytes | None, findings: Findings, suspects: Suspects) -> None:
    if leaf is not None and len(suspects.leaves) < MAX_SUSPECTS:
        suspects.leaves[seq] = leaf
    if row is None:
        findings.add(What.MISSING, "its row is gone", seq)
    elif isinstance(row, str):
        findings.add(What.CHANGED, row, seq)
    elif leaf is None:
        problem = "its row and its hash in the tiles differ, and neither is what the hashes above them were made of"
        findings.add(What.CHANGED, problem, seq)
    elif len(suspects.found) < MAX_SUSPECTS:
        suspects.found.append(Suspect(row, leaf))
    else:
        findings.add(What.CHANGED, _changed(row, leaf), seq)


def _changed(row: Rebuilt, leaf: bytes) -> str:
    hidden = "a commitment kept of erased values" if row.record.personal == Personal() else "a personal value or its salt"
    return f"its row does not give its leaf {leaf.hex()[:16]}…: a public field or {hidden} was changed, which cannot be told"


def _whole(leaves: list[bytes | None]) -> list[bytes] | None:
    found = [leaf for leaf in leaves if leaf is not None]
    return found if len(found) == len(leaves) else None
