"""The records authsvc leaves in Redis: one Issuance for a token, one Refusal for a token not given. Who decides is authsvc.

Both are frozen structs; fields are only ever added, with defaults. ``schema`` is raised when a reader must know the difference.
"""

from typing import Annotated, Final

import msgspec

from wharfinger.wire.codec import RECORD_FIELD, Whole, decode, encode
from wharfinger.wire.jti import SHAPE
from wharfinger.wire.names import Account, Jti
from wharfinger.wire.scope import Scope

SCHEMA: Final = 1


class Credential(msgspec.Struct, frozen=True):
    """What proved the account. The id never reveals the credential: a static user's is a keyed fingerprint of its hash."""

    kind: str
    """``static`` (a user of the configuration file), ``ext_auth`` (a program said so) or ``anonymous``."""
    id: str
    """Stable for as long as the credential is the same; a changed password is another credential. Empty if anonymous."""


class Issuance(msgspec.Struct, frozen=True, kw_only=True):
    """The record of one token: who asked, how that was proved, what was granted, and by which rule."""

    schema: int = SCHEMA
    jti: Annotated[Jti, msgspec.Meta(pattern=rf"\A{SHAPE}\Z")]
    account: Account
    credential: Credential
    authenticated_by: str
    """``basic``, ``form`` or ``none``."""
    client_addr: str
    """The peer's address as the socket saw it; empty on a unix socket."""
    claimed_addr: str = ""
    """What a proxy's header claimed; believed only when configured so."""
    user_agent: str = ""
    client_id: str = ""
    service: str = ""
    asked: tuple[Scope, ...] = ()
    granted: tuple[Scope, ...] = ()
    rules: tuple[int | None, ...] = ()
    """For each asked scope the 1-based index of the deciding rule; null when no rule matched."""
    deciders: tuple[str, ...] = ()
    """For each asked scope who decided: ``acl``, ``ext_authz``…; empty: nobody said anything, so nothing is granted."""
    policy: str = ""
    """Hash of the policy that decided."""
    issued_at: Whole
    """Seconds since the epoch."""
    not_before: Whole
    expires_at: Whole
    erased: bool = False
    """Its personal values were erased: the account is not known any more. Only the ledger says so."""


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """The record of a token not given, or of how many of them in one minute."""

    schema: int = SCHEMA
    id: str
    """Unique to the record."""
    reason: str
    """``wrong_password``, ``unknown_account``, ``anonymous_disabled``, ``backed_off``."""
    account: Account
    """A known account's name. Unknown names are empty here: people type passwords there."""
    account_hash: str = ""
    """Of an unknown name: a keyed hash, equal for equal names."""
    client_addr: str = ""
    network: str = ""
    """The client's /24 or /64, under which refusals are summed up."""
    user_agent: str = ""
    service: str = ""
    asked: tuple[Scope, ...] = ()
    count: Whole = 1
    """How many refusals this record stands for."""
    since: Whole
    until: Whole
    """Seconds since the epoch, first and last of them."""


def to_fields(record: Issuance | Refusal) -> dict[str, bytes]:
    """The record as the fields of a stream entry."""
    return {RECORD_FIELD: encode(record)}


def issuance_from_fields(fields: dict[bytes, bytes]) -> Issuance:
    """Read an entry of the issuances' stream. Raises UnreadableRecord."""
    return decode(Issuance, fields.get(RECORD_FIELD.encode(), b""))


def refusal_from_fields(fields: dict[bytes, bytes]) -> Refusal:
    """Read an entry of the refusals' stream. Raises UnreadableRecord."""
    return decode(Refusal, fields.get(RECORD_FIELD.encode(), b""))
