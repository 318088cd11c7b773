"""What authsvc needs of the world around it."""

from collections.abc import Callable, Mapping
from typing import Protocol

from wharfinger.wire.issuance import Issuance, Refusal


class PasswordCheck(Protocol):
    """Comparing passwords, off the event loop."""

    async def matches(self, password: bytes, hashed: bytes) -> bool:
        """Whether a password is the one of a hash; a malformed hash has none. Raises Unavailable when too many wait."""


class IssuanceStream(Protocol):
    """Where issuances are recorded."""

    async def record(self, issuance: Issuance) -> None:
        """Return once it is durable. Raises Unavailable: it may or may not be; the token must not leave."""


class RefusalStream(Protocol):
    """Where refusals are recorded."""

    async def record(self, refusal: Refusal) -> None:
        """Return once it is durable. Raises Unavailable."""


class Signer(Protocol):
    """Signing tokens."""

    def sign(self, claims: Mapping[str, object], *, now: int) -> str:
        """The token in compact form."""


Clock = Callable[[], int]
"""Milliseconds since the epoch."""

Nonces = Callable[[int], int]
"""That many random bits, from the system's generator."""
