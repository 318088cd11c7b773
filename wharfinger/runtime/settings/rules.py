"""What a rule of deployment says: which pushes it takes, and what must hold before one is sent. Matches nothing itself."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo

APPROVE_WITHIN_S: Final = 86_400.0


class Require(StrEnum):
    """The weakest tie to a token that a rule takes, the best first: an attribution's verdicts that are no violation."""

    EXACT = "exact"
    INFERRED = "inferred"
    AMBIGUOUS = "ambiguous"
    UNATTRIBUTED = "unattributed"


@dataclass(frozen=True, slots=True)
class Match:
    """What a push must be. Patterns are globs or ``/regex/``; of several any may match. None and empty: whatever it is.

    ``tag``: also ``semver:RANGE``, which takes pre-releases with ``prerelease``, or ``newest``. ``registry``: sources' names.
    """

    repository: str | None = None
    tag: str | None = None
    registry: tuple[str, ...] = ()
    account: tuple[str, ...] = ()
    credential: tuple[str, ...] = ()
    media_type: tuple[str, ...] = ()
    prerelease: bool = False


@dataclass(frozen=True, slots=True)
class Window:
    """When something may be deployed. ``days``: 0 is Monday. Minutes of the day; an end that is not later is the next day's."""

    days: frozenset[int]
    start_min: int
    end_min: int
    zone: ZoneInfo


@dataclass(frozen=True, slots=True)
class Approvals:
    """How many of whom must approve, and within what time from the push on. ``four_eyes``: not who pushed."""

    needed: int
    approvers: tuple[str, ...]
    within_s: float = APPROVE_WITHIN_S
    four_eyes: bool = False


@dataclass(frozen=True, slots=True)
class Rule:
    """A deployment rule: which pushes go to which targets, and when. ``pushers``: patterns; empty: anybody's."""

    name: str
    match: Match
    require: Require
    targets: tuple[str, ...]
    line: int
    pushers: tuple[str, ...] = ()
    forward_only: bool = False
    cooldown_s: float = 0.0
    windows: tuple[Window, ...] = ()
    debounce_s: float = 0.0
    approvals: Approvals | None = None
