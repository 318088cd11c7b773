"""Sets of characters as ranges of code points, sorted and apart. What globs and regular expressions are made of."""

from collections.abc import Iterable
from typing import Final

Ranges = tuple[tuple[int, int], ...]

LAST: Final = 0x10FFFF
ANY: Final[Ranges] = ((0, LAST),)


def ranges(pairs: Iterable[tuple[int, int]]) -> Ranges:
    """Any pairs of first and last, put in order and joined; a pair that runs backwards holds nothing."""
    found: list[tuple[int, int]] = []
    for low, high in sorted(pair for pair in pairs if pair[0] <= pair[1]):
        if found and low <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(high, found[-1][1]))
        else:
            found.append((low, high))
    return tuple(found)


def only(text: str) -> Ranges:
    """The characters of a text."""
    return ranges((ord(one), ord(one)) for one in text)


def all_but(excluded: Ranges) -> Ranges:
    """Every character that is not in a set."""
    found, low = [], 0
    for first, last in excluded:
        found.append((low, first - 1))
        low = last + 1
    return ranges([*found, (low, LAST)])


def holds(members: Ranges, point: int) -> bool:
    """Whether a code point is in a set."""
    return any(low <= point <= high for low, high in members)


def single(members: Ranges) -> str | None:
    """The one character of a set that has no other."""
    return chr(members[0][0]) if len(members) == 1 and members[0][0] == members[0][1] else None
