"""Tiles and the proofs from them: against the definition, and against pymerkle, which is not ours."""

import hashlib
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.outside import proof_of_theirs, tree_of
from tests.wharfinger.ledger.test_merkle import reference_root
from wharfinger.ledger.merkle import leaf_hash
from wharfinger.ledger.tiles import (
    Tile,
    consistency,
    extend,
    inclusion,
    root,
    tile_path,
    verify_consistency,
    verify_inclusion,
)

SIZES = [1, 2, 3, 4, 5, 7, 8, 255, 256, 257, 511, 512, 600]


class Kept:
    """Tiles in memory."""

    def __init__(self) -> None:
        self.tiles: dict[Tile, bytes] = {}
        self.size = 0

    def read(self, level: int, number: int) -> bytes:
        """A tile; empty when it is not there."""
        return self.tiles.get((level, number), b"")

    def grow(self, leaves: Sequence[bytes]) -> None:
        """Add leaves, as the sequencer does."""
        self.tiles |= extend(self.read, self.size, leaves)
        self.size += len(leaves)


def entries(size: int) -> list[bytes]:
    """As many entries."""
    return [b"entry %d" % number for number in range(size)]


def grown(size: int) -> Kept:
    """Tiles of a tree of that size."""
    kept = Kept()
    kept.grow([leaf_hash(entry) for entry in entries(size)])
    return kept


WHOLE = grown(600)
LEAVES = [leaf_hash(entry) for entry in entries(600)]
THEIRS = tree_of(entries(600))


@pytest.mark.parametrize(
    ("level", "number", "width", "path"),
    [
        (0, 0, 256, "tile/0/000"),
        (0, 1_234_067, 256, "tile/0/x001/x234/067"),
        (1, 999, 256, "tile/1/999"),
        (1, 1_000, 256, "tile/1/x001/000"),
        (0, 273, 112, "tile/0/273.p/112"),
        (2, 0, 1, "tile/2/000.p/1"),
    ],
)
def test_paths(level: int, number: int, width: int, path: str) -> None:
    """C2SP tlog-tiles, "Merkle Tree": three digits a step, all but the last with an x."""
    assert tile_path(level, number, width) == path


def test_the_specifications_example_of_a_layout() -> None:
    """A tree of 600 has two full tiles of leaves and a partial one, whose parent has two hashes."""
    widths = {tile: len(hashes) // 32 for tile, hashes in WHOLE.tiles.items()}
    assert widths == {(0, 0): 256, (0, 1): 256, (0, 2): 88, (1, 0): 2}


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(min_value=1, max_value=300), max_size=4))
def test_however_it_is_batched_the_tiles_are_the_same(batches: list[int]) -> None:
    """Growing step by step ends where growing at once does, and the root is the definition's."""
    kept, total = Kept(), 0
    for batch in batches:
        kept.grow([leaf_hash(b"%d" % number) for number in range(total, total + batch)])
        total += batch
    at_once = Kept()
    leaves = [leaf_hash(b"%d" % number) for number in range(total)]
    at_once.grow(leaves)
    assert kept.tiles == at_once.tiles
    assert root(kept.read, total) == reference_root(leaves)


@pytest.mark.parametrize("size", SIZES)
def test_roots_of_every_beginning(size: int) -> None:
    """The tiles of a grown log give the roots that it had when it was smaller; pymerkle says the same."""
    assert root(WHOLE.read, size) == reference_root(LEAVES[:size]) == THEIRS.get_root(size)


@pytest.mark.parametrize("size", SIZES)
def test_inclusion_proofs_are_verified_by_others(size: int) -> None:
    """Every leaf's path, verified by pymerkle and by us; with any hash changed, by neither."""
    expected = root(WHOLE.read, size)
    for index in {0, 1, size // 2, size - 2, size - 1} & set(range(size)):
        path = inclusion(WHOLE.read, index, size)
        theirs = proof_of_theirs(index + 1, size, LEAVES[index], path)
        theirs.verify(LEAVES[index], expected, index=index + 1, size=size, algorithm="sha256")
        assert theirs.path == THEIRS.prove_inclusion(index + 1, size).path
        assert verify_inclusion(LEAVES[index], index, size, path, expected)
        for at in range(len(path)):
            wrong = [*path[:at], hashlib.sha256(path[at]).digest(), *path[at + 1 :]]
            assert not verify_inclusion(LEAVES[index], index, size, wrong, expected)


@pytest.mark.parametrize("new", SIZES)
def test_consistency_proofs(new: int) -> None:
    """From every smaller size; another root, size or hash proves nothing. Our roots are consistent by pymerkle's proof too."""
    for old in [size for size in SIZES if size <= new]:
        proof = consistency(WHOLE.read, old, new)
        before, after = root(WHOLE.read, old), root(WHOLE.read, new)
        assert verify_consistency(old, new, proof, before, after)
        THEIRS.prove_consistency(old, new).verify(before, after, prior_size=old, later_size=new, algorithm="sha256")
        assert not verify_consistency(old, new, proof, hashlib.sha256(before).digest(), after)
        assert not verify_consistency(old, new, proof, before, hashlib.sha256(after).digest())
        assert not verify_consistency(old, new, [*proof, before], before, after)
        for at in range(len(proof)):
            wrong = [*proof[:at], hashlib.sha256(proof[at]).digest(), *proof[at + 1 :]]
            assert not verify_consistency(old, new, wrong, before, after)
            assert not verify_consistency(old, new, proof[:at] + proof[at + 1 :], before, after)


@given(
    st.integers(min_value=-1, max_value=9),
    st.integers(min_value=-1, max_value=9),
    st.lists(st.sampled_from(LEAVES[:9]), max_size=5),
)
def test_a_proof_of_any_shape_is_an_answer(index: int, size: int, path: list[bytes]) -> None:
    """Nothing that came from outside raises."""
    assert verify_inclusion(LEAVES[0], index, size, path, LEAVES[0]) in {True, False}
    assert verify_consistency(index, size, path, LEAVES[0], LEAVES[1]) in {True, False}


@pytest.mark.parametrize(("index", "size"), [(-1, 3), (3, 3), (0, 0)])
def test_no_path_to_what_is_not_there(index: int, size: int) -> None:
    """A leaf outside the tree."""
    with pytest.raises(ValueError, match="no leaf"):
        inclusion(WHOLE.read, index, size)


@pytest.mark.parametrize(("old", "new"), [(0, 3), (4, 3), (-1, 3)])
def test_no_proof_of_what_never_was(old: int, new: int) -> None:
    """Nothing is proved from the empty tree, or from a larger one."""
    with pytest.raises(ValueError, match="did not begin"):
        consistency(WHOLE.read, old, new)


@pytest.mark.parametrize("tile", [(0, 2), (1, 0)])
def test_torn_tiles_are_told_of(tile: Tile) -> None:
    """A tile that is gone or short is no root, and no other error."""
    torn = grown(600)
    torn.tiles[tile] = torn.tiles[tile][:-32]
    with pytest.raises(ValueError, match="lacks hashes"):
        root(torn.read, 600)
    del torn.tiles[tile]
    with pytest.raises(ValueError, match="lacks hashes"):
        root(torn.read, 600)
