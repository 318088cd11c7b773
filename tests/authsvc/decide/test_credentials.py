"""Credentials: what must be compared, and how one is named."""

import bcrypt
import pytest

from authsvc.decide.credentials import Compare, NoMatch, cut, dummy_hash, fingerprint, identity, what_to_compare
from authsvc.decide.request import Claimed
from wharfinger.runtime.settings import Secret, User

HASH = b"$2y$04$" + b"a" * 53
ZOE = User("zoe", Secret(HASH), 1, {"team": ("core",)})
USERS = {"zoe": ZOE, "free": User("free", None, 2)}


def test_a_known_user() -> None:
    """Their own hash; what bcrypt does not read is cut, as Go cuts it."""
    assert what_to_compare(USERS, Claimed("zoe", "é" * 40)) == Compare(("é" * 40).encode()[:72], HASH)


@pytest.mark.parametrize(
    ("users", "claimed"),
    [(USERS, Claimed("nobody", "p")), (USERS, None), ({"": User("", Secret(HASH), 1)}, None)],
)
def test_no_match(users: dict[str, User], claimed: Claimed | None) -> None:
    """An unknown name; anonymous where that is not configured, or has a password, which no client can give."""
    assert what_to_compare(users, claimed) == NoMatch()


@pytest.mark.parametrize(("users", "claimed"), [(USERS, Claimed("free", "anything")), ({"": User("", None, 1)}, None)])
def test_no_password(users: dict[str, User], claimed: Claimed | None) -> None:
    """A user without one, and the anonymous where configured."""
    assert what_to_compare(users, claimed) == users["" if claimed is None else claimed.account]


@pytest.mark.parametrize("users", [USERS, {}, {"odd": User("odd", Secret(b"plain text"), 1)}])
def test_the_dummy(users: dict[str, User]) -> None:
    """It can be compared, is of the users' own cost if they have one, and is nobody's."""
    dummy = dummy_hash(users)
    assert dummy.startswith(b"$2b$04$" if users is USERS else b"$2b$10$")
    assert not bcrypt.checkpw(cut("p"), dummy.replace(b"$10$", b"$04$"))


def test_credentials_are_named_by_what_proves_them() -> None:
    """A changed password, name or key is another credential; no id shows either."""
    first = identity(b"k" * 32, ZOE)
    assert (first.account, first.credential.kind, first.labels) == ("zoe", "static", {"team": ("core",)})
    others = {
        identity(b"l" * 32, ZOE).credential.id,
        identity(b"k" * 32, User("zoe", Secret(HASH[:-1] + b"b"), 1)).credential.id,
        identity(b"k" * 32, USERS["free"]).credential.id,
        fingerprint(b"k" * 32, "zo", b"e" + HASH),
    }
    assert len({first.credential.id, *others}) == 5


def test_the_anonymous_identity() -> None:
    """It has no credential."""
    found = identity(b"k" * 32, User("", None, 1, {"tier": ("free",)}))
    assert (found.account, found.credential.kind, found.credential.id, found.labels) == (
        "",
        "anonymous",
        "",
        {"tier": ("free",)},
    )
