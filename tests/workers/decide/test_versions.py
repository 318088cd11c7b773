"""Versions and ranges: which tags are versions, which is newer, and what each kind of range takes."""

from contextlib import suppress
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.decide.versions import MalformedRange, Range, Version, parse_version

NUMBERS = st.integers(0, 12)
IDENTIFIERS = st.one_of(st.integers(0, 12).map(str), st.sampled_from(["rc", "alpha", "beta", "x-1"]))
PRE = st.lists(IDENTIFIERS, max_size=3).map(tuple)
VERSIONS = st.builds(Version, st.tuples(NUMBERS, NUMBERS, NUMBERS), PRE)


def version(text: str) -> Version:
    """One that is one."""
    found = parse_version(text)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("tag", "shown"),
    [
        ("1.2.3", "1.2.3"), ("v1.2.3", "1.2.3"), ("1.10", "1.10.0"), ("v0.0.0", "0.0.0"), ("1.2.3-rc.1", "1.2.3-rc.1"), ("1.2-rc", "1.2.0-rc"),
        ("1.2.3+build.7", "1.2.3"), ("1.2.3--", "1.2.3--"), ("1.2.3-0a", "1.2.3-0a"), ("10.20.30", "10.20.30"),
    ],
)  # fmt: skip
def test_a_version(tag: str, shown: str) -> None:
    """Two or three numbers, with a v before them or not, and a pre-release behind."""
    assert str(version(tag)) == shown


@pytest.mark.parametrize(
    "tag",
    ["", "v", "latest", "1", "v2", "8231094", "1.2.3.4", "01.2", "1.02", "1.2.3-", "1.2.3-01", "1.2.3-a..b", "V1.2", "1.2 ", "1.2\n", "١.٢", "2024.01.15", "1.x"],
)  # fmt: skip
def test_no_version(tag: str) -> None:
    """A number alone may be a commit's; zeros in front are a date's."""
    assert parse_version(tag) is None


@pytest.mark.parametrize(
    "newer",
    [
        # https://semver.org/#spec-item-11
        [
            "1.0.0-alpha",
            "1.0.0-alpha.1",
            "1.0.0-alpha.beta",
            "1.0.0-beta",
            "1.0.0-beta.2",
            "1.0.0-beta.11",
            "1.0.0-rc.1",
            "1.0.0",
        ],
        ["1.0.0", "2.0.0", "2.1.0", "2.1.1"],
        ["1.9", "1.10", "1.10.1", "v1.11"],
        ["1.2.3-2", "1.2.3-10", "1.2.3-a"],
    ],
)
def test_precedence(newer: list[str]) -> None:
    """Each is older than the next: 1.9 than 1.10, a pre-release than its release."""
    found = list(map(version, newer))
    assert all(first < second and not second < first for first, second in pairwise(found))


@given(VERSIONS, VERSIONS, VERSIONS)
def test_an_order(one: Version, two: Version, three: Version) -> None:
    """Of any two exactly one is older, or they are the same; and it goes on through a third."""
    assert [one < two, one == two, two < one].count(True) == 1
    assert not (one < two < three) or one < three


@given(VERSIONS)
def test_written_and_read(one: Version) -> None:
    """A version is what it is written as."""
    assert version(str(one)) == one


