"""Refusals: ten a minute one by one, then a sum; unknown names only as hashes."""

import pytest

from authsvc.decide import refusals
from authsvc.decide.refusals import MAX_WINDOWS, SINGLE_PER_MINUTE, RefusalSums, network_of, unknown_name
from wharfinger.wire.issuance import Refusal
from wharfinger.wire.names import Account


def refusal(at: int = 0, *, account: str = "zoe", network: str = "10.0.0.0/24") -> Refusal:
    """One refusal at a second."""
    return Refusal(id="r", reason="wrong_password", account=Account(account), network=network, since=at, until=at)


def test_ten_then_a_sum() -> None:
    """The eleventh and later of a minute become one record with their count and span."""
    sums = RefusalSums()
    admitted = [sums.admit(refusal(at)) for at in range(SINGLE_PER_MINUTE + 5)]
    assert [one is not None for one in admitted] == [True] * SINGLE_PER_MINUTE + [False] * 5
    assert sums.close(59) == []
    (summed,) = sums.close(60)
    assert (summed.count, summed.since, summed.until) == (5, 10, 14)
    assert sums.admit(refusal(61)) is not None


def test_each_account_and_network_counts_for_itself() -> None:
    """A noisy neighbour hides nobody."""
    sums = RefusalSums()
    for _ in range(SINGLE_PER_MINUTE):
        sums.admit(refusal())
    assert sums.admit(refusal()) is None
    assert sums.admit(refusal(account="ann")) is not None
    assert sums.admit(refusal(network="10.0.1.0/24")) is not None


def test_at_the_end_all_sums_are_told() -> None:
    """Stopping loses no count, and windows without a sum are nothing."""
    sums = RefusalSums()
    for _ in range(SINGLE_PER_MINUTE + 1):
        sums.admit(refusal())
    sums.admit(refusal(account="ann"))
    assert [one.count for one in sums.close(None)] == [1]


def test_the_table_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the bound all others share one window."""
    monkeypatch.setattr(refusals, "MAX_WINDOWS", 2)
    sums = RefusalSums()
    found = [sums.admit(refusal(account=f"a{number}")) for number in range(2 + SINGLE_PER_MINUTE + 1)]
    assert found[-1] is None
    assert MAX_WINDOWS > 2


@pytest.mark.parametrize(
    ("address", "network"), [("10.1.2.3", "10.1.2.0/24"), ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"), ("", ""), ("x", "")]
)
def test_networks(address: str, network: str) -> None:
    """Addresses of one subscriber count together."""
    assert network_of(address) == network


def test_unknown_names_are_hashed_under_a_key() -> None:
    """Equal for equal names, not guessable without the key."""
    assert unknown_name(b"k", "pa55") == unknown_name(b"k", "pa55") != unknown_name(b"l", "pa55")
    assert "pa55" not in unknown_name(b"k", "pa55")
