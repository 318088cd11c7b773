"""Go's path.Match: its own table of cases, and what it calls malformed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wharfinger.policy.glob import Glob, MalformedGlob, matcher

MATCHES = [
    ("abc", "abc", True), ("*", "abc", True), ("*c", "abc", True), ("a*", "a", True), ("a*", "ab/c", False),
    ("a*/b", "abc/b", True), ("a*/b", "a/c/b", False), ("a*b*c*d*e*/f", "axbxcxdxexxx/f", True),
    ("a*b?c*x", "abxbbxdbxebxczzx", True), ("a*b?c*x", "abxbbxdbxebxczzy", False), ("ab[c]", "abc", True),
    ("ab[b-d]", "abc", True), ("ab[e-g]", "abc", False), ("ab[^c]", "abc", False), ("ab[^e-g]", "abc", True),
    ("a\\*b", "a*b", True), ("a\\*b", "ab", False), ("a?b", "a☺b", True), ("a[^a]b", "a☺b", True), ("a???b", "a☺b", False),
    ("[a-ζ]*", "α", True), ("*[a-ζ]", "A", False), ("a?b", "a/b", False), ("a*b", "a/b", False), ("[\\]a]", "]", True),
    ("[\\-]", "-", True), ("[x\\-]", "x", True), ("[x\\-]", "z", False), ("[\\-x]", "a", False), ("*x", "xxx", True),
    ("a[^x]b", "a/b", True), ("[!a]at", "bat", False), ("[c-a]", "b", False), ("[^c-a]", "b", True), ("**", "a/b", False),
    ("a.b", "axb", False), ("{a,b}", "a", False), ("", "", True), ("", "a", False), ("*", "a\nb", True),
]  # fmt: skip


@pytest.mark.parametrize(("pattern", "text", "expected"), MATCHES)
def test_matches(pattern: str, text: str, expected: bool) -> None:  # noqa: FBT001 - a column of the table
    """The whole text is compared, rune by rune."""
    assert Glob(pattern).matches(text) is expected


@pytest.mark.parametrize(
    "pattern", ["[]a]", "[-]", "[x-]", "[-x]", "\\", "[a-b-c]", "[", "[^", "[^bc", "a[", "[]", "[a-]", "[\\", "a\\"]
)
def test_malformed(pattern: str) -> None:
    """What Go calls ErrBadPattern cannot be made, and matches nothing for those who ask anyway."""
    with pytest.raises(MalformedGlob):
        Glob(pattern)
    assert not matcher(pattern)(pattern)


def test_a_lone_surrogate_matches_nothing() -> None:
    """What is no text at all is not matched, and raises nothing."""
    assert not Glob("*").matches("\ud800")


@given(st.text(alphabet="ab/*?", max_size=8), st.text(alphabet="ab/", max_size=8))
def test_like_a_plain_matcher(pattern: str, text: str) -> None:
    """The translation agrees with the rules written down directly."""

    def plain(rest: str, left: str) -> bool:
        if not rest:
            return not left
        if rest[0] == "*":
            return plain(rest[1:], left) or (bool(left) and left[0] != "/" and plain(rest, left[1:]))
        if not left:
            return False
        return (left[0] != "/" if rest[0] == "?" else rest[0] == left[0]) and plain(rest[1:], left[1:])

    assert Glob(pattern).matches(text) is plain(pattern, text)
