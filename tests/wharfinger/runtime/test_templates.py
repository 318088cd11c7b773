"""Texts with fields: what may stand in one, and that what is put in stays what it is."""

import json

import pytest

from wharfinger.runtime.templates import FIELDS, in_json, is_json, names_in, parse_template, render

VALUES = dict.fromkeys(FIELDS, "-") | {"tag": "v1", "digest": "sha256:ab", "account": 'a"b\\c\n{{tag}}é'}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("plain", "plain"),
        ("{{tag}}", "v1"),
        ("{{ tag }}/{{digest}}", "v1/sha256:ab"),
        ("{ {tag} } }}", "{ {tag} } }}"),
        ("${{tag}}", "$v1"),
    ],
)
def test_put_in(text: str, expected: str) -> None:
    """Each field in its place; everything else as it was written."""
    assert render(parse_template(text), VALUES) == expected


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{{nobody}}", "has {{nobody}}, which no push has"),
        ("{{}}", "has {{}}, which no push has"),
        ("{{tag", "has {{ without }} behind a name"),
        ("{{tag.upper()}}", "has {{ without }} behind a name"),
        ("{{ tag | safe }}", "has {{ without }} behind a name"),
        ("{% for %}{{{{tag}}", "has {{ without }} behind a name"),
    ],
)
def test_what_cannot_be_meant(text: str, problem: str) -> None:
    """A field that there is not, or an expression, is said when the file is read and not when a push comes."""
    with pytest.raises(ValueError, match=problem.replace("{", r"\{").replace("(", r"\(")):
        parse_template(text)


def test_what_was_put_in_is_not_looked_at_again() -> None:
    """An account that looks like a field brings in none; in JSON it is the text that it was."""
    assert render("{{account}}", VALUES) == VALUES["account"]
    assert json.loads(render('{"by": "{{account}}"}', VALUES, in_json)) == {"by": VALUES["account"]}


def test_names() -> None:
    """Which fields a text has."""
    assert names_in("{{tag}} {{ digest }} {{tag}}") == {"tag", "digest"}


@pytest.mark.parametrize(
    ("content_type", "json"),
    [
        ("application/json", True),
        ("application/json; charset=utf-8", True),
        ("Application/Vnd.X+JSON", True),
        ("text/plain", False),
        ("application/jsonl", False),
    ],
)
def test_which_bodies_are_json(content_type: str, json: bool) -> None:  # noqa: FBT001 - a column
    """By their media type."""
    assert is_json(content_type) is json
