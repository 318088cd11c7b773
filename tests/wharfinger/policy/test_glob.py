"""Go's path.Match: its own table of cases, and what it calls malformed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wharfinger.policy.glob import Glob, MalformedGlob, matcher
from wharfinger.policy.regex import Regex

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


@pytest.mark.parametrize(
    ("pattern", "text", "plain", "double"),
    [
        ("team/**", "team/a/b", False, True), ("team/**", "team/a", True, True), ("team/**", "team/", True, True),
        ("team/**", "team", False, False), ("**", "a/b/c", False, True), ("**", "", True, True), ("**/app", "a/b/app", False, True),
        ("**/app", "app", False, False), ("a**b", "a/b", False, True), ("***", "a/b", False, True), ("*", "a/b", False, False),
        (r"\**", "*a", True, True), (r"\**", "*a/b", False, False), (r"*\*", "a*", True, True), ("**", "a\nb", True, True),
        ("a/**/b", "a/b", False, False), ("a/**/b", "a/x/y/b", False, True), ("[a]**", "a/b", False, True),
    ],
)  # fmt: skip
def test_double_stars(pattern: str, text: str, *, plain: bool, double: bool) -> None:
    """Two stars are one in Go; where it is asked for, they are any run, slashes included."""
    assert (Glob(pattern).matches(text), Glob(pattern, double_star=True).matches(text)) == (plain, double)


PATTERNS = st.text(alphabet="ab/*?[]^-\\ü☺", max_size=8)


@given(PATTERNS, st.text(alphabet="ab/^-ü☺\n", max_size=6), st.booleans())
def test_as_regex(pattern: str, text: str, double_star: bool) -> None:  # noqa: FBT001 - hypothesis gives it so
    """The regular expression that stands for it finds exactly what it matches; so does the one text of a literal."""
    try:
        glob = Glob(pattern, double_star=double_star)
    except MalformedGlob:
        return
    assert Regex(glob.as_regex()).found_in(text) is glob.matches(text)
    if glob.literal is not None:
        assert glob.matches(text) is (text == glob.literal)


@given(st.text(max_size=12), st.text(max_size=12), st.booleans())
def test_no_text_raises(pattern: str, text: str, double_star: bool) -> None:  # noqa: FBT001 - hypothesis gives it so
    """Whatever is written and whatever is asked: a pattern is malformed or answers."""
    assert matcher(pattern, double_star=double_star)(text) in {True, False}


def test_a_pattern_longer_than_every_text_is_malformed() -> None:
    """Nobody waits for it to be compiled; a plain text of that length needs no compiling."""
    with pytest.raises(MalformedGlob, match="more than 8192"):
        Glob("?[a-c]" * 4_096)
    assert Glob("a" * 5_000).matches("a" * 5_000)
