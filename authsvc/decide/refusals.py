"""Decides which refusals are recorded one by one, and sums up the rest: ten a minute for each account and network.

Unknown names are never recorded in clear: people type passwords there. They become keyed hashes, equal for equal names.
"""

import hashlib
import hmac
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Final

from wharfinger.wire.issuance import Refusal

SINGLE_PER_MINUTE: Final = 10
WINDOW_S: Final = 60
MAX_WINDOWS: Final = 10_000
"""Accounts and networks counted at once; beyond, one sum stands for all the others."""
_DOMAIN: Final = b"wharfinger/unknown-account/v1\x00"
_V4_BITS: Final = 24
_V6_BITS: Final = 64

Key = tuple[str, str, str]


@dataclass(slots=True)
class _Window:
    since: int
    seen: int
    summed: Refusal | None = None


class RefusalSums:
    """The counts of the running minute. Changed only by :meth:`admit` and :meth:`close`, with the time given."""

    def __init__(self) -> None:
        self._windows: dict[Key, _Window] = {}

    def admit(self, refusal: Refusal) -> Refusal | None:
        """What to record now for one refusal: itself, or nothing, for it is added to its window's sum."""
        key = (refusal.account or refusal.account_hash, refusal.network, refusal.reason)
        if key not in self._windows and len(self._windows) >= MAX_WINDOWS:
            key = ("", "", "")
        window = self._windows.setdefault(key, _Window(refusal.since, 0))
        window.seen += 1
        if window.seen <= SINGLE_PER_MINUTE:
            return refusal
        if window.summed is None:
            window.summed = replace_sum(refusal, count=1, until=refusal.until)
        else:
            window.summed = replace_sum(window.summed, count=window.summed.count + 1, until=refusal.until)
        return None

    def close(self, now: int | None) -> list[Refusal]:
        """The sums of every window that is over; of all of them when ``now`` is None, at the end."""
        over = [key for key, window in self._windows.items() if now is None or now - window.since >= WINDOW_S]
        closed = [self._windows.pop(key) for key in over]
        return [window.summed for window in closed if window.summed is not None]


def replace_sum(refusal: Refusal, *, count: int, until: int) -> Refusal:
    """A refusal that stands for several."""
    fields = {name: getattr(refusal, name) for name in refusal.__struct_fields__}
    return Refusal(**fields | {"count": count, "until": until})


def network_of(address: str) -> str:
    """The client's /24 or /64, empty when the address is unknown."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return ""
    bits = _V6_BITS if isinstance(parsed, IPv6Address) else _V4_BITS
    return str(ip_network(f"{parsed}/{bits}", strict=False))


def unknown_name(key: bytes, account: str) -> str:
    """A keyed hash of a name nobody has, 128 bits in hex."""
    return hmac.digest(key, _DOMAIN + account.encode("utf-8", "surrogatepass"), hashlib.sha256)[:16].hex()
