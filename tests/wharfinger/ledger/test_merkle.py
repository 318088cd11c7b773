"""The Merkle frontier against RFC 6962's definition and known roots."""

import base64
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wharfinger.ledger.merkle import EMPTY_ROOT, Frontier, leaf_hash

ROOTS = {
    (): "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
    (b"a",): "Aippeebat6pa5MPl5F9+l3ESp+Y1k4INvsHsc4ok+Tw=",
    (b"a", b"b"): "sTeYX/SE+2ANuTEHx3sDZcgNePW0Kd7Q/Zc2HQd5mes=",
    (b"a", b"b", b"c"): "NmQuc8JUCrEh46a/lUWwokmCzYMOsT080Z3jzmwCHsE=",
}


@pytest.mark.parametrize(("entries", "expected"), ROOTS.items())
def test_known_roots(entries: tuple[bytes, ...], expected: str) -> None:
    """The roots that C2SP implementations agree on."""
    assert base64.b64encode(Frontier().append(map(leaf_hash, entries)).root()).decode() == expected


def reference_root(leaves: list[bytes]) -> bytes:
    """RFC 6962 section 2.1, as written there: split at the largest power of two below the size."""
    if not leaves:
        return EMPTY_ROOT
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return hashlib.sha256(b"\x01" + reference_root(leaves[:split]) + reference_root(leaves[split:])).digest()


@given(st.lists(st.binary(max_size=3), max_size=70), st.integers(min_value=0, max_value=70))
def test_any_batches_give_the_definitions_root(entries: list[bytes], cut: int) -> None:
    """However the leaves are batched, and stored in between, the root is the one of the definition."""
    leaves = [leaf_hash(entry) for entry in entries]
    first = Frontier().append(leaves[:cut])
    stored = Frontier.from_bytes(first.size, first.to_bytes())
    assert stored.append(leaves[cut:]).root() == reference_root(leaves)


@pytest.mark.parametrize(
    ("size", "data"), [(1, b""), (0, bytes(32)), (3, bytes(32)), (1, bytes(31)), (2, bytes(33)), (-1, bytes(32))]
)
def test_a_frontier_that_does_not_fit_its_size_is_refused(size: int, data: bytes) -> None:
    """A damaged row is a fault, never another tree."""
    with pytest.raises(ValueError, match="subtrees"):
        Frontier.from_bytes(size, data)
