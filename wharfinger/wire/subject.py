"""The ``sub`` claim: ``account#jti``, made by authsvc and read back from ``actor.name`` by settle. Decides no authenticity."""

from dataclasses import dataclass
from functools import lru_cache

from wharfinger.wire.jti import has_shape
from wharfinger.wire.names import Account, Jti, Subject

SEPARATOR = "#"


@dataclass(frozen=True, slots=True)
class TokenSubject:
    """A subject that names its token; whether truly so, only :func:`wharfinger.wire.jti.verify` can say."""

    unverified_account: Account
    unverified_jti: Jti


@dataclass(frozen=True, slots=True)
class PlainSubject:
    """A subject without an id of ours: of another issuer, of an older shape, or plain by configuration."""

    text: str


def format_subject(account: Account, jti: Jti) -> Subject:
    """The subject of one token; ``#jti`` for the anonymous account."""
    return Subject(f"{account}{SEPARATOR}{jti}")


@lru_cache(maxsize=1_024)
def parse_subject(text: str) -> TokenSubject | PlainSubject:
    """Read a subject from the right: an account may hold ``#`` itself. A token's stands in each of its events."""
    account, found, jti = text.rpartition(SEPARATOR)
    if found and has_shape(jti):
        return TokenSubject(Account(account), Jti(jti))
    return PlainSubject(text)
