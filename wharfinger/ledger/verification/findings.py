"""What verifying found: which record, tile or checkpoint is not what it was, and how that is known. Pure."""

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Protocol

MAX_KEPT: Final = 1_000
"""Findings kept word for word; of the rest only the number is."""


class What(StrEnum):
    """Kinds of findings."""

    MISSING = "missing"
    """A record's row is gone."""
    BEHIND = "behind"
    """A row stands behind the log's end: the sequencer did not write it."""
    CHANGED = "changed"
    """A row does not give its leaf: a public field, a personal value or its salt, or a kept commitment is another."""
    REORDERED = "reordered"
    """A row is that of another record."""
    MISFILED = "misfiled"
    """A row gives its leaf, and is kept so that questions would miss it or find it wrongly."""
    UNTOLD = "untold"
    """A row's personal values are gone, and no erasure of the log tells of it."""
    RAW_EVENT = "raw_event"
    """A stored event is not the one that the record commits to."""
    TILE = "tile"
    """A stored hash is not that of what lies below it."""
    TREE = "tree"
    """The sequencer's row (size, frontier, time) is not that of the log."""
    CHECKPOINT = "checkpoint"
    """A checkpoint is not signed by the log, or not what was signed."""
    COSIGNATURE = "cosignature"
    """A witness's signature is wrong."""
    REWRITTEN = "rewritten"
    """The log does not have the root that was signed: records were changed together with their hashes."""
    TRUNCATED = "truncated"
    """The log is shorter than when it was signed."""
    UNSIGNED = "unsigned"
    """No checkpoint at all vouches for the log."""
    BESIDE = "beside"
    """A row that is derived from the log (a token's, a tag's, a delivery's) says something else than the log."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it should be. ``seq``: the record's number, where it is about one."""

    what: What
    detail: str
    seq: int | None = None

    def __str__(self) -> str:
        return self.detail if self.seq is None else f"record {self.seq}: {self.detail}"


@dataclass(slots=True)
class Findings:
    """Everything found so far, up to MAX_KEPT."""

    kept: list[Finding] = field(default_factory=list)
    counts: Counter[What] = field(default_factory=Counter)

    def add(self, what: What, detail: str, seq: int | None = None) -> None:
        """One more."""
        self.counts[what] += 1
        if len(self.kept) < MAX_KEPT:
            self.kept.append(Finding(what, detail, seq))


class Looks(Protocol):
    """How many records, how many of them erased, and how many stored events were looked at; how many are rightly gone."""

    records: int
    erased: int
    raw_events: int
    pruned: int


@dataclass(slots=True)
class Report:
    """What was looked at, and what was found.

    ``size`` and ``root``: the log's, as it was when looking began. ``signed``: the size up to which a checkpoint vouches.
    """

    size: int
    root: bytes
    findings: Findings = field(default_factory=Findings)
    records: int = 0
    erased: int = 0
    raw_events: int = 0
    pruned: int = 0
    checkpoints: int = 0
    cosignatures: int = 0
    signed: int = 0

    def add_looks(self, other: "Looks") -> None:
        """Count what somebody else has looked at."""
        self.records += other.records
        self.erased += other.erased
        self.raw_events += other.raw_events
        self.pruned += other.pruned

    @property
    def proved(self) -> bool:
        """Nothing was found."""
        return not self.findings.counts
