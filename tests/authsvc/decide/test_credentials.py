"""Credentials: what must be compared, and how one is named."""

import bcrypt
import pytest

from authsvc.decide.credentials import Compare, NoMatch, costs, cut, dummy_hash, fingerprint, identity, what_to_compare
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


KEY = b"k" * 32
NAMES = [f"name {number}" for number in range(200)]


@pytest.mark.parametrize(
    ("users", "expected"),
    [
        (USERS, (b"04",)),
        ({}, (b"10",)),
        ({"odd": User("odd", Secret(b"plain text"), 1), "odder": User("odder", Secret(b"$2b$99$" + b"a" * 53), 2)}, (b"10",)),
        ({"a": ZOE, "b": User("b", Secret(b"$2a$12$" + b"a" * 53), 2), "c": ZOE}, (b"04", b"12", b"04")),
    ],
)
def test_costs(users: dict[str, User], expected: tuple[bytes, ...]) -> None:
    """One for each hash that is one; the usual one when there is none."""
    assert costs(users) == expected


def test_a_name_nobody_has_costs_what_somebodys_does() -> None:
    """The costs of unknown names are spread as the users' are, and a name's own is the same each time."""
    found = [dummy_hash(KEY, (b"04", b"12", b"04"), name)[4:6] for name in NAMES]
    assert found == [dummy_hash(KEY, (b"04", b"12", b"04"), name)[4:6] for name in NAMES]
    assert 100 < found.count(b"04") < 165
    assert found.count(b"04") + found.count(b"12") == len(NAMES)


def test_a_dummy_is_a_name_s_own_hash() -> None:
    """It can be compared, is nobody's, and no two names share one: two tries at once are two compares, as with users."""
    hashes = [dummy_hash(KEY, (b"04",), name) for name in NAMES]
    assert len(set(hashes)) == len(NAMES)
    assert not any(bcrypt.checkpw(cut("p"), one) for one in hashes)
    assert dummy_hash(b"l" * 32, (b"04",), NAMES[0]) != hashes[0]


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
