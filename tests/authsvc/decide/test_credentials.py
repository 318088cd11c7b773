"""Credentials: what must be compared, and how one is named."""

import bcrypt
import pytest

from authsvc.decide.credentials import Compare, NoPassword, NotAllowed, account_of, credential, dummy_hash, what_to_compare
from authsvc.decide.request import Claimed
from wharfinger.runtime.settings import Secret, User

HASH = b"$2y$04$" + b"a" * 53
USERS = {"zoe": User("zoe", Secret(HASH), 1), "free": User("free", None, 2)}


def test_a_known_user() -> None:
    """Their own hash; what bcrypt does not read is cut, as Go cuts it."""
    assert what_to_compare(USERS, Claimed("zoe", "é" * 40)) == Compare(("é" * 40).encode()[:72], HASH, known=True)


def test_an_unknown_user_costs_as_much() -> None:
    """The dummy is of the users' own cost, is a hash that can be compared, and matches nothing known."""
    found = what_to_compare(USERS, Claimed("nobody", "p"))
    assert isinstance(found, Compare)
    assert not found.known
    assert found.hashed.startswith(b"$2b$04$")
    assert not bcrypt.checkpw(b"p", found.hashed)
    assert dummy_hash({}).startswith(b"$2b$10$")


@pytest.mark.parametrize(("users", "claimed"), [(USERS, Claimed("free", "anything")), ({"": User("", None, 1)}, None)])
def test_no_password(users: dict[str, User], claimed: Claimed | None) -> None:
    """A user without one, and the anonymous where configured."""
    assert what_to_compare(users, claimed) == NoPassword()


@pytest.mark.parametrize("users", [USERS, {"": User("", Secret(HASH), 1)}])
def test_anonymous_not_allowed(users: dict[str, User]) -> None:
    """Without the anonymous user, or with a password on it, nobody comes without saying who."""
    assert what_to_compare(users, None) == NotAllowed()


def test_credentials_are_named_by_what_proves_them() -> None:
    """A changed password or key is another credential; no name shows either."""
    first = credential(b"k" * 32, USERS["zoe"])
    assert first.kind == "static"
    others = [credential(b"l" * 32, USERS["zoe"]), credential(b"k" * 32, User("zoe", Secret(HASH[:-1] + b"b"), 1))]
    assert len({first.id, *(one.id for one in others), credential(b"k" * 32, USERS["free"]).id}) == 4
    assert credential(b"k" * 32, None).kind == credential(b"k" * 32, User("", None, 1)).kind == "anonymous"


def test_the_account_is_the_proved_one() -> None:
    """Of the credentials, or nobody's."""
    assert (account_of(None), account_of(Claimed("zoe", "p"))) == ("", "zoe")
