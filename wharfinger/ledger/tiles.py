"""The log's hashes in tiles of 256, and proofs from them: roots, inclusion, consistency. Pure: tiles come from a reader.

Source: RFC 6962 section 2.1 for tree and proofs; C2SP tlog-tiles for the layout. A tile of level L holds the roots of perfect
subtrees of 2^(8L) leaves; only the last tile of a level is partial.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from wharfinger.ledger.merkle import EMPTY_ROOT, HASH_BYTES, node_hash

HEIGHT: Final = 8
WIDTH: Final = 1 << HEIGHT

Tile = tuple[int, int]
"""Level and number."""
ReadTile = Callable[[int, int], bytes]
"""The hashes of a tile, joined; as many as are there."""


def tile_path(level: int, number: int, width: int = WIDTH) -> str:
    """Where C2SP tlog-tiles has a tile, below a log's prefix: the number in groups of three digits."""
    digits = f"{number:03d}"
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    groups = [digits[at : at + 3] for at in range(0, len(digits), 3)]
    path = "/".join([*(f"x{group}" for group in groups[:-1]), groups[-1]])
    return f"tile/{level}/{path}" + ("" if width == WIDTH else f".p/{width}")


def split(hashes: bytes | bytearray) -> list[bytes]:
    """A tile's hashes one by one; the last is short when the tile is torn."""
    return [bytes(hashes[at : at + HASH_BYTES]) for at in range(0, len(hashes), HASH_BYTES)]


def tile_root(nodes: list[bytes]) -> bytes:
    """The root over the hashes of a perfect subtree; as many as a power of two."""
    while len(nodes) > 1:
        nodes = [node_hash(nodes[at], nodes[at + 1]) for at in range(0, len(nodes), 2)]
    return nodes[0]


def extend(read: ReadTile, size: int, leaves: Sequence[bytes]) -> dict[Tile, bytes]:
    """The tiles that change when leaf hashes are added to a tree of ``size``: each whole, as it is then."""
    changed: dict[Tile, bytes] = {}
    level, added = 0, list(leaves)
    while added:
        number, filled = divmod(size >> HEIGHT * level, WIDTH)
        held = bytearray(read(level, number)[: filled * HASH_BYTES] if filled else b"")
        upper: list[bytes] = []
        for one in added:
            held += one
            if len(held) == WIDTH * HASH_BYTES:
                changed[level, number] = bytes(held)
                upper.append(tile_root(split(held)))
                number, held = number + 1, bytearray()
        if held:
            changed[level, number] = bytes(held)
        level, added = level + 1, upper
    return changed


def root(read: ReadTile, size: int) -> bytes:
    """The root of the tree's first ``size`` leaves. Raises ValueError: the tiles are not whole."""
    return _range(read, 0, size) if size else EMPTY_ROOT


def inclusion(read: ReadTile, index: int, size: int) -> list[bytes]:
    """The audit path of a leaf in a tree, RFC 6962 section 2.1.1. Raises ValueError: there is no such leaf."""
    if not 0 <= index < size:
        raise ValueError(f"a tree of {size} leaves has no leaf {index}")
    return list(_path(read, index, 0, size))


def consistency(read: ReadTile, old: int, new: int) -> list[bytes]:
    """The proof that a tree of ``new`` leaves began as one of ``old``, RFC 6962 section 2.1.2. Raises ValueError."""
    if not 0 < old <= new:
        raise ValueError(f"a tree of {new} leaves did not begin as one of {old}")
    return list(_subproof(read, old, 0, new, whole=True))


def verify_inclusion(leaf: bytes, index: int, size: int, path: Sequence[bytes], expected: bytes) -> bool:
    """Whether an audit path leads from a leaf hash to a root. Source: RFC 9162 section 2.1.3.2."""
    if not 0 <= index < size:
        return False
    node, last, found = index, size - 1, leaf
    for one in path:
        if last == 0:
            return False
        if node & 1 or node == last:
            found = node_hash(one, found)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            found = node_hash(found, one)
        node, last = node >> 1, last >> 1
    return last == 0 and found == expected


def verify_consistency(old: int, new: int, proof: Sequence[bytes], old_root: bytes, new_root: bytes) -> bool:
    """Whether a consistency proof leads from one root to the other. Source: RFC 9162 section 2.1.4.2."""
    if old == new:
        return not proof and old_root == new_root
    if not 0 < old < new or not proof:
        return False
    steps = [old_root, *proof] if old & (old - 1) == 0 else list(proof)
    node, last = old - 1, new - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    first = second = steps[0]
    for one in steps[1:]:
        if last == 0:
            return False
        if node & 1 or node == last:
            first, second = node_hash(one, first), node_hash(one, second)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            second = node_hash(second, one)
        node, last = node >> 1, last >> 1
    return last == 0 and first == old_root and second == new_root


def _path(read: ReadTile, index: int, start: int, end: int) -> Iterator[bytes]:
    if end - start == 1:
        return
    middle = start + _largest_power_below(end - start)
    if index < middle:
        yield from _path(read, index, start, middle)
        yield _range(read, middle, end)
    else:
        yield from _path(read, index, middle, end)
        yield _range(read, start, middle)


def _subproof(read: ReadTile, old: int, start: int, end: int, *, whole: bool) -> Iterator[bytes]:
    if old == end:
        if not whole:
            yield _range(read, start, end)
        return
    middle = start + _largest_power_below(end - start)
    if old <= middle:
        yield from _subproof(read, old, start, middle, whole=whole)
        yield _range(read, middle, end)
    else:
        yield from _subproof(read, old, middle, end, whole=False)
        yield _range(read, start, middle)


def _range(read: ReadTile, start: int, end: int) -> bytes:
    """The root over leaves ``start`` to ``end``, where ``start`` is aligned as RFC 6962 splits."""
    length = end - start
    if length & (length - 1) == 0:
        return _perfect(read, start, length.bit_length() - 1)
    middle = start + _largest_power_below(length)
    return node_hash(_range(read, start, middle), _range(read, middle, end))


def _perfect(read: ReadTile, start: int, height: int) -> bytes:
    level, rest = divmod(height, HEIGHT)
    first = start >> HEIGHT * level
    number, at = divmod(first, WIDTH)
    hashes = split(read(level, number)[at * HASH_BYTES : (at + (1 << rest)) * HASH_BYTES])
    if len(hashes) != 1 << rest:
        raise ValueError(f"{tile_path(level, number)} lacks hashes that its tree has")
    return tile_root(hashes)


def _largest_power_below(length: int) -> int:
    return 1 << (length - 1).bit_length() - 1
