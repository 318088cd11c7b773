"""Cosign: have one witness see the newest checkpoint, with the proof from the last one that it saw. Deciding is in ``decide``.

Crash before the cosignature is kept: the witness is asked again, says that it knows this size already, and cosigns once more.
"""

from dataclasses import dataclass
from typing import Final, assert_never

from wharfinger.ledger.checkpoint import SignedCheckpoint, add_checkpoint_request
from wharfinger.ledger.note import Verdict, VerifierKey, verify
from wharfinger.runtime.log import Log
from workers.decide.alarms import witness_ahead, witness_contradicts
from workers.decide.cosigning import AskFrom, Cosigned, Declined, read_answer
from workers.errors import Unavailable
from workers.ports import SignedLog, Witness
from workers.warn import Warn

ASKS: Final = 3
"""At most, one after the other: a witness that names another size each time is not asked for ever."""


@dataclass(slots=True)
class Cosign:
    """The use case with what it needs. ``name``: the witness's, in the configuration."""

    name: str
    key: VerifierKey
    witness: Witness
    signed_log: SignedLog
    warn: Warn
    log: Log
    _last: int = 0
    """The size of the last checkpoint that the witness cosigned; it tells when it is another."""

    def run(self) -> None:
        """Ask, if there is anything to ask.

        Raises:
            LedgerUnavailable: the next time finds the same.
        """
        newest = self.signed_log.newest()
        if newest is None or verify(newest.note, self.key) is not Verdict.ABSENT:
            return
        for _ in range(ASKS):
            if not self._ask(newest):
                return

    def _ask(self, newest: SignedCheckpoint) -> bool:
        """Ask once; whether to ask again."""
        size = newest.checkpoint.size
        if self._last > size:
            # Perhaps only than there was a moment ago: another host may have signed more, and had it cosigned, meanwhile.
            now = self.signed_log.newest()
            if now is not None and now.checkpoint.size >= self._last:
                return False
            # It saw a longer log than there is: records were lost, by a restored backup or by somebody's hand.
            self.log("witness.ahead", witness=self.name, cosigned=self._last, size=size)
            self.warn.run(witness_ahead(self.name, cosigned=self._last, size=size))
            self._last = 0
            return False
        proof = self.signed_log.proof(self._last, size)
        try:
            answer = self.witness.ask(add_checkpoint_request(self._last, proof, newest))
        except Unavailable as fault:
            self.log("witness.unavailable", witness=self.name, problem=str(fault))
            return False
        match read_answer(answer, newest, self.key):
            case Cosigned(signature):
                self.signed_log.add(size, signature)
                self._last = size
                self.log("checkpoint.cosigned", witness=self.name, size=size)
                return False
            case AskFrom(last):
                self._last = last
                return True
            case Declined(problem, contradicts):
                self.log("witness.declined", witness=self.name, problem=problem)
                if contradicts:
                    self.warn.run(witness_contradicts(self.name, cosigned=self._last, size=size))
                return False
            case _ as never:
                assert_never(never)
