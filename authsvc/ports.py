"""What authsvc needs of the world around it."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

from authsvc.decide.credentials import Identity, NoMatch, WrongPassword
from authsvc.decide.request import Claimed
from wharfinger.policy import Request
from wharfinger.wire.issuance import Issuance, Refusal


class PasswordCheck(Protocol):
    """Comparing passwords, off the event loop."""

    async def matches(self, password: bytes, hashed: bytes) -> bool:
        """Whether a password is the one of a hash; a malformed hash has none. Raises Unavailable when too many wait."""

    def remembers(self, password: bytes, hashed: bytes) -> bool:
        """Whether that very pair matched a moment ago: answered at once, without comparing."""


class Authenticator(Protocol):
    """One way to tell who somebody is. The first that knows the account decides."""

    def recall(self, claimed: Claimed) -> Identity | None:
        """Somebody who was proved a moment ago, without asking anew; None when that is not so."""

    async def authenticate(self, claimed: Claimed | None) -> Identity | NoMatch | WrongPassword:
        """Prove a claim; None stands for the anonymous client. Raises Unavailable: it cannot be told now."""


class Authorizer(Protocol):
    """One way to tell what somebody may do, beside the access list, asked where that has no rule."""

    async def authorize(self, request: Request) -> tuple[str, ...] | None:
        """The granted actions; None: not mine to say. Raises Unavailable."""


class Attempts(Protocol):
    """Counting wrong passwords, across processes."""

    def suspects(self, claimed: Claimed, addr: str) -> bool:
        """Whether this process knows of a pause: then :meth:`pause_s` must be asked, whoever it is. Answered at once."""

    async def pause_s(self, claimed: Claimed, addr: str) -> int:
        """Seconds until this account may be tried again from there; 0: now. Raises Unavailable."""

    async def count(self, claimed: Claimed, addr: str, *, right: bool) -> None:
        """What a password turned out to be; the same wrong one counts once (containerd sends it twice). Raises Unavailable."""


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

    def sign(self, claims: Mapping[str, object], *, service: str, now: int) -> str:
        """The token in compact form, with the header that the service's registry needs."""


Clock = Callable[[], int]
"""Milliseconds since the epoch."""

Nonces = Callable[[int], int]
"""That many random bits, from the system's generator."""

Ping = Callable[[], Awaitable[None]]
"""Whether something beside us answers. Raises Unavailable."""
