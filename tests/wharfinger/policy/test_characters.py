"""Sets of characters."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from wharfinger.policy.characters import ANY, LAST, all_but, holds, only, ranges, single

PAIRS = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), max_size=6)


@given(PAIRS)
def test_ranges_hold_what_any_pair_holds(pairs: list[tuple[int, int]]) -> None:
    """Put in order and joined, they hold the same characters, and never touch."""
    made = ranges(pairs)
    assert [holds(made, point) for point in range(42)] == [
        any(low <= point <= high for low, high in pairs) for point in range(42)
    ]
    assert all(after[0] > before[1] + 1 for before, after in itertools.pairwise(made))


@given(PAIRS)
def test_all_others(pairs: list[tuple[int, int]]) -> None:
    """What is left holds exactly what the set does not; taken twice, it is the set."""
    made = ranges(pairs)
    assert [holds(all_but(made), point) for point in range(42)] == [not holds(made, point) for point in range(42)]
    assert all_but(all_but(made)) == made


def test_ends() -> None:
    """Everything but nothing is everything; a set of one has one."""
    assert all_but(()) == ANY == ((0, LAST),)
    assert all_but(ANY) == ()
    assert (single(only("a")), single(only("ab")), single(())) == ("a", None, None)
