"""Back-off: how long wrong passwords make one wait, and whom they do not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authsvc.decide.backoff import (
    ANYWHERE,
    LIMITS,
    MAX_COUNTED,
    WINDOW_S,
    Counts,
    Failures,
    Kind,
    Limit,
    pause_s,
    same_try,
    subjects,
)

KEY = b"k" * 32
HERE = "192.0.2.7"
NEAR = "192.0.2.8"
AWAY = "198.51.100.7"
NOW = 1_795_477_894_000


class Guessing:
    """Counts with a clock, and somebody who tries passwords."""

    def __init__(self) -> None:
        self.counts = Counts()
        self.now = NOW
        self.tries = 0

    def wrong(self, account: str, addr: str, *, times: int = 1) -> int:
        """So many different wrong passwords; the pause that follows."""
        for _ in range(times):
            self.tries += 1
            same = same_try(KEY, account=account, password=f"guess {self.tries}", addr=addr)
            self.counts.failed(subjects(KEY, account=account, addr=addr), same, self.now)
        return self.pause(account, addr)

    def pause(self, account: str, addr: str) -> int:
        """Seconds until that account may be tried from there."""
        return self.counts.pause_s(subjects(KEY, account=account, addr=addr), self.now)

    def right(self, account: str, addr: str) -> None:
        """The right password."""
        self.counts.proved(subjects(KEY, account=account, addr=addr), self.now)


def test_pauses_double_up_to_the_longest() -> None:
    """The free ones cost nothing; then 1, 2, 4 s and so on, and never more than the longest."""
    limit = Limit(free=3, longest_s=10)
    assert [limit.pause_s(failures) for failures in range(9)] == [0, 0, 0, 0, 1, 2, 4, 8, 10]
    assert limit.pause_s(10**6) == 10


def test_an_account_alone_is_slowed_down_least() -> None:
    """Somebody else's guessing from elsewhere must not lock the owner out."""
    assert LIMITS[Kind.ACCOUNT].free > LIMITS[Kind.NETWORK].free > LIMITS[Kind.PAIR].free
    assert LIMITS[Kind.ACCOUNT].longest_s < LIMITS[Kind.NETWORK].longest_s < LIMITS[Kind.PAIR].longest_s
    assert max(limit.longest_s for limit in LIMITS.values()) <= WINDOW_S


@pytest.mark.parametrize(
    ("addr", "kinds"),
    [
        (HERE, set(Kind)),
        ("2001:db8::7", set(Kind)),
        ("", {Kind.PAIR, Kind.ACCOUNT}),
        ("unix", {Kind.PAIR, Kind.ACCOUNT}),
    ],
)
def test_what_a_failure_counts_for(addr: str, kinds: set[Kind]) -> None:
    """Each kind by a keyed hash; without an address there is neither network nor place."""
    found = subjects(KEY, account="zoe", addr=addr)
    assert set(found) == kinds
    assert len(set(found.values())) == len(kinds)
    assert "zoe" not in str(found)
    assert subjects(b"l" * 32, account="zoe", addr=addr) != found


@pytest.mark.parametrize(
    ("other", "shared"),
    [
        (("zoe", NEAR), {Kind.PAIR, Kind.NETWORK, Kind.ACCOUNT}),
        (("zoe", AWAY), {Kind.ACCOUNT}),
        (("yan", HERE), {Kind.NETWORK}),
        (("yan", AWAY), set()),
    ],
)
def test_what_two_tries_share(other: tuple[str, str], shared: set[Kind]) -> None:
    """A network is a /24; a place is one address."""
    one, two = subjects(KEY, account="zoe", addr=HERE), subjects(KEY, account=other[0], addr=other[1])
    assert {kind for kind in Kind if one[kind] == two[kind]} == shared


def test_an_ipv6_client_changes_its_address_at_will() -> None:
    """So its place is its /64."""
    places = {subjects(KEY, account="zoe", addr=addr)[Kind.PLACE] for addr in ("2001:db8::7", "2001:db8::8:9")}
    assert len(places) == 1


def test_the_same_try() -> None:
    """The same account, password and place; anything else is another, but for one of 4,096 passwords."""
    first = same_try(KEY, account="zoe", password="p", addr=HERE)
    assert first == same_try(KEY, account="zoe", password="p", addr=HERE)
    others = [("zoe", "q", HERE), ("yan", "p", HERE), ("zoe", "p", AWAY)]
    assert first not in {same_try(KEY, account=a, password=p, addr=addr) for a, p, addr in others}
    hashed = {same_try(KEY, account="zoe", password=str(number), addr=HERE) for number in range(12_000)}
    assert 3_500 < len(hashed) <= 4_096


def test_a_guesser_waits() -> None:
    """Five are free, then each costs twice as much; time alone lets go, and after a quarter of an hour all is forgotten."""
    one = Guessing()
    assert [one.wrong("zoe", HERE) for _ in range(9)] == [0, 0, 0, 0, 0, 1, 2, 4, 8]
    one.now += 7_001
    assert one.pause("zoe", HERE) == 1
    one.now += 999
    assert one.pause("zoe", HERE) == 0
    assert one.wrong("zoe", HERE) == 16
    one.now += WINDOW_S * 1_000
    assert one.pause("zoe", HERE) == 0
    assert one.wrong("zoe", HERE) == 0


