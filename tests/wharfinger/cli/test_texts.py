"""Texts of others on a terminal."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wharfinger.cli.texts import counted, shown


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("docker/28 zoë ☃", "docker/28 zoë ☃"),
        ("a\x1b[31mb", "a\\x1b[31mb"),
        ("a\nb\r\t", "a\\nb\\r\\t"),
        ("\x9b\x00\x7f", "\\x9b\\x00\\x7f"),
        ("\u202e\u200b\u2028", "\\u202e\\u200b\\u2028"),
        ("\ud800\udcff", "\\ud800\\udcff"),
    ],
)
def test_what_is_not_printable_is_written_out(text: str, expected: str) -> None:
    """Letters stay letters."""
    assert shown(text) == expected


@given(st.text())
def test_any_text_can_be_shown(text: str) -> None:
    """On one line, in UTF-8."""
    found = shown(text)
    assert found.isprintable()
    found.encode()


def test_numbers_agree() -> None:
    """With their nouns."""
    assert [counted(number, "fault") for number in (0, 1, 2)] == ["0 faults", "1 fault", "2 faults"]
