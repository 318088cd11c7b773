"""Decides which token, if any, authorised an event: a verified tie, never an assumed one. Looks nothing up.

A violation (``forged``, ``account_mismatch``, ``outside_grant``) is an alarm, and the event is kept all the same. Time and
address never reject: an upload may end hours after its token expired, and a proxy's word may differ; both are remarked.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from wharfinger.wire.event import Action, RegistryEvent
from wharfinger.wire.issuance import Issuance
from wharfinger.wire.jti import Proof
from wharfinger.wire.names import Account, Jti, Repository
from wharfinger.wire.scope import covers
from wharfinger.wire.subject import TokenSubject, parse_subject

LEEWAY_MS: Final = 60_000
"""Registries accept a token 60 s before nbf and after exp (distribution, all releases)."""
SKEW_MS: Final = 300_000
"""Clocks of registry and authsvc may differ by this before it is remarked."""
LONGEST_UPLOAD_MS: Final = 24 * 3_600_000
"""An event later than this after its token's exp is remarked."""


class Verdict(StrEnum):
    """What was found."""

    EXACT = "exact"
    INFERRED = "inferred"
    AMBIGUOUS = "ambiguous"
    UNATTRIBUTED = "unattributed"
    FORGED = "forged"
    ACCOUNT_MISMATCH = "account_mismatch"
    OUTSIDE_GRANT = "outside_grant"


class Reason(StrEnum):
    """Why there is no tie."""

    NONE = ""
    NO_ACTOR = "no_actor"
    NO_ID = "no_id"
    RECORD_LOST = "record_lost"


class Flag(StrEnum):
    """A remark that changes no verdict."""

    ADDR_DIFFERS = "addr_differs"
    BEFORE_ISSUANCE = "before_issuance"
    LONG_AFTER_EXPIRY = "long_after_expiry"
    CLOCK_SKEW = "clock_skew"


ANONYMOUS: Final = Account("")
VIOLATIONS: Final = frozenset({Verdict.FORGED, Verdict.ACCOUNT_MISMATCH, Verdict.OUTSIDE_GRANT})

# What a registry asks of a token for each action (distribution, registry/handlers/app.go appendAccessRecords).
_NEEDED: Final[dict[Action, tuple[str, ...]]] = {
    Action.PUSH: ("pull", "push"),
    Action.PULL: ("pull",),
    Action.PROBE: ("pull",),
    Action.MOUNT: ("pull", "push"),
    Action.DELETE: ("delete",),
    Action.UNTAG: ("delete",),
}


@dataclass(frozen=True, slots=True)
class Attribution:
    """An event's tie to a token. ``account`` is proved only when the verdict is exact; else it is what was claimed."""

    verdict: Verdict
    reason: Reason = Reason.NONE
    account: Account = ANONYMOUS
    jti: Jti | None = None
    issuance: Issuance | None = None
    flags: tuple[Flag, ...] = field(default=())
    missing: str = ""
    """For ``outside_grant``: the access the grant lacks, as ``repository:action``."""
    candidates: tuple[Jti, ...] = field(default=())
    """For ``ambiguous``: the tokens that fit, newest first."""


def claimed_jti(event: RegistryEvent) -> Jti | None:
    """The token id an event names, if any: what a caller looks up before :func:`attribute`."""
    subject = parse_subject(event.unverified_actor)
    return subject.unverified_jti if isinstance(subject, TokenSubject) else None


def attribute(event: RegistryEvent, issuance: Issuance | None, proof: Proof, *, received_ms: int) -> Attribution:
    """Tie one event to its token.

    Args:
        event: as read.
        issuance: the record of the id the event names, if one was found.
        proof: what that id says of itself for the account beside it.
        received_ms: when the notifier got it, milliseconds since the epoch.
    """
    if not event.actor_is_text:
        return Attribution(Verdict.UNATTRIBUTED, Reason.NO_ACTOR)
    subject = parse_subject(event.unverified_actor)
    if not isinstance(subject, TokenSubject):
        return Attribution(Verdict.UNATTRIBUTED, Reason.NO_ID, Account(subject.text))
    account, jti = subject.unverified_account, subject.unverified_jti
    if issuance is not None and not issuance.erased and issuance.account != account:
        return Attribution(Verdict.ACCOUNT_MISMATCH, account=account, jti=jti, issuance=issuance)
    if proof is not Proof.AUTHENTIC:
        return Attribution(Verdict.FORGED, account=account, jti=jti)
    if issuance is None:
        return Attribution(Verdict.UNATTRIBUTED, Reason.RECORD_LOST, account, jti)
    flags = _flags(event, issuance, received_ms)
    missing = missing_access(event, issuance)
    verdict = Verdict.OUTSIDE_GRANT if missing else Verdict.EXACT
    return Attribution(verdict, account=account, jti=jti, issuance=issuance, flags=flags, missing=missing)


def missing_access(event: RegistryEvent, issuance: Issuance) -> str:
    """What an event did that a grant does not allow, as ``repository:action``; empty when it allows all of it."""
    needed: list[tuple[Repository, str]] = [(event.repository, action) for action in _NEEDED.get(event.action, ())]
    if event.action is Action.MOUNT and event.from_repository:
        needed.append((event.from_repository, "pull"))
    if event.action is Action.OTHER:
        # An action no registry has: nothing in a grant can cover it.
        return f"{event.repository}:{event.action_said[:32]}"
    for repository, action in needed:
        if not covers(issuance.granted, kind="repository", name=repository, action=action):
            return f"{repository}:{action}"
    return ""


def _flags(event: RegistryEvent, issuance: Issuance, received_ms: int) -> tuple[Flag, ...]:
    flags = []
    seen = {issuance.client_addr, issuance.claimed_addr} - {""}
    if event.client_addr and seen and event.client_addr not in seen:
        flags.append(Flag.ADDR_DIFFERS)
    if event.occurred_at:
        if event.occurred_at < issuance.issued_at * 1_000 - LEEWAY_MS - SKEW_MS:
            flags.append(Flag.BEFORE_ISSUANCE)
        if event.occurred_at > issuance.expires_at * 1_000 + LEEWAY_MS + LONGEST_UPLOAD_MS:
            flags.append(Flag.LONG_AFTER_EXPIRY)
        if event.occurred_at > received_ms + SKEW_MS:
            flags.append(Flag.CLOCK_SKEW)
    return tuple(flags)
