"""Automata of patterns: they accept what RE2 and the glob match, and what they tell of two is so."""

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from wharfinger.policy.condition import pattern_test
from wharfinger.policy.language import EVERYTHING, Languages, TooLarge, automaton, find

TEXTS = st.text(alphabet="ab/\nü", max_size=5)
GLOBS = st.text(alphabet="ab/*?[]^-", max_size=6).filter(lambda text: not (text.startswith("/") and text.endswith("/")))
PIECES = st.sampled_from(
    [
        "a",
        "b",
        "/",
        ".",
        "[ab]",
        "[^a]",
        "^",
        "$",
        r"\n",
        r"\w",
        "a*",
        "(a|b)",
        "(?:ab)+",
        "b?",
        "a{2}",
        "a{1,2}",
        "(b{2,}|^)",
        "(a*|$)*",
    ]
)
REGEXES = st.lists(PIECES, min_size=1, max_size=4).map(lambda parts: f"/{''.join(parts)}/") | st.lists(
    PIECES, min_size=1, max_size=3
).map(lambda parts: f"/^{'|'.join(parts)}$/")
PATTERNS = GLOBS | REGEXES


def accepts(pattern: str, text: str, *, double_star: bool = False) -> bool | None:
    """What the automaton says of one text: whether there is one in it and in that text alone."""
    quoted = "".join(f"[{one}]" for one in text)
    made, only_that = automaton(pattern, double_star=double_star), automaton(f"/^{quoted}\\z/")
    assert only_that is not None
    return None if made is None else find([made, only_that], []) == text


@given(PATTERNS, TEXTS, st.booleans())
@settings(max_examples=400, deadline=None)
def test_accepts_what_matches(pattern: str, text: str, double_star: bool) -> None:  # noqa: FBT001 - hypothesis gives it so
    """Globs and regular expressions of every understood kind, anchors in odd places included."""
    said = accepts(pattern, text, double_star=double_star)
    assume(said is not None)
    assert said is pattern_test(pattern, double_star=double_star)(text)


@given(PATTERNS, PATTERNS, st.lists(TEXTS, max_size=8))
@settings(max_examples=300, deadline=None)
def test_what_is_told_of_two(inside: str, outside: str, texts: list[str]) -> None:
    """What is found is in the one and not in the other; when nothing is, every text of the one is in the other."""
    languages = Languages()
    try:
        found = languages.find([inside], [outside])
    except TooLarge:
        return
    if found is not None:
        texts = [found]
        assert pattern_test(inside)(found)
        assert not pattern_test(outside)(found)
    else:
        assert all(pattern_test(outside)(text) for text in texts if pattern_test(inside)(text))


@pytest.mark.parametrize(
    ("inside", "outside", "expected"),
    [
        (["shop/*"], [], "shop/"),
        (["shop/[a-c]*"], ["shop/*"], None),
        (["shop/*"], ["shop/[a-c]*"], "shop/"),
        (["/^team-a.*$/"], ["/^team-/"], None),
        (["/^team-/"], ["/^team-a.*$/"], "team-"),
        (["/.+/"], ["*"], "/"),
        (["*"], ["/.+/"], ""),
        (["/^a/", "/b$/"], [], "ab"),
        (["/a^b/"], [], None),
        (["/^$/"], [], ""),
        (["[c-a]"], [], None),
        ([EVERYTHING], ["/.*/"], None),
        ([EVERYTHING], ["/^.*$/"], "\n"),
    ],
)
def test_shortest_texts(inside: list[str], outside: list[str], expected: str | None) -> None:
    """The shortest text that all of the first match and none of the second, of plain letters where there is a choice."""
    assert Languages().find(inside, outside) == expected


def test_stars_that_cross() -> None:
    """The dialect is the list's."""
    assert Languages().find(["a/**"], ["a/*"]) is None
    assert Languages(double_star=True).find(["a/**"], ["a/*"]) == "a//"


@pytest.mark.parametrize("pattern", ["${account}", "[a", "/(?i)a/", "/((a{100}){100}){2}/"])
def test_what_is_not_understood(pattern: str) -> None:
    """Nothing is told of it: neither that it is empty nor an example."""
    languages = Languages()
    with pytest.raises(TooLarge):
        languages.find([pattern])
    assert not languages.is_empty([pattern])
    assert languages.example("${account}", EVERYTHING) is None


def test_a_search_is_given_up() -> None:
    """One that would look at more states than are allowed raises."""
    hard = "/^(a|b)*a(a|b){12}$/"
    with pytest.raises(TooLarge):
        Languages().find([hard], ["/^(a|b)*a(a|b){11}$/"])


@given(PATTERNS, st.sampled_from([EVERYTHING, "/^[a-z]*$/", "/^[ab]+(/[ab]+)*$/"]))
@settings(max_examples=200, deadline=None)
def test_an_example_is_one(pattern: str, grammar: str) -> None:
    """It matches both, and when there is none, there is no text at all."""
    languages = Languages()
    found = languages.example(pattern, grammar)
    if found is not None:
        assert pattern_test(pattern)(found)
        assert pattern_test(grammar)(found)
    elif languages.of(pattern) is not None:
        assert languages.is_empty([pattern, grammar])
