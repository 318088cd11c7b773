"""Infers which token an event of a plain subject belongs to: whose account, grant and time fit. Never calls that exact.

For registries whose ``actor.name`` others read too, so that tokens carry the plain account (``token.subject: account``).
"""

from collections.abc import Mapping, Sequence
from typing import Final

from wharfinger.wire.event import RegistryEvent
from wharfinger.wire.issuance import Issuance
from wharfinger.wire.names import Account
from workers.decide.attribution import (
    LEEWAY_MS,
    LONGEST_UPLOAD_MS,
    SKEW_MS,
    Attribution,
    Reason,
    Verdict,
    missing_access,
)

MAX_CANDIDATES: Final = 10
"""Token ids named when several fit."""


class Candidates:
    """Issuances of accounts, by the repositories they are for: an event can only be of those that name its own."""

    def __init__(self, of_accounts: Mapping[Account, Sequence[Issuance]]) -> None:
        self._found: dict[tuple[Account, str], list[Issuance]] = {}
        for account, issuances in of_accounts.items():
            for issuance in issuances:
                for name in {scope.name for scope in issuance.granted}:
                    self._found.setdefault((account, name), []).append(issuance)

    def for_event(self, event: RegistryEvent) -> Sequence[Issuance]:
        """Those that may be an event's."""
        return self._found.get((Account(event.unverified_actor), event.repository), ())


def infer(event: RegistryEvent, candidates: Sequence[Issuance]) -> Attribution:
    """Tie an event to one of an account's tokens, as far as that can be told.

    Args:
        event: its actor names an account and no token.
        candidates: the account's issuances of the time before.

    Returns:
        ``inferred`` when one token fits, or fits clearly better than all others; ``ambiguous`` with the candidates when several
        do; ``unattributed``, ``no_id``, when none does.
    """
    account = Account(event.unverified_actor)
    fitting = [one for one in candidates if not missing_access(event, one) and _in_time(event, one, late_ms=LONGEST_UPLOAD_MS)]
    # Most events come while their token lives, from where it was asked for: what fits so is preferred, if it is one.
    for narrower in (fitting, *_narrowed(event, fitting)):
        if len(narrower) == 1:
            return Attribution(Verdict.INFERRED, account=account, jti=narrower[0].jti, issuance=narrower[0])
    if fitting:
        named = tuple(one.jti for one in sorted(fitting, key=lambda one: -one.issued_at)[:MAX_CANDIDATES])
        return Attribution(Verdict.AMBIGUOUS, account=account, candidates=named)
    return Attribution(Verdict.UNATTRIBUTED, Reason.NO_ID, account)


def _narrowed(event: RegistryEvent, fitting: Sequence[Issuance]) -> tuple[list[Issuance], list[Issuance]]:
    living = [one for one in fitting if _in_time(event, one, late_ms=0)]
    near = [one for one in living if event.client_addr and event.client_addr in {one.client_addr, one.claimed_addr}]
    return living, near


def _in_time(event: RegistryEvent, issuance: Issuance, *, late_ms: int) -> bool:
    if not event.occurred_at:
        return True
    start = issuance.not_before * 1_000 - LEEWAY_MS - SKEW_MS
    return start <= event.occurred_at <= issuance.expires_at * 1_000 + LEEWAY_MS + late_ms
