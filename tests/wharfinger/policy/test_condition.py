"""Conditions on texts and labels."""

import pytest

from wharfinger.policy import Request
from wharfinger.policy.condition import Condition, Label, labels_hold, pattern_test

REQUEST = Request("ann@x", "repository", "bob/tool", "s", None, ("pull",), {"g": ("ann", "*"), "none": ()})


def no_group(_name: str, _number: int) -> None:
    """No rule has groups here."""


@pytest.mark.parametrize(
    ("field", "pattern", "expected"),
    [
        ("name", "bob/*", True),
        ("name", "/^bob/", True),
        ("name", "${labels:none}/*", False),
        ("account", "${labels:g}@x", True),
        ("name", "${name}", True),
    ],
)
def test_texts(field: str, pattern: str, expected: bool) -> None:  # noqa: FBT001 - a column of the table
    """Fixed patterns, substituted ones, and combinations of labels."""
    assert Condition.compile(field, pattern).holds(REQUEST, no_group) is expected


def test_labels_need_every_name() -> None:
    """Each label must have a value that matches; groups work only if a text names them too."""
    held = (Label("g", "ann"),)
    grouped = (Label("g", "${account:1}"),)
    texts = (Condition.compile("account", "/^(.+)@x$/"),)
    naming = (*texts, Condition.compile("service", "/${account:1}|/"))
    group = lambda _name, _number: "ann"  # noqa: E731 - the shortest group
    assert labels_hold(held, REQUEST, no_group, texts)
    assert not labels_hold((*held, Label("missing", "*")), REQUEST, no_group, texts)
    assert not labels_hold(grouped, REQUEST, group, texts)
    assert labels_hold(grouped, REQUEST, group, naming)


def test_a_broken_regex_never_matches() -> None:
    """At match time there is nobody to tell."""
    assert not pattern_test("/(/")("(")
