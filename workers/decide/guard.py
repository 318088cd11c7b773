"""Decides whether a claimed delivery may be sent now: what the ledger and the registry say of its tag against what was pushed.

The event of a push precedes the write of its tag, so a missing or other digest is looked at again for ten seconds.
"""

from dataclasses import dataclass
from typing import Final

from wharfinger.ledger.values import Claim, DeliveryState, Standing

SETTLING_MS: Final = 10_000
"""How long after the push its tag may still be on its way."""
QUICK_LOOKS_MS: Final = (20, 50, 100, 200)
"""Pauses between the looks of one claim; then the delivery goes back to waiting."""
NEXT_LOOK_MS: Final = 1_000


@dataclass(frozen=True, slots=True)
class Go:
    """Send it."""


@dataclass(frozen=True, slots=True)
class Stop:
    """End it without sending."""

    state: DeliveryState
    reason: str


@dataclass(frozen=True, slots=True)
class LookAgain:
    """The tag may still be on its way."""

    reason: str


def before_looking(claim: Claim, standing: Standing) -> Go | Stop:
    """What the ledger alone can tell."""
    if claim.verdict != "exact":
        return Stop(DeliveryState.REFUSED, f"the push is not tied to a token: {claim.verdict}")
    if standing.later_digest is not None:
        return Stop(DeliveryState.SUPERSEDED, f"{claim.tag} was pushed again, as {standing.later_digest}")
    if standing.overtaken:
        return Stop(DeliveryState.SUPERSEDED, "a later push was delivered to this target already")
    return Go()


def after_looking(claim: Claim, found: str | None, *, now_ms: int) -> Go | Stop | LookAgain:
    """What the registry's answer means.

    Args:
        claim: the delivery.
        found: the tag's digest as the registry has it now; None when there is no such tag.
        now_ms: milliseconds since the epoch.
    """
    if found == claim.digest:
        return Go()
    what = f"the registry has no tag {claim.tag}" if found is None else f"{claim.tag} is {found} in the registry"
    if now_ms - claim.created_at < SETTLING_MS:
        return LookAgain(what)
    state = DeliveryState.TAG_MISSING if found is None else DeliveryState.SUPERSEDED
    return Stop(state, what)
