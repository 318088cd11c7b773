"""Reading regular expressions: what is understood, and what is left alone."""

import pytest

from wharfinger.policy.characters import ANY, all_but, only
from wharfinger.policy.syntax import Capture, Characters, Choice, Edge, Repeat, Sequence, captured, parse, unanchored

A, B = Characters(only("a")), Characters(only("b"))


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("a", A),
        ("", Sequence(())),
        ("ab", Sequence((A, B))),
        ("a|b|", Choice((A, B, Sequence(())))),
        ("^a$", Sequence((Edge(end=False), A, Edge(end=True)))),
        (r"\Aa\z", Sequence((Edge(end=False), A, Edge(end=True)))),
        ("a*", Repeat(A, 0, None)),
        ("a+?", Repeat(A, 1, None)),
        ("a?", Repeat(A, 0, 1)),
        ("a{2}", Repeat(A, 2, 2)),
        ("a{2,}", Repeat(A, 2, None)),
        ("a{2,3}", Repeat(A, 2, 3)),
        ("a{,3}", Sequence((A, *(Characters(only(one)) for one in "{,3}")))),
        ("(a)(?:b)", Sequence((Capture(1, A), B))),
        ("(?P<x>a)(?<y>b)", Sequence((Capture(1, A), Capture(2, B)))),
        ("((a)b)", Capture(1, Sequence((Capture(2, A), B)))),
        (".", Characters(all_but(only("\n")))),
        ("[ab]", Characters(only("ab"))),
        ("[a-b]", Characters(only("ab"))),
        ("[^a]", Characters(all_but(only("a")))),
        ("[]a]", Characters(only("]a"))),
        ("[a-]", Characters(only("a-"))),
        (r"[\]\d]", Characters(only("]0123456789"))),
        (r"\.", Characters(only("."))),
        (r"\n", Characters(only("\n"))),
        (r"\D", Characters(all_but(only("0123456789")))),
    ],
)
def test_understood(pattern: str, expected: object) -> None:
    """The tree of an expression."""
    assert parse(pattern) == expected


@pytest.mark.parametrize(
    "pattern",
    [
        r"(?i)a",
        r"\bword",
        r"\pL",
        r"\Qa\E",
        r"\x41",
        "[[:alpha:]]",
        r"[\d-z]",
        r"[a-\d]",
        r"\ü",
        "a**",
        "a{2}{3}",
        "(" * 60 + ")" * 60,
        "(a",
        "a)",
        "[a",
        "a\\",
        "*",
        "[a-",
    ],
)
def test_left_alone(pattern: str) -> None:
    """Flags, boundaries, classes by name, and what is no expression at all."""
    assert parse(pattern) is None


@pytest.mark.parametrize(
    ("pattern", "number", "expected"),
    [("(a|b+)c(d)", 1, only("ab")), ("(a)((b)c?)*", 2, only("bc")), ("(a)", 2, None), ("^()$", 1, ())],
)
def test_captured(pattern: str, number: int, expected: object) -> None:
    """The characters that may stand in a group, whatever is around them."""
    node = parse(pattern)
    assert node is not None
    assert captured(node, number) == expected


def test_a_search() -> None:
    """Anything may stand before and behind."""
    anything = Repeat(Characters(ANY), 0, None)
    assert unanchored(A) == Sequence((anything, A, anything))
