"""Subjects: an account and its token's id, read from the right."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wharfinger.wire.names import Account, Jti
from wharfinger.wire.subject import PlainSubject, TokenSubject, format_subject, parse_subject

JTI = Jti("P7DgrqwNJn-hrQtOpfVoIHEk2j")
SAMPLES = sorted((Path(__file__).parents[2] / "samples").glob("registry-*.jsonl"))


@given(st.text())
def test_any_account_comes_back(account: str) -> None:
    """Also one with the separator in it."""
    assert parse_subject(format_subject(Account(account), JTI)) == TokenSubject(Account(account), JTI)


@pytest.mark.parametrize("text", ["", "alice", "alice#", "#", "alice#71b639d6472e448baf0805132bae729e", JTI])
def test_plain(text: str) -> None:
    """What names no id of ours is plain, whoever made it."""
    assert parse_subject(text) == PlainSubject(text)


@pytest.mark.parametrize("sample", SAMPLES, ids=[path.stem for path in SAMPLES])
def test_recorded_actors_are_of_an_older_shape(sample: Path) -> None:
    """The recorded registries' actors carry ids of 32 hex digits: no ids of ours, and so no forgeries."""
    for line in sample.read_text().splitlines():
        for event in json.loads(json.loads(line)["body"])["events"]:
            assert isinstance(parse_subject(event["actor"]["name"]), PlainSubject)
