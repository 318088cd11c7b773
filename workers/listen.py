"""Listen: find registries that fell silent where there was traffic, and have it told once. Deciding is in ``decide``.

What a silence means nobody can know from here: nothing to say, a registry that is off, a hook whose secret is wrong. That it
began is what the trail can say; settling writes that it ended.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from wharfinger.runtime.log import Log
from workers.decide.silence import Silence, fallen_silent
from workers.ports import Backlog, Clock, Hearing


@dataclass(frozen=True, slots=True)
class Listen:
    """The use case with what it needs. ``allowed_ms``: how long each source may be silent; 0: for ever."""

    hearing: Hearing
    streams: Backlog
    allowed_ms: Mapping[str, int]
    clock: Clock
    log: Log
    _told: dict[str, Silence] = field(default_factory=dict)
    """What this process knows to be told: the ledger is asked once for each silence."""

    def run(self) -> None:
        """Look once.

        Raises:
            Unavailable: Redis did not answer. LedgerUnavailable: nor the ledger. The next look finds the same.
        """
        if self.streams.lag():
            return  # what waits to be settled may be what was not heard
        for one in fallen_silent(self.hearing.last_heard(), self.allowed_ms, now_ms=self.clock()):
            if self._told.get(one.source) == one:
                continue
            if self.hearing.tell(one):
                self.log("source.silent", source=one.source, last_heard=one.last_at)
            self._told[one.source] = one
