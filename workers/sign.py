"""Sign: vouch for the log as it is committed, when there is news, and have witnesses asked. Deciding is in the ledger.

Crash before the checkpoint is kept: nobody has it, and the next look signs what is committed then. After it, before a witness
is asked: the next look has it asked.
"""

from dataclasses import dataclass
from typing import assert_never

from wharfinger.ledger.checkpoint import Nothing, Refuse, SignedCheckpoint, recent
from wharfinger.runtime.log import Log
from workers.decide.alarms import not_signed
from workers.ports import Clock, Cosigners, LogHead
from workers.warn import Warn


@dataclass(slots=True)
class Sign:
    """The use case with what it needs. ``every_ms``: the least time between two checkpoints."""

    head: LogHead
    cosigners: Cosigners
    warn: Warn
    every_ms: int
    clock: Clock
    log: Log
    _signed_at: int | None = None
    _woken_at: int | None = None

    def run(self) -> None:
        """Look once. News after a pause is signed at once, steady news every so often.

        Raises:
            LedgerUnavailable: nothing was signed; the next look finds the same.
        """
        now_ms = self.clock()
        if recent(self._signed_at, now_ms=now_ms, within_ms=self.every_ms):
            return
        if self.head.news() and self._sign():
            self._signed_at = now_ms
            self._wake(now_ms)
        elif not recent(self._woken_at, now_ms=now_ms, within_ms=self.every_ms):
            # No news, but perhaps a witness that was away and is back.
            self._wake(now_ms)

    def _sign(self) -> bool:
        match self.head.sign():
            case SignedCheckpoint(checkpoint):
                self.log("checkpoint.signed", size=checkpoint.size, root=checkpoint.root.hex())
                return True
            case Refuse(problem) as refused:
                self.log("checkpoint.refused", problem=problem)
                self.warn.run(not_signed(refused))
                return True
            case Nothing():
                return False
            case _ as never:
                assert_never(never)

    def _wake(self, now_ms: int) -> None:
        self._woken_at = now_ms
        self.cosigners.wake()
