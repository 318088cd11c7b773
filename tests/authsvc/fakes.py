"""The token service's ports in memory, for tests of its use case. Held to the suites that the real adapters pass too."""

import asyncio
import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from authsvc.adapters.passwords import MAX_WAITING
from authsvc.decide.request import Claimed
from authsvc.errors import Unavailable
from wharfinger.wire.issuance import Issuance, Refusal


def plain_hash(password: bytes) -> bytes:
    """What :class:`PlainPasswords` takes for a password's hash."""
    return b"plain$" + hashlib.sha256(password).hexdigest().encode()


@dataclass
class PlainPasswords:
    """``PasswordCheck``. ``compared``: the hashes it was asked about; ``full``: too many wait."""

    compared: list[bytes] = field(default_factory=list)
    remembered: set[tuple[bytes, bytes]] = field(default_factory=set)
    full: bool = False
    running: int = 0

    async def matches(self, password: bytes, hashed: bytes) -> bool:
        """Whether a password is the one of a hash."""
        if self.full or self.running >= MAX_WAITING:
            raise Unavailable("too many passwords wait to be compared")
        self.running += 1
        self.compared.append(hashed)
        await asyncio.sleep(0)
        self.running -= 1
        return bool(password) and hashed == plain_hash(password)

    def remembers(self, password: bytes, hashed: bytes) -> bool:
        """Whether that very pair is remembered."""
        return (password, hashed) in self.remembered


@dataclass
class CountedAttempts:
    """``Attempts``: pauses as they are set, by account. ``counted``: what came of each password."""

    pauses: dict[str, int] = field(default_factory=dict)
    counted: list[tuple[str, str, bool]] = field(default_factory=list)

    def suspects(self, claimed: Claimed, addr: str) -> bool:
        """Whether there is a pause."""
        return claimed.account in self.pauses

    async def pause_s(self, claimed: Claimed, addr: str) -> int:
        """How long it is."""
        return self.pauses.get(claimed.account, 0)

    async def count(self, claimed: Claimed, addr: str, *, right: bool) -> None:
        """Keep what a password turned out to be."""
        self.counted.append((claimed.account, addr, right))


@dataclass
class KeptIssuances:
    """``IssuanceStream``. ``gone``: nobody answers; ``durable``: what records wait for before they are kept, once ``asked``."""

    recorded: list[Issuance] = field(default_factory=list)
    gone: bool = False
    durable: asyncio.Event | None = None
    asked: asyncio.Event = field(default_factory=asyncio.Event)

    async def record(self, issuance: Issuance) -> None:
        """Keep one."""
        if self.gone:
            raise Unavailable("the store is gone")
        self.asked.set()
        if self.durable is not None:
            await self.durable.wait()
        self.recorded.append(issuance)


@dataclass
class KeptRefusals:
    """``RefusalStream``."""

    recorded: list[Refusal] = field(default_factory=list)
    gone: bool = False

    async def record(self, refusal: Refusal) -> None:
        """Keep one."""
        if self.gone:
            raise Unavailable("the store is gone")
        self.recorded.append(refusal)


class PlainSigner:
    """``Signer``: a token of the right shape that proves nothing."""

    def sign(self, claims: Mapping[str, object], *, service: str, now: int) -> str:
        """The claims as they are."""
        parts = (json.dumps({"alg": "none", "typ": "JWT"}).encode(), json.dumps(dict(claims)).encode(), b"plain")
        return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)


def claims_of(token: str) -> dict[str, object]:
    """The claims that a token carries, unproved."""
    payload = token.split(".")[1]
    claims: dict[str, object] = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return claims
