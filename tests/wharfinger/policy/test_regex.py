"""RE2 as Go has it: what is taken, what is found, and what must not be slow."""

import pytest

from wharfinger.policy.regex import MalformedRegex, Regex, quote


@pytest.mark.parametrize("pattern", ["(", "(?!x)", "a++", "a{1001}", r"\C", r"\1", "[z-a]", "\ud800"])
def test_refused(pattern: str) -> None:
    """What Go refuses is refused, with a reason."""
    with pytest.raises(MalformedRegex, match=r"."):
        Regex(pattern)


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("adm", "badmins", True),
        ("^abc$", "abc\n", False),
        (r"^abc\z", "abc", True),
        ("(?i)ABC", "xabcx", True),
        (r"\d", "٣", False),
        ("[[:alpha:]]", "a", True),
        ("", "anything", True),
        ("x", "\ud800x", False),
    ],
)
def test_found(pattern: str, text: str, expected: bool) -> None:  # noqa: FBT001 - a column of the table
    """Searched for anywhere, with Go's meaning of classes and anchors."""
    assert Regex(pattern).found_in(text) is expected


def test_groups() -> None:
    """The groups of the first occurrence; one that took no part is empty; none at all without an occurrence."""
    assert Regex("^a(b)?(c)$").groups_in("ac") == ["ac", "", "c"]
    assert Regex("^a$").groups_in("b") is None
    assert (Regex("^a(b)?(c)$").groups, Regex("a").groups) == (2, 0)
    assert Regex("^a$").groups_in("\ud800") is None


def test_a_hostile_name_costs_nothing() -> None:
    """A pattern that backtracks for minutes elsewhere is linear here: it is simply answered."""
    assert not Regex("^(a+)+$").found_in("a" * 50_000 + "!")


def test_quote() -> None:
    """Everything with a meaning is escaped, nothing else."""
    assert quote("j.doe+ci/x_1-ü") == "j\\.doe\\+ci/x_1-ü"
