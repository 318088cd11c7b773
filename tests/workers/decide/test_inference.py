"""Inference: one token that fits is inferred, several are named, none is no tie; it is never called exact."""

from dataclasses import replace

import pytest

from tests.workers.decide.test_attribution import EVENT, ISSUANCE
from wharfinger.wire.issuance import Issuance
from wharfinger.wire.names import Account, Jti, Repository
from workers.decide.attribution import Reason, Verdict
from workers.decide.inference import MAX_CANDIDATES, Candidates, infer

PLAIN = replace(EVENT, unverified_actor=ISSUANCE.account, occurred_at=ISSUANCE.issued_at * 1_000 + 5_000)


def issuance(jti: str, **more: object) -> Issuance:
    """Another token of the account."""
    fields = {name: getattr(ISSUANCE, name) for name in ISSUANCE.__struct_fields__}
    return Issuance(**fields | {"jti": Jti(jti)} | more)


OTHER_REPOSITORY = issuance("other", granted=())
LATER = issuance(
    "later", issued_at=ISSUANCE.issued_at + 9_999, not_before=ISSUANCE.issued_at + 9_989, expires_at=ISSUANCE.expires_at + 9_999
)
EXPIRED = issuance("expired", issued_at=ISSUANCE.issued_at - 9_000, not_before=0, expires_at=ISSUANCE.issued_at - 8_000)
ELSEWHERE = issuance("elsewhere", client_addr="192.0.2.1")
LONG_AGO = issuance("long ago", issued_at=1, not_before=1, expires_at=2)


@pytest.mark.parametrize(
    "candidates",
    [[ISSUANCE], [OTHER_REPOSITORY, ISSUANCE, LATER, LONG_AGO], [EXPIRED, ISSUANCE], [ELSEWHERE, ISSUANCE]],
    ids=["alone", "the only one that fits", "the only one alive", "the only one from there"],
)
def test_one_that_fits_is_inferred(candidates: list[Issuance]) -> None:
    """By grant and time; if several fit by that, by life and address."""
    found = infer(PLAIN, candidates)
    assert (found.verdict, found.jti, found.issuance) == (Verdict.INFERRED, ISSUANCE.jti, ISSUANCE)


def test_several_that_fit_are_named() -> None:
    """Newest first, not too many; none of them is said to be it."""
    several = [issuance(f"token {number}", issued_at=ISSUANCE.issued_at + number) for number in range(20)]
    found = infer(PLAIN, several)
    assert (found.verdict, found.jti, len(found.candidates)) == (Verdict.AMBIGUOUS, None, MAX_CANDIDATES)
    assert found.candidates[0] == "token 19"


@pytest.mark.parametrize("candidates", [[], [OTHER_REPOSITORY], [LATER], [LONG_AGO]])
def test_none_that_fits_is_no_tie(candidates: list[Issuance]) -> None:
    """The account stays what was claimed."""
    found = infer(PLAIN, candidates)
    assert (found.verdict, found.reason, found.account) == (Verdict.UNATTRIBUTED, Reason.NO_ID, ISSUANCE.account)


def test_an_event_without_a_time() -> None:
    """Then only the grant tells."""
    assert infer(replace(PLAIN, occurred_at=0), [ISSUANCE, OTHER_REPOSITORY]).verdict is Verdict.INFERRED


def test_a_late_upload_fits_its_token() -> None:
    """Hours after it expired, when no other fits."""
    late = replace(PLAIN, occurred_at=ISSUANCE.expires_at * 1_000 + 3 * 3_600_000)
    assert infer(late, [ISSUANCE]).jti == ISSUANCE.jti
    assert infer(replace(late, unverified_actor=Account("")), []).account == ""


def test_only_tokens_for_its_repository_can_be_its() -> None:
    """Of its account, and for no other name; one that is for several is found by each."""
    both = issuance("both", granted=(*ISSUANCE.granted, replace(ISSUANCE.granted[0], name="other")))
    found = Candidates({ISSUANCE.account: [ISSUANCE, OTHER_REPOSITORY, both], Account("max"): [ISSUANCE]})
    assert list(found.for_event(PLAIN)) == [ISSUANCE, both]
    assert list(found.for_event(replace(PLAIN, repository=Repository("other")))) == [both]
    assert list(found.for_event(replace(PLAIN, unverified_actor="nobody"))) == []
