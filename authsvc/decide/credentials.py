"""Decides what a password check must compare, and names a credential without revealing it. Compares nothing itself."""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from authsvc.decide.request import Claimed
from wharfinger.runtime.settings import User
from wharfinger.wire.issuance import Credential
from wharfinger.wire.names import Account

MAX_PASSWORD: Final = 72
"""Bytes that bcrypt reads. Go's compare cuts silently, so hashes of longer passwords exist and must match."""
USUAL_COST: Final = b"10"
_DUMMY: Final = b"XyKq1vJ2mH5oB0F7m9cJxO0pQJ8pKQk9eX5s8l8Vv0m6fFhVQk3bW"
_DOMAIN: Final = b"wharfinger/credential/v1\x00"


@dataclass(frozen=True, slots=True)
class Compare:
    """Compare this password with this hash; ``known`` is false for the dummy."""

    password: bytes = field(repr=False)
    hashed: bytes = field(repr=False)
    known: bool


@dataclass(frozen=True, slots=True)
class NoPassword:
    """The user has none: any is accepted, also none (docker_auth's ``{}``)."""


@dataclass(frozen=True, slots=True)
class NotAllowed:
    """Anonymous access is not configured."""


def what_to_compare(users: Mapping[str, User], claimed: Claimed | None) -> Compare | NoPassword | NotAllowed:
    """What stands between a claim and being that account."""
    if claimed is None:
        anonymous = users.get("")
        return NotAllowed() if anonymous is None or anonymous.password_hash is not None else NoPassword()
    user = users.get(claimed.account)
    password = claimed.password.encode("utf-8", "surrogatepass")[:MAX_PASSWORD]
    if user is None:
        return Compare(password, dummy_hash(users), known=False)
    if user.password_hash is None:
        return NoPassword()
    return Compare(password, user.password_hash.reveal(), known=True)


def dummy_hash(users: Mapping[str, User]) -> bytes:
    """A hash that no known password has, of the users' own cost: a name nobody has takes as long as a wrong password."""
    costs = (user.password_hash.reveal()[4:6] for user in users.values() if user.password_hash is not None)
    return b"$2b$" + next(costs, USUAL_COST) + b"$" + _DUMMY


def credential(key: bytes, user: User | None) -> Credential:
    """The id of what proved an account: a keyed fingerprint of the stored hash, so that a changed password is another."""
    if user is None or not user.name:
        return Credential(kind="anonymous", id="")
    stored = b"" if user.password_hash is None else user.password_hash.reveal()
    name = user.name.encode("utf-8", "surrogatepass")
    text = _DOMAIN + len(name).to_bytes(4) + name + stored
    return Credential(kind="static", id=hmac.digest(key, text, hashlib.sha256)[:12].hex())


def account_of(claimed: Claimed | None) -> Account:
    """The account of accepted credentials; never what a parameter says."""
    return Account("" if claimed is None else claimed.account)
