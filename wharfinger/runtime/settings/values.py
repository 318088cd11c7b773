"""Values that every service's settings are made of: secrets, addresses, key pairs."""

import hmac
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path

Network = IPv4Network | IPv6Network


class Secret:
    """Bytes that must not be shown: prints as ``***``, compares in constant time."""

    __slots__ = ("_value",)

    def __init__(self, value: bytes) -> None:
        self._value = value

    def __repr__(self) -> str:
        return "Secret(***)"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(self._value, other._value)

    __hash__ = None  # type: ignore[assignment]  # a hash would let a set tell secrets apart

    def __reduce__(self) -> str:
        raise TypeError("a secret is not pickled")

    def reveal(self) -> bytes:
        """The bytes, for the one call that needs them."""
        return self._value

    def matches(self, claimed: bytes) -> bool:
        """Whether a claimed value is this one, in time that does not tell how near it came."""
        return hmac.compare_digest(self._value, claimed)


@dataclass(frozen=True, slots=True)
class Address:
    """Where a service listens: host (empty: every interface) and TCP port; or the path of a unix socket."""

    host: str = ""
    port: int = 0
    unix: str = ""

    def __str__(self) -> str:
        return self.unix or (f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}")


@dataclass(frozen=True, slots=True)
class TlsPair:
    """Paths of a PEM certificate (chain) and its key. ``line``, ``column``: where the file names them."""

    certificate: Path
    key: Path
    line: int = 0
    column: int = 0
