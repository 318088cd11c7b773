"""Decides how long wrong passwords make the next try wait: by account and network, by network alone, by account alone.

Somebody who attacks an account from elsewhere does not lock its owner out: where the password was proved lately, only wrong
ones from that very place count, against a limit of their own. The same wrong password sent again is no guess and counts once:
a client with a stale password repeats it for ever, containerd sends it twice each time.
"""

import hashlib
import hmac
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv6Address, ip_address
from typing import Final, TypeVar

from authsvc.decide.refusals import network_of

WINDOW_S: Final = 900
"""Failures are forgotten this long after the last of them; so are tries, and where a password was proved."""
TELL_AGAIN_S: Final = 300
"""Where a password is proved all the time, that is told so often: well within the window."""
MAX_COUNTED: Final = 10_000
"""Subjects, tries and places that one process remembers; the oldest are forgotten first."""
_DOMAIN: Final = b"wharfinger/attempts/v2\x00"
_MS: Final = 1_000
_TRY_DIGITS: Final = 3
_LONG_AGO: Final = -WINDOW_S * _MS
_NEVER: Final = (0, _LONG_AGO)
ValueT = TypeVar("ValueT")


class Kind(StrEnum):
    """What a failure counts for."""

    PAIR = "pair"
    """The account, from that network."""
    NETWORK = "network"
    """Any account, from that network."""
    ACCOUNT = "account"
    """The account, from anywhere."""
    PLACE = "place"
    """The account, from that address (IPv6: from that /64)."""


@dataclass(frozen=True, slots=True)
class Limit:
    """So many failures are free; then the pause doubles from one second up to the longest."""

    free: int
    longest_s: int

    def pause_s(self, failures: int) -> int:
        """Seconds to wait after so many failures."""
        over = failures - self.free
        return 0 if over <= 0 else min(self.longest_s, 1 << min(over - 1, 30))


LIMITS: Final = {
    Kind.PAIR: Limit(free=5, longest_s=300),
    Kind.NETWORK: Limit(free=50, longest_s=60),
    Kind.ACCOUNT: Limit(free=100, longest_s=30),
    Kind.PLACE: Limit(free=30, longest_s=300),
}
"""No pause is longer than WINDOW_S: it is told from how often, and how long ago, a subject failed."""
ANYWHERE: Final = (Kind.PAIR, Kind.NETWORK, Kind.ACCOUNT)
"""What holds where the password was not proved lately."""


@dataclass(frozen=True, slots=True)
class Failures:
    """How often a subject failed, and how long ago it did last."""

    count: int
    ago_ms: int


Subjects = Mapping[Kind, str]
"""What a try is counted under, each a keyed hash: names that nobody has may be passwords."""


def subjects(key: bytes, *, account: str, addr: str) -> Subjects:
    """What a try is counted under. Without an address there is neither network nor place."""
    network, place = network_of(addr), _place_of(addr)
    texts = {Kind.PAIR: f"{network}\x00{account}", Kind.ACCOUNT: account}
    if network:
        texts |= {Kind.NETWORK: network, Kind.PLACE: f"{place}\x00{account}"}
    return {kind: _hash(key, f"{kind}\x00{text}") for kind, text in texts.items()}


def same_try(key: bytes, *, account: str, password: str, addr: str) -> str:
    """A keyed hash, equal for the same account, password and place.

    Of the password only twelve bits: enough to tell one try from the next, too little for a thief of it to find one by.
    """
    digits = _hash(key, f"password\x00{password}")[:_TRY_DIGITS]
    return _hash(key, f"try\x00{_place_of(addr)}\x00{account}\x00{digits}")


def pause_s(found: Mapping[Kind, Failures], *, proved: bool) -> int:
    """Seconds until the next try, by what is known of its subjects; ``proved``: the password was, lately, at that place."""
    kinds: Iterable[Kind] = (Kind.PLACE,) if proved else ANYWHERE
    left_ms = (LIMITS[kind].pause_s(found[kind].count) * _MS - found[kind].ago_ms for kind in kinds if kind in found)
    return max(0, *(-(-left // _MS) for left in left_ms), 0)


class Counts:
    """Failures that one process counts by itself. Changed only by its methods, with the time given in milliseconds."""

    def __init__(self) -> None:
        self._failures: dict[str, tuple[int, int]] = {}
        self._tries: dict[str, int] = {}
        self._proved: dict[str, int] = {}
        self._told: dict[str, int] = {}

    def pause_s(self, tried: Subjects, now_ms: int) -> int:
        """Seconds until this may be tried again."""
        if not self._failures:
            return 0
        found = {kind: Failures(count, now_ms - last_ms) for kind, (count, last_ms) in self._found(tried, now_ms)}
        return pause_s(found, proved=_recent(self._proved.get(tried.get(Kind.PLACE, ""), _LONG_AGO), now_ms))

    def failed(self, tried: Subjects, same: str, now_ms: int) -> None:
        """A wrong password; ``same``: what that very try is known by."""
        if _recent(self._tries.get(same, _LONG_AGO), now_ms):
            return
        _put(self._tries, same, now_ms)
        before = dict(self._found(tried, now_ms))
        for kind, subject in tried.items():
            _put(self._failures, subject, (before.get(kind, _NEVER)[0] + 1, now_ms))

    def proved(self, tried: Subjects, now_ms: int) -> None:
        """The right password."""
        if Kind.PLACE in tried:
            _put(self._proved, tried[Kind.PLACE], now_ms)

    def told_lately(self, place: str, now_ms: int) -> bool:
        """Whether others were told not long ago that a password was proved at a place."""
        return now_ms - self._told.get(place, _LONG_AGO) < TELL_AGAIN_S * _MS

    def told(self, place: str, now_ms: int) -> None:
        """Others were told so just now."""
        _put(self._told, place, now_ms)

    def learn(self, tried: Subjects, found: Mapping[Kind, Failures], now_ms: int, *, proved: bool) -> None:
        """What others counted; where they know less than is known here, they have forgotten."""
        before = dict(self._found(tried, now_ms))
        for kind, failures in found.items():
            if failures.count >= before.get(kind, _NEVER)[0]:
                _put(self._failures, tried[kind], (failures.count, now_ms - failures.ago_ms))
        if proved:
            self.proved(tried, now_ms)

    def _found(self, tried: Subjects, now_ms: int) -> Iterator[tuple[Kind, tuple[int, int]]]:
        for kind, subject in tried.items():
            known = self._failures.get(subject, _NEVER)
            if _recent(known[1], now_ms):
                yield kind, known


def _recent(then_ms: int, now_ms: int) -> bool:
    return now_ms - then_ms < WINDOW_S * _MS


def _put(known: dict[str, ValueT], name: str, value: ValueT) -> None:
    # The oldest stands first: what is put again goes to the end.
    known.pop(name, None)
    if len(known) >= MAX_COUNTED:
        del known[next(iter(known))]
    known[name] = value


def _place_of(addr: str) -> str:
    try:
        parsed = ip_address(addr)
    except ValueError:
        return ""
    return network_of(addr) if isinstance(parsed, IPv6Address) else str(parsed)


def _hash(key: bytes, text: str) -> str:
    return hmac.digest(key, _DOMAIN + text.encode("utf-8", "surrogatepass"), hashlib.sha256)[:16].hex()
