"""What the notifier is told: where it listens, and which registries it hears."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from wharfinger.runtime.settings.values import Address, Network, Secret

NOTIFIER_PORT: Final = 5002
SILENCE_S: Final = 7 * 86_400.0
"""Nights, weekends and most holidays are shorter: who is told of those stops reading."""


@dataclass(frozen=True, slots=True)
class Source:
    """A registry whose notifications are accepted, and how it is reached for reading tags back.

    ``secrets``: any of them authorises a post (two while rotating). ``registry``: base URL, no trailing slash.
    ``pull_host``: ``host[:port]`` under which its images are named. ``allow``: who may post; empty: anybody with the secret.
    ``ca``: PEM certificates that it and its token service are trusted by; None: the system's. ``silence_s``: after so long
    without an event it may be losing them; 0: it never is.
    """

    name: str
    secrets: tuple[Secret, ...]
    registry: str
    pull_host: str
    account: str
    password: Secret | None
    allow: tuple[Network, ...] = ()
    ca: Path | None = None
    silence_s: float = SILENCE_S


@dataclass(frozen=True, slots=True)
class NotifierSettings:
    """All that the notifier is told. ``spill_budget``: bytes that spilled bodies may take before it answers 503."""

    listen: Address
    sources: tuple[Source, ...]
    spill: Path
    redis_url: str
    spill_budget: int = 2 * 1024**3
