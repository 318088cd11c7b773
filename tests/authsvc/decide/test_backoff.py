"""Back-off: how long wrong passwords make one wait."""

from authsvc.decide.backoff import LIMITS, Limit, counted, same_try

KEY = b"k" * 32


def test_pauses_double_up_to_the_longest() -> None:
    """The free ones cost nothing; then 1, 2, 4 s and so on, and never more than the longest."""
    limit = Limit(free=3, longest_s=10)
    assert [limit.pause_s(failures) for failures in range(9)] == [0, 0, 0, 0, 1, 2, 4, 8, 10]
    assert limit.pause_s(10**6) == 10


def test_an_account_alone_is_slowed_down_least() -> None:
    """Somebody else's guessing from elsewhere must not lock the owner out."""
    assert LIMITS["account"].free > LIMITS["network"].free > LIMITS["pair"].free
    assert LIMITS["account"].longest_s < LIMITS["network"].longest_s < LIMITS["pair"].longest_s


def test_what_a_failure_counts_for() -> None:
    """Pair, account and network, each by a keyed hash; without an address there is no network."""
    one = counted(KEY, account="zoe", network="10.0.0.0/24")
    assert set(one) == set(LIMITS)
    assert len(set(one.values())) == 3
    assert "zoe" not in str(one)
    assert counted(KEY, account="zoe", network="10.0.1.0/24")["account"] == one["account"]
    assert set(counted(KEY, account="zoe", network="")) == {"pair", "account"}
    assert counted(b"l" * 32, account="zoe", network="10.0.0.0/24") != one


def test_the_same_try() -> None:
    """The same account, password and address; anything else is another."""
    first = same_try(KEY, account="zoe", password="p", addr="10.0.0.1")
    assert first == same_try(KEY, account="zoe", password="p", addr="10.0.0.1")
    others = [("zoe", "q", "10.0.0.1"), ("yan", "p", "10.0.0.1"), ("zoe", "p", "10.0.0.2")]
    assert first not in {same_try(KEY, account=a, password=p, addr=addr) for a, p, addr in others}
