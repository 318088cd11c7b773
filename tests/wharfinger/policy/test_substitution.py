"""Placeholders: one pass, values quoted, groups and labels as they are."""

import pytest

from wharfinger.policy.substitution import (
    is_field,
    is_regex,
    named_fields,
    named_groups,
    named_labels,
    replace_fields,
    replace_groups,
    unknown_placeholders,
    with_labels,
)

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


def test_what_a_pattern_names() -> None:
    """Fields, groups and labels are told apart; what is none of them is unknown."""
    pattern = "${account}/${name:1}${IP:2}/${labels:team}/${labels:7}/${acount}${a:b}${"
    assert named_fields(pattern) == ("account",)
    assert named_groups(pattern) == {("name", 1), ("IP", 2)}
    assert named_labels(pattern) == ("team", "7")
    assert unknown_placeholders(pattern) == ("${acount}", "${a:b}", "${")


def test_a_number_that_is_none_stays_text() -> None:
    """More digits than any group has make no group, and no error at a request."""
    assert replace_groups("${account:" + "9" * 5_000 + "}", lambda *_: "x").startswith("${account:9")


@pytest.mark.parametrize(("name", "expected"), [("account", True), ("Account", True), ("ACCOUNT", False), ("name", False)])
def test_names_of_fields(name: str, *, expected: bool) -> None:
    """docker_auth makes the first letter a capital, and looks for that."""
    assert is_field(name, "account") is expected
