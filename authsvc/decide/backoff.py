"""Decides how long wrong passwords make the next try wait: by account and network, by network alone, by account alone.

An account that somebody else attacks from elsewhere is slowed down for its owner by seconds at most, and not at all where the
owner's password was proved a moment ago; a single network is slowed down by minutes.
"""

import hashlib
import hmac
from dataclasses import dataclass
from typing import Final

WINDOW_S: Final = 900
"""Failures are forgotten this long after the last of them."""
SAME_TRY_S: Final = 10
"""The same password for the same account from the same address within this is one failure: containerd POSTs, then GETs."""
_DOMAIN: Final = b"wharfinger/attempts/v1\x00"


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
    "pair": Limit(free=5, longest_s=300),
    "network": Limit(free=50, longest_s=60),
    "account": Limit(free=100, longest_s=30),
}
"""What is counted: the account from that network, the network, the account from anywhere."""


def counted(key: bytes, *, account: str, network: str) -> dict[str, str]:
    """What one failure counts for: each kind with a keyed hash, for account names nobody has may be passwords."""
    subjects = {"pair": f"{network}\x00{account}", "account": account}
    if network:
        subjects["network"] = network
    return {kind: _hash(key, f"{kind}\x00{subject}") for kind, subject in subjects.items()}


def same_try(key: bytes, *, account: str, password: str, addr: str) -> str:
    """A keyed hash that is equal for the same try."""
    return _hash(key, f"try\x00{addr}\x00{account}\x00{password}")


def _hash(key: bytes, text: str) -> str:
    return hmac.digest(key, _DOMAIN + text.encode("utf-8", "surrogatepass"), hashlib.sha256)[:16].hex()
