"""What votes mean: whose count, each once, in time; and who never counts."""

import pytest

from wharfinger.ledger.values import Vote
from wharfinger.runtime.settings import Approvals
from workers.decide.approvals import counted, deadline, rejection, why_not

ASKED = Approvals(2, ("zoe", "yan"), within_s=60.0)
STRICT = Approvals(1, ("zoe", "yan"), within_s=60.0, four_eyes=True)
PUSHED = 1_000_000


def vote(account: str, *, approves: bool = True, at: int = PUSHED) -> Vote:
    """One."""
    return Vote(account, approves, "", at)


@pytest.mark.parametrize(
    ("asked", "votes", "pusher", "expected"),
    [
        (ASKED, [], "ci", ()),
        (ASKED, [vote("zoe"), vote("yan")], "ci", ("zoe", "yan")),
        (ASKED, [vote("zoe"), vote("zoe")], "ci", ("zoe",)),
        (ASKED, [vote("kim"), vote("")], "ci", ()),
        (ASKED, [vote("zoe", approves=False)], "ci", ()),
        (ASKED, [vote("zoe", at=PUSHED + 60_000), vote("yan", at=PUSHED + 60_001)], "ci", ("zoe",)),
        (ASKED, [vote("zoe")], "zoe", ("zoe",)),
        (STRICT, [vote("zoe"), vote("yan")], "zoe", ("yan",)),
        (STRICT, [vote("zoe")], None, ()),
    ],
)
def test_who_has_approved(asked: Approvals, votes: list[Vote], pusher: str | None, expected: tuple[str, ...]) -> None:
    """Approvers, once each, in time; with four eyes not who pushed, and nobody when that is not known. Who was erased is nobody."""
    assert counted(asked, votes, pusher=pusher, pushed_at=PUSHED) == expected


@pytest.mark.parametrize(
    ("asked", "votes", "pusher", "expected"),
    [
        (ASKED, [vote("zoe")], "ci", None),
        (ASKED, [vote("kim", approves=False)], "ci", None),
        (ASKED, [vote("yan"), vote("zoe", approves=False)], "ci", "zoe"),
        # However late: it is still not wanted.
        (ASKED, [vote("zoe", approves=False, at=PUSHED + 99_999)], "ci", "zoe"),
        (STRICT, [vote("zoe", approves=False)], "zoe", None),
    ],
)
def test_a_rejection(asked: Approvals, votes: list[Vote], pusher: str | None, expected: str | None) -> None:
    """The first of an approver."""
    found = rejection(asked, votes, pusher=pusher)
    assert (None if found is None else found.account) == expected


@pytest.mark.parametrize(
    ("asked", "voter", "pusher", "why"),
    [
        (ASKED, "zoe", "zoe", ""),
        (ASKED, "kim", "ci", "kim is none of the rule's approvers"),
        (STRICT, "zoe", "ci", ""),
        (STRICT, "zoe", "zoe", "zoe pushed it, and four_eyes asks for another"),
        (STRICT, "zoe", None, "nobody is known to have pushed it, and four_eyes asks for another than who did"),
    ],
)
def test_why_a_vote_does_not_count(asked: Approvals, voter: str, pusher: str | None, why: str) -> None:
    """It is told before somebody gives it."""
    assert why_not(asked, voter, pusher) == why


def test_the_deadline() -> None:
    """Runs from the push on."""
    assert deadline(ASKED, PUSHED) == PUSHED + 60_000
