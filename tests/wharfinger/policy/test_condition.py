"""Conditions on texts and labels."""

import pytest

from wharfinger.policy import Request
from wharfinger.policy.condition import MAX_REMEMBERED_LENGTH, Condition, Label, Pattern, compile_labels, pattern_test

REQUEST = Request("ann@x", "repository", "bob/tool", "s", None, ("pull",), {"g": ("ann", "*"), "none": ()})


def no_group(_name: str, _number: int) -> None:
    """No rule has groups here."""


@pytest.mark.parametrize(
    ("field", "patterns", "expected"),
    [
        ("name", ["bob/*"], True),
        ("name", ["/^bob/"], True),
        ("name", ["${labels:none}/*"], False),
        ("account", ["${labels:g}@x"], True),
        ("name", ["${name}"], True),
        ("account", ["zoe", "ann@*"], True),
        ("account", ["zoe", "ann"], False),
        ("account", [], False),
    ],
)
def test_texts(field: str, patterns: list[str], *, expected: bool) -> None:
    """Fixed patterns, substituted ones, combinations of labels, and lists, of which any may hold."""
    assert Condition.compile(field, patterns).holds(REQUEST, no_group) is expected


@pytest.mark.parametrize(
    ("pattern", "literal"),
    [
        ("bob", "bob"),
        (r"a\*b", "a*b"),
        ("", ""),
        ("a*", None),
        ("[ab]", None),
        ("[a]", "a"),
        ("/a/", None),
        ("[", None),
        ("${name}", None),
    ],
)
def test_literals(pattern: str, literal: str | None) -> None:
    """A pattern that matches one text alone, for every request, is that text."""
    assert Pattern.compile(pattern).literal() == literal


def test_a_condition_is_fixed_when_all_its_patterns_are() -> None:
    """One placeholder makes it depend on the request."""
    assert Condition.compile("account", ["a", "/b/"]).is_fixed()
    assert not Condition.compile("account", ["a", "${name}"]).is_fixed()


def test_the_groups_of_a_list_are_those_of_the_first_that_occurs() -> None:
    """Of several regular expressions, each with groups, the one that matched lends them."""
    condition = Condition.compile("account", ["zoe", "/^(.+)@y$/", "/^(.+)@(x)$/", "/^(.)/"])
    assert [condition.group(REQUEST, number) for number in (0, 1, 2, 3)] == [None, "ann", "x", None]
    assert Condition.compile("account", ["ann@x", "/^zoe$/"]).group(REQUEST, 1) is None


def test_labels_need_every_name() -> None:
    """Each label must have a value that matches; groups work only if a text names them too."""
    texts = (Condition.compile("account", ["/^(.+)@x$/"]),)
    naming = (*texts, Condition.compile("service", ["/${account:1}|/"]))
    group = lambda _name, _number: "ann"  # noqa: E731 - the shortest group
    assert Label("g", "ann").holds(REQUEST, no_group)
    assert not Label("missing", "*").holds(REQUEST, no_group)
    assert not compile_labels({"g": "${account:1}"}, texts)[0].holds(REQUEST, group)
    assert compile_labels({"g": "${account:1}"}, naming)[0].holds(REQUEST, group)


def test_a_broken_pattern_never_matches() -> None:
    """At match time there is nobody to tell."""
    assert not pattern_test("/(/")("(")
    assert not pattern_test("[")("[")
    assert Pattern.compile("/(/").raw_regex is None


def test_a_long_pattern_is_not_remembered_and_matches_all_the_same() -> None:
    """What nobody who means well sends does not fill the memory."""
    long = "a" * (MAX_REMEMBERED_LENGTH + 1)
    assert pattern_test(f"{long}*") is not pattern_test(f"{long}*")
    assert pattern_test("a*") is pattern_test("a*")
    assert pattern_test(f"{long}*")(f"{long}b")
