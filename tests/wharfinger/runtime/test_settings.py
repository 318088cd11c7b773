"""Settings: secrets show themselves to nobody."""

import copy
import json
import pickle
from dataclasses import FrozenInstanceError, asdict, replace

import pytest

from wharfinger.runtime.settings import Secret, User

SECRET = Secret(b"s3cret")


@pytest.mark.parametrize("show", [repr, str, "{}".format, "{0!r:>20}".format, lambda one: f"{one}", lambda one: "%s" % one])  # noqa: UP031 - a way to print
def test_it_prints_as_stars(show: object) -> None:
    """In every way there is, also inside of something else."""
    for value in (SECRET, [SECRET], {"a": SECRET}, User("zoe", SECRET, 1), replace(User("zoe", None, 1), password_hash=SECRET)):
        text = show(value)  # type: ignore[operator]  # a function of the table
        assert "s3cret" not in text
        assert "***" in text


def test_it_reveals_itself_when_asked() -> None:
    """By name, for the one call that needs it."""
    assert SECRET.reveal() == b"s3cret"


@pytest.mark.parametrize(
    ("claimed", "right"), [(b"s3cret", True), (b"s3cre", False), (b"S3cret", False), (b"", False), (b"s3cret\x00", False)]
)
def test_comparing(claimed: bytes, right: bool) -> None:  # noqa: FBT001 - a column
    """With what somebody claims, and with another secret."""
    assert SECRET.matches(claimed) is right
    assert (Secret(claimed) == SECRET) is right


def test_it_equals_nothing_else() -> None:
    """Not even its own bytes."""
    assert SECRET != b"s3cret"
    assert SECRET != "Secret(***)"


def test_it_cannot_be_told_apart_by_a_hash() -> None:
    """No set, no key of a dict."""
    with pytest.raises(TypeError):
        hash(SECRET)


@pytest.mark.parametrize("take", [pickle.dumps, copy.deepcopy, copy.copy])
def test_it_is_not_taken_along(take: object) -> None:
    """Into a file or another process."""
    with pytest.raises(TypeError):
        take(SECRET)  # type: ignore[operator]  # a function of the table


def test_it_is_no_json() -> None:
    """A settings object that is dumped by mistake fails instead."""
    with pytest.raises(TypeError):
        json.dumps({"a": SECRET})
    assert "s3cret" not in json.dumps({"a": SECRET}, default=str)


def test_settings_are_frozen() -> None:
    """What was read is what is."""
    user = User("zoe", None, 1)
    with pytest.raises(FrozenInstanceError):
        user.name = "bob"  # type: ignore[misc]  # the fault
    with pytest.raises(TypeError):
        asdict(User("zoe", SECRET, 1))
