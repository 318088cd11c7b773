"""Placeholders: one pass, values quoted, groups and labels as they are."""

import pytest

from wharfinger.policy.substitution import is_regex, replace_fields, replace_groups, with_labels

VALUES = {"account": "j.doe", "type": "repository", "name": "a/b", "service": "s"}


@pytest.mark.parametrize(("pattern", "expected"), [("/a/", True), ("//", False), ("/", False), ("/(", False), ("a/", False)])
def test_is_regex(pattern: str, expected: bool) -> None:  # noqa: FBT001 - a column of the table
    """Slashes around something make a regular expression."""
    assert is_regex(pattern) is expected


def test_fields() -> None:
    """Values are quoted; what is unknown stays."""
    assert replace_fields("${account}/${nobody}", VALUES) == "j\\.doe/${nobody}"


def test_one_pass() -> None:
    """A value that looks like a placeholder is not looked at again."""
    assert replace_fields("${account}", VALUES | {"account": "${name}"}) == "\\$\\{name\\}"


def test_groups() -> None:
    """A group is put in as it is; a missing one stays text."""
    assert replace_groups("${account:1}-${name:9}", lambda name, number: "*" if (name, number) == ("account", 1) else None) == (
        "*-${name:9}"
    )


def test_labels() -> None:
    """Every combination, one value for each name; missing labels stay text, and no label gives nothing."""
    assert list(with_labels("${labels:p}/${labels:q}/${labels:p}", {"p": ("a", "b"), "q": ("x",)})) == ["a/x/a", "b/x/b"]
    assert list(with_labels("${labels:p}-${labels:z}", {"p": ("a",)})) == ["a-${labels:z}"]
    assert list(with_labels("plain", {"p": ("a",)})) == []
