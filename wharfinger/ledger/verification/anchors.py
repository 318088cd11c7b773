"""What holds the log to what it was: signed checkpoints, of the ledger itself or kept elsewhere, and the roots they say.

The first that does not hold tells where to look: between it and the last that does. All roots are of one and the same tree's
beginnings, so that they hold means that each checkpoint is consistent with the next.
"""

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from wharfinger.ledger.checkpoint import SignedCheckpoint
from wharfinger.ledger.checkpoints import Stored, checkpoints_above, signed_by
from wharfinger.ledger.database import Database
from wharfinger.ledger.log_keys import LogKeys
from wharfinger.ledger.note import MalformedNote, Note, Verdict, verify
from wharfinger.ledger.verification.findings import Findings, Report, What

_BELOW_ALL: Final = -(1 << 63)
_MAX_BAD: Final = 100


@dataclass(frozen=True, slots=True)
class Anchor:
    """A root that the log is held to. ``name``: where it comes from."""

    size: int
    root: bytes
    name: str


@dataclass(frozen=True, slots=True)
class Kept:
    """A checkpoint that was kept outside the ledger. ``name``: where."""

    signed: SignedCheckpoint
    name: str


def anchors(
    database: Database, keys: LogKeys, report: Report, *, newest: int, kept: Sequence[Kept], above: int = _BELOW_ALL
) -> Iterator[Anchor]:
    """Every checkpoint that is rightly signed, smallest first; a finding for each that is not.

    Args:
        database: the ledger.
        keys: whose signatures count.
        report: where to tell.
        newest: the size of the ledger's newest checkpoint to look at; what is signed meanwhile is another day's.
        kept: those from elsewhere.
        above: leave the ledger's own up to this size out.
    """
    outside = sorted(_kept(kept, keys, report), key=lambda one: one.size)
    return heapq.merge(_stored(database, keys, report, newest, above), outside, key=lambda one: one.size)


def _stored(database: Database, keys: LogKeys, report: Report, newest: int, above: int) -> Iterator[Anchor]:
    while above < newest:
        with database.reading() as connection:
            page = [one for one in checkpoints_above(connection, above) if one.size <= newest]
        if not page:
            return
        above = page[-1].size
        yield from (found for one in page if (found := _read(one, keys, report)) is not None)


def _read(one: Stored, keys: LogKeys, report: Report) -> Anchor | None:
    name = f"the checkpoint of {one.size} records"
    report.checkpoints += 1
    try:
        signed = one.signed()
    except (MalformedNote, AttributeError) as fault:
        report.findings.add(What.CHECKPOINT, f"{name} cannot be read: {fault}")
        return None
    checkpoint = signed.checkpoint
    if (checkpoint.size, checkpoint.root) != (one.size, one.root):
        report.findings.add(What.CHECKPOINT, f"{name}: its row does not say what its note says, which has {checkpoint.size}")
    found = _signed(signed, name, keys, report)
    # One of another size would come out of order.
    return found if checkpoint.size == one.size else None


def _kept(kept: Sequence[Kept], keys: LogKeys, report: Report) -> Iterator[Anchor]:
    for one in kept:
        name = f"the checkpoint of {one.signed.checkpoint.size} records kept in {one.name}"
        found = _signed(one.signed, name, keys, report)
        if found is not None:
            yield found


def _signed(signed: SignedCheckpoint, name: str, keys: LogKeys, report: Report) -> Anchor | None:
    _look_at_witnesses(signed.note, name, keys, report)
    if signed_by(signed.note, keys.logs) is None:
        report.findings.add(What.CHECKPOINT, f"{name}: not signed by the log's key, or wrongly")
        return None
    return Anchor(signed.checkpoint.size, signed.checkpoint.root, name)


def _look_at_witnesses(note: Note, name: str, keys: LogKeys, report: Report) -> None:
    for witness in keys.witnesses.values():
        verdict = verify(note, witness)
        report.cosignatures += verdict is Verdict.VALID
        if verdict is Verdict.WRONG:
            report.findings.add(What.COSIGNATURE, f"{name}: the cosignature of {witness.name} is wrong")


class Holding:
    """Holds the log to its anchors, one after the other. At the end, :meth:`close` tells of what did not hold."""

    def __init__(self, found: Iterator[Anchor], report: Report) -> None:
        self._anchors = found
        self._next = next(found, None)
        self._report = report
        self._good: Anchor | None = None
        self._bad: list[Anchor] = []
        self._more_bad = 0

    @property
    def size(self) -> int | None:
        """At which size the log's root is wanted next."""
        return None if self._next is None else self._next.size

    def hold(self, root: bytes | None) -> None:
        """The log's root at that size; None: it has none, its tiles are torn."""
        size = self.size
        while self._next is not None and self._next.size == size:
            if self._next.root == root:
                self._held(self._next)
            elif len(self._bad) < _MAX_BAD:
                self._bad.append(self._next)
            else:
                self._more_bad += 1
            self._next = next(self._anchors, None)

    def _held(self, anchor: Anchor) -> None:
        # What lies below holds too, so these are the ones that are wrong: the log signed two histories.
        for one in self._bad:
            self._report.findings.add(
                What.CHECKPOINT, f"{one.name}: rightly signed, but never of this log, as a later one shows"
            )
        self._bad, self._more_bad, self._good = [], 0, anchor
        self._report.signed = anchor.size

    def close(self, extent: int) -> None:
        """Tell of what did not hold, and of what the log is too short for: it ends at ``extent``."""
        findings = self._report.findings
        if self._bad:
            first, among = self._bad[0], self._good.size if self._good else 0
            others = len(self._bad) + self._more_bad - 1
            where = f"what was changed lies in the records {among} to {first.size - 1}"
            after = f"; nor does any of the {others} after it" if others else ""
            findings.add(What.REWRITTEN, f"{first.name} does not hold{after}: {where}, changed together with their hashes")
        self._tell_longer(findings, extent)
        if extent and self._good is None and not self._bad and not findings.counts[What.TRUNCATED]:
            findings.add(
                What.UNSIGNED, "no checkpoint vouches for the log: nobody can tell whether it is the one that was written"
            )

    def _tell_longer(self, findings: Findings, extent: int) -> None:
        while self._next is not None:
            longest, self._next = self._next, next(self._anchors, None)
            if self._next is None:
                gone = f"the records {extent} to {longest.size - 1} are gone"
                findings.add(What.TRUNCATED, f"the log ends after {extent} records, but {longest.name} was signed: {gone}")