def test_the_same_wrong_password_is_no_guess() -> None:
    """A client with a stale password repeats it for ever: that is one failure each quarter of an hour."""
    one = Guessing()
    tried, same = subjects(KEY, account="zoe", addr=HERE), same_try(KEY, account="zoe", password="stale", addr=HERE)
    for _ in range(800):
        one.now += 1_000
        one.counts.failed(tried, same, one.now)
    assert one.wrong("zoe", HERE, times=4) == 0
    assert one.wrong("zoe", HERE) == 1


def test_an_account_cannot_be_locked_out_from_elsewhere() -> None:
    """However much others guess from everywhere: where the password was right lately, it is tried at once."""
    one = Guessing()
    one.right("zoe", HERE)
    for number in range(400):
        one.wrong("zoe", f"203.0.{number % 200}.{number}")
    assert one.pause("zoe", AWAY) == LIMITS[Kind.ACCOUNT].longest_s
    assert one.pause("zoe", HERE) == 0
    assert one.pause("zoe", NEAR) == LIMITS[Kind.ACCOUNT].longest_s
    one.now += WINDOW_S * 1_000 - 1
    one.wrong("zoe", AWAY, times=200)
    assert one.pause("zoe", HERE) == 0
    one.now += 1
    assert one.pause("zoe", HERE) > 0


def test_a_neighbour_does_not_lock_an_owner_out() -> None:
    """Also one in the same network: the place's own failures count there, and no others."""
    one = Guessing()
    one.right("zoe", HERE)
    assert one.wrong("zoe", NEAR, times=40) == 300
    assert one.pause("zoe", HERE) == 0


def test_who_sits_at_a_proved_place_may_not_guess_either() -> None:
    """Behind the owner's own address: more tries are free there, not all."""
    one = Guessing()
    one.right("zoe", HERE)
    assert one.wrong("zoe", HERE, times=30) == 0
    assert [one.wrong("zoe", HERE) for _ in range(3)] == [1, 2, 4]


def test_a_network_that_tries_names_waits() -> None:
    """Fifty names are free; then every name waits there, and nowhere else."""
    one = Guessing()
    for number in range(51):
        one.wrong(f"name {number}", HERE)
    assert one.pause("zoe", NEAR) == 1
    assert one.pause("zoe", AWAY) == 0


def test_without_an_address() -> None:
    """On a unix socket without a proxy's header there is no place: the account's own limits hold."""
    one = Guessing()
    one.right("zoe", "")
    assert one.wrong("zoe", "", times=6) == 1


def test_what_others_counted() -> None:
    """It is learned, with how long ago it was; what is known better here stays."""
    one = Guessing()
    tried = subjects(KEY, account="zoe", addr=HERE)
    one.counts.learn(tried, {Kind.PAIR: Failures(9, 3_000)}, one.now, proved=False)
    assert one.pause("zoe", HERE) == 5
    one.counts.learn(tried, {Kind.PAIR: Failures(2, 0)}, one.now, proved=False)
    assert one.pause("zoe", HERE) == 5
    one.counts.learn(tried, {}, one.now, proved=True)
    assert one.pause("zoe", HERE) == 0


def test_what_others_were_told() -> None:
    """Once each five minutes for each place."""
    counts = Counts()
    assert not counts.told_lately("here", NOW)
    counts.told("here", NOW)
    assert [counts.told_lately("here", NOW + later) for later in (0, 299_999, 300_000)] == [True, True, False]
    assert not counts.told_lately("there", NOW)


def test_no_more_is_remembered_than_fits() -> None:
    """The oldest goes first: who guesses from very many networks makes nothing grow."""
    one = Guessing()
    assert one.wrong("zoe", HERE, times=6) == 1
    for number in range(MAX_COUNTED):
        one.right(f"name {number}", HERE)
        one.wrong("yan", f"10.{number // 65536}.{number // 256 % 256}.{number % 256}")
    assert one.pause("zoe", HERE) == 0
    assert max(map(len, (vars_of(one.counts)))) <= MAX_COUNTED


def vars_of(counts: Counts) -> list[dict[str, object]]:
    """Everything it remembers by."""
    return [value for value in vars(counts).values() if isinstance(value, dict)]


@given(
    st.dictionaries(st.sampled_from(Kind), st.builds(Failures, st.integers(0, 10**6), st.integers(0, WINDOW_S * 1_000))),
    st.booleans(),
)
def test_a_pause_is_bounded(found: dict[Kind, Failures], proved: bool) -> None:  # noqa: FBT001 - drawn
    """Never below nothing, never above the longest that holds there, and never longer for having failed longer ago."""
    kinds = (Kind.PLACE,) if proved else ANYWHERE
    longest = max(LIMITS[kind].longest_s for kind in kinds)
    now = pause_s(found, proved=proved)
    assert 0 <= now <= longest
    later = {kind: Failures(one.count, one.ago_ms + 1_000) for kind, one in found.items()}
    assert pause_s(later, proved=proved) == max(0, now - 1)
