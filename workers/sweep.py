"""Sweep: find what a crash, a lost wake-up or a lost Redis left, and wake somebody for it. Changes no record itself."""

from dataclasses import dataclass

from wharfinger.runtime.log import Log
from workers.ports import Backlog, Housekeeping, Outbox, Retention, WakeUps


@dataclass(frozen=True, slots=True)
class Sweep:
    """The use case with what it needs."""

    streams: Backlog
    outbox: Outbox
    wake_ups: WakeUps
    housekeeping: Housekeeping
    retention: Retention
    log: Log

    def run(self) -> None:
        """Look once.

        Raises:
            Unavailable: Redis did not answer. LedgerUnavailable: nor the ledger. The next look finds the same.
        """
        due = self.outbox.due()
        if due:
            self.wake_ups.deliver(due)
        if self.streams.lag():
            self.wake_ups.settle()

    def make_room(self) -> None:
        """Drop what SQL has committed, though others could still read it, when Redis' memory is running short."""
        removed = self.housekeeping.make_room()
        if removed:
            self.log("sweep.made_room", removed=removed)

    def tidy(self) -> None:
        """Drop what SQL has committed long ago and nobody needs: old stream entries, orphaned spill files.

        And have looked at what nobody need wait for any more: else it would be shown to approvers until its time is over.
        """
        overtaken = self.outbox.wake_overtaken()
        if overtaken:
            self.log("sweep.overtaken", deliveries=overtaken)
        removed = self.housekeeping.tidy()
        if removed:
            self.log("sweep.tidied", removed=removed)
        pruned = self.retention.prune()
        if pruned:
            self.log("sweep.pruned", records=pruned)
