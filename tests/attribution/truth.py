"""What a played event truly is: known from how it was made, never from what our code says of it."""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from wharfinger.wire.jti import JtiKeys
from workers.decide.attribution import Flag, Reason, Verdict

KEYS: Final = JtiKeys((b"the key that mints" * 2, b"the key before it, still known" * 2))
STRANGERS: Final = JtiKeys((b"somebody else's key" * 2,))
BEGIN_MS: Final = 1_795_477_900_000
SECOND: Final = 1_000
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE


@dataclass(frozen=True)
class Truth:
    """What must be said of an event. ``jti``: the token it names, if any; ``true_jti``: the one it was really made with."""

    verdict: Verdict
    reason: Reason = Reason.NONE
    account: str = ""
    jti: str = ""
    true_jti: str = ""
    flags: frozenset[Flag] = frozenset()

    @property
    def alarm(self) -> str:
        """Why it is one; empty when it is none."""
        return self.verdict.value if self.verdict in {Verdict.FORGED, Verdict.ACCOUNT_MISMATCH, Verdict.OUTSIDE_GRANT} else ""


@dataclass(frozen=True)
class Played:
    """An event as a registry tells it, with what it truly is, and when it gets to us, again and again if the registry repeats it."""

    event: dict[str, Any]
    truth: Truth
    arrivals: tuple[int, ...]
    planted: str = ""
    """Which wrong it is; empty for an honest one."""
    reuses: str = ""
    """The event whose id it bears with another body."""


@dataclass
class Arrival:
    """One notification: when it comes, and the events in it."""

    at_ms: int
    played: list[Played] = field(default_factory=list)

    def body(self) -> bytes:
        """As it is posted."""
        return json.dumps({"events": [one.event for one in self.played]}, ensure_ascii=False, indent=3).encode()


def moment(milliseconds: int) -> str:
    """A time as registries write it."""
    return datetime.fromtimestamp(milliseconds / 1_000, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f") + "713Z"
