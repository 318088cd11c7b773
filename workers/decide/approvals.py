"""Decides what votes mean for a delivery, and whose vote counts. Who voted was proved before; here it is a name.

A vote is on one delivery, so on one digest for one target: what is pushed next, nobody has approved.
"""

from collections.abc import Sequence

from wharfinger.ledger.values import Vote
from wharfinger.runtime.settings import Approvals


def counted(approvals: Approvals, votes: Sequence[Vote], *, pusher: str | None, pushed_at: int) -> tuple[str, ...]:
    """Who has approved in time, in the order of their first vote, each once."""
    until = deadline(approvals, pushed_at)
    voters = (vote.account for vote in votes if vote.approves and vote.at <= until)
    return tuple(dict.fromkeys(voter for voter in voters if not why_not(approvals, voter, pusher)))


def rejection(approvals: Approvals, votes: Sequence[Vote], *, pusher: str | None) -> Vote | None:
    """The first vote against it of somebody whose vote counts."""
    against = (vote for vote in votes if not vote.approves)
    return next((vote for vote in against if not why_not(approvals, vote.account, pusher)), None)


def why_not(approvals: Approvals, voter: str, pusher: str | None) -> str:
    """Why somebody's vote does not count; empty when it does."""
    if voter not in approvals.approvers:
        return f"{voter} is none of the rule's approvers"
    if approvals.four_eyes and pusher is None:
        return "nobody is known to have pushed it, and four_eyes asks for another than who did"
    if approvals.four_eyes and voter == pusher:
        return f"{voter} pushed it, and four_eyes asks for another"
    return ""


def deadline(approvals: Approvals, pushed_at: int) -> int:
    """When approvals come too late, milliseconds since the epoch."""
    return pushed_at + int(approvals.within_s * 1_000)
