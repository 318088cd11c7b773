"""Decides what a password check must compare, and names a credential without revealing it. Compares nothing itself."""

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from authsvc.decide.request import Claimed
from wharfinger.runtime.settings import User
from wharfinger.wire.issuance import Credential
from wharfinger.wire.names import Account

MAX_PASSWORD: Final = 72
"""Bytes that bcrypt reads. Go's compare cuts silently, so hashes of longer passwords exist and must match."""
USUAL_COST: Final = b"10"
_DUMMY: Final = b"O" + b"0pQJ8pKQk9eX5s8l8Vv0m6fFhVQk3bW"
"""The last letter of a salt, which has few values, and a hash that was never computed of anything."""
_DUMMY_DOMAIN: Final = b"wharfinger/dummy/v1\x00"
_BCRYPT_ALPHABET: Final = b"./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_SALT_LETTERS: Final = 21
_COSTS: Final = frozenset(b"%02d" % cost for cost in range(4, 32))
_DOMAIN: Final = b"wharfinger/credential/v1\x00"

Labels = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Identity:
    """Somebody, proved: the account, by which credential, and its labels."""

    account: Account
    credential: Credential
    labels: Labels = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NoMatch:
    """This way knows no such account: the next one is asked."""


@dataclass(frozen=True, slots=True)
class WrongPassword:
    """The account is known here, and this is not its password: nobody else is asked."""


@dataclass(frozen=True, slots=True)
class Compare:
    """Compare this password with this hash."""

    password: bytes = field(repr=False)
    hashed: bytes = field(repr=False)


def what_to_compare(users: Mapping[str, User], claimed: Claimed | None) -> Compare | User | NoMatch:
    """What stands between a claim and being that account: a comparison, or nothing (the user has no password)."""
    user = users.get("" if claimed is None else claimed.account)
    if user is None:
        return NoMatch()
    if user.password_hash is None:
        return user
    if claimed is None:
        return NoMatch()  # an anonymous user with a password: no client can give one
    return Compare(cut(claimed.password), user.password_hash.reveal())


def cut(password: str) -> bytes:
    """The bytes of a password that bcrypt reads, as they were sent."""
    return password.encode("utf-8", "surrogateescape")[:MAX_PASSWORD]


def costs(users: Mapping[str, User]) -> tuple[bytes, ...]:
    """What comparing with each user's hash costs, in bcrypt's two digits; the usual cost when nobody has a hash."""
    found = (user.password_hash.reveal()[4:6] for user in users.values() if user.password_hash is not None)
    return tuple(cost for cost in found if cost in _COSTS) or (USUAL_COST,)


def dummy_hash(key: bytes, among: Sequence[bytes], account: str) -> bytes:
    """A hash that no known password has, for a name nobody has: it takes as long to compare as somebody's.

    The cost is one of those ``among`` the users', the salt is the name's own, both the same each time: tries at two such names
    are two compares, as they are with two users.
    """
    drawn = hmac.digest(key, _DUMMY_DOMAIN + account.encode("utf-8", "surrogatepass"), hashlib.sha256)
    salt = bytes(_BCRYPT_ALPHABET[one % len(_BCRYPT_ALPHABET)] for one in drawn[:_SALT_LETTERS])
    return b"$2b$" + among[int.from_bytes(drawn[-8:]) % len(among)] + b"$" + salt + _DUMMY


def identity(key: bytes, user: User) -> Identity:
    """A user of the file. The credential's id is a keyed fingerprint of the stored hash: a changed password is another one."""
    if not user.name:
        return Identity(Account(""), Credential(kind="anonymous", id=""), user.labels)
    stored = b"" if user.password_hash is None else user.password_hash.reveal()
    return Identity(Account(user.name), Credential(kind="static", id=fingerprint(key, user.name, stored)), user.labels)


def fingerprint(key: bytes, account: str, stored: bytes) -> str:
    """What names a credential, 96 bits in hex: of the account and of what is stored of its secret."""
    name = account.encode("utf-8", "surrogatepass")
    return hmac.digest(key, _DOMAIN + len(name).to_bytes(4) + name + stored, hashlib.sha256)[:12].hex()