TAKES = [
    ("^1.2", ["1.2.0", "1.2.9", "1.10.0"], ["1.1.9", "2.0.0", "0.2.0"]),
    ("^1.2.3", ["1.2.3", "1.9.0"], ["1.2.2", "2.0.0"]),
    ("^0.2.3", ["0.2.3", "0.2.9"], ["0.3.0", "0.2.2"]),
    ("^0.0.3", ["0.0.3"], ["0.0.4", "0.0.2"]),
    ("^0.0", ["0.0.0", "0.0.9"], ["0.1.0"]),
    ("^0", ["0.0.0", "0.9.9"], ["1.0.0"]),
    ("^1", ["1.0.0", "1.9.9"], ["2.0.0", "0.9.9"]),
    ("~1.2", ["1.2.0", "1.2.9"], ["1.3.0", "1.1.9"]),
    ("~1.2.3", ["1.2.3", "1.2.9"], ["1.2.2", "1.3.0"]),
    ("~1", ["1.0.0", "1.9.0"], ["2.0.0"]),
    (">=1.4 <2", ["1.4.0", "1.10.0"], ["1.3.9", "2.0.0"]),
    (">= 1.4, < 2", ["1.4.0", "1.10.0"], ["1.3.9", "2.0.0"]),
    (">1.4", ["1.5.0"], ["1.4.0", "1.4.9"]),
    (">1.4.2", ["1.4.3"], ["1.4.2"]),
    ("<=1.4", ["1.4.9", "0.0.0"], ["1.5.0"]),
    ("<=1.4.2", ["1.4.2"], ["1.4.3"]),
    ("<1.4.2", ["1.4.1"], ["1.4.2"]),
    ("1.x", ["1.0.0", "1.10.3"], ["2.0.0", "0.9.0"]),
    ("1.2.*", ["1.2.0", "1.2.9"], ["1.3.0"]),
    ("1.2", ["1.2.0", "1.2.9"], ["1.3.0"]),
    ("v1.2.3", ["1.2.3"], ["1.2.4", "1.2.2"]),
    ("=1.2.3", ["1.2.3"], ["1.2.4"]),
    ("*", ["0.0.0", "99.0.0"], ["1.0.0-rc"]),
    ("^x", ["0.0.0", "99.0.0"], []),
    ("~*", ["0.0.0", "99.0.0"], []),
    (">=*", ["0.0.0", "99.0.0"], []),
    ("<=*", ["0.0.0", "99.0.0"], []),
    (">*", [], ["0.0.0", "99.0.0"]),
    ("<*", [], ["0.0.0", "99.0.0"]),
    ("^1.2 || ^3", ["1.2.0", "3.9.0"], ["2.0.0", "4.0.0"]),
    ("^1.2", [], ["1.3.0-rc.1", "1.2.0-rc.1", "2.0.0-rc.1"]),
    (">=1.5.0-rc.1", ["1.5.0-rc.2", "1.5.0", "1.6.0"], ["1.5.0-beta", "1.6.0-rc.1"]),
    ("^1.5.0-rc.1 <1.7", ["1.5.0-rc.1", "1.6.0"], ["1.7.0", "1.5.1-rc.1"]),
    ("~1.5.0-rc.1", ["1.5.0-rc.1", "1.5.7"], ["1.6.0"]),
    (">1.5.0-rc.1", ["1.5.0-rc.2", "1.5.0"], ["1.5.0-rc.1"]),
    ("<=1.5.0-rc.2", ["1.5.0-rc.2", "1.5.0-rc.1", "1.4.0"], ["1.5.0", "1.4.0-rc.1"]),
    ("<1.5.0-rc.2", ["1.5.0-rc.1"], ["1.5.0-rc.2"]),
    ("1.2.3-rc.1", ["1.2.3-rc.1"], ["1.2.3", "1.2.3-rc.2"]),
]


@pytest.mark.parametrize(("text", "taken", "left"), TAKES, ids=[text for text, _, _ in TAKES])
def test_ranges(text: str, taken: list[str], left: list[str]) -> None:
    """What each kind takes, and what it just does not."""
    found = Range(text)
    assert [one for one in taken if not found.takes(version(one))] == []
    assert [one for one in left if found.takes(version(one))] == []


@pytest.mark.parametrize(
    ("text", "taken", "left"),
    [
        ("^1.2", ["1.2.0-rc.1", "1.9.0-rc.1"], ["2.0.0-rc.1", "1.1.9-rc.1"]),
        ("~1.2", ["1.2.0-0", "1.2.5-rc"], ["1.3.0-rc"]),
        (">=1.4 <2", ["1.4.0-rc"], ["2.0.0-rc"]),
        ("<2.0.0", ["2.0.0-rc"], ["2.0.0"]),
        ("*", ["0.0.1-rc"], []),
    ],
)
def test_with_prereleases(text: str, taken: list[str], left: list[str]) -> None:
    """All that lie between; never those of the version that is the end of what was not written out."""
    found = Range(text, prerelease=True)
    assert [one for one in taken if not found.takes(version(one))] == []
    assert [one for one in left if found.takes(version(one))] == []


@given(VERSIONS, VERSIONS)
def test_comparators_agree_with_the_order(bound: Version, one: Version) -> None:
    """Whatever the version: each comparator of a whole one is that of the order."""
    for sign, expected in (
        (">=", one >= bound),
        (">", one > bound),
        ("<=", one <= bound),
        ("<", one < bound),
        ("=", one == bound),
    ):
        assert Range(f"{sign}{bound}", prerelease=True).takes(one) is expected


@given(VERSIONS, st.sampled_from(["^", "~", ">=", "=", ""]))
def test_a_range_takes_what_it_begins_with(one: Version, sign: str) -> None:
    """Also a pre-release, which it names then."""
    assert Range(f"{sign}{one}").takes(one)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "has an empty part"), (" ", "has an empty part"), ("1.x ||", "has an empty part"), ("latest", "'latest' is no version"), ("1.2.3.4", "is no version"),
        ("^", "'^' is no version"), ("1.2 - 1.4", "'-' is no version"), (">>1", "is no version"), ("01.2", "is no version"), ("1.x-rc", "of no whole version"),
        ("^1.2-rc", "of no whole version"), ("1.2.3-01", "is no version"),
    ],
)  # fmt: skip
def test_no_range(text: str, problem: str) -> None:
    """It is told which part of it is none."""
    with pytest.raises(MalformedRange) as raised:
        Range(text)
    assert problem in str(raised.value)


@given(st.text(alphabet="^~<>=|,. 0123456789xX*v-+rcé\n", max_size=20))
def test_no_text_raises_anything_else(text: str) -> None:
    """Whatever is written: a range, or told that it is none."""
    with suppress(MalformedRange):
        Range(text).takes(Version((1, 2, 3)))
