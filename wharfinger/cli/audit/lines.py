"""A record's columns for people: who, and where. As plain texts; how they are laid out is the commands' own."""

from typing import Final

from wharfinger.ledger.reading import Stored
from wharfinger.ledger.record import RecordKind

_OF_NOBODY: Final = frozenset({RecordKind.QUARANTINE, RecordKind.ERASURE, RecordKind.PRUNING, RecordKind.GAP})
"""What tells of no client at all, not of one who did not say who it is."""


def who(one: Stored) -> str:
    """The account; empty for what no client did."""
    if one.erased:
        return "erased"
    of_nobody = one.record.kind in _OF_NOBODY or (one.record.kind is RecordKind.ALARM and not one.record.source)
    return one.record.personal.account or ("" if of_nobody else "anonymous")


def where(one: Stored) -> str:
    """Repository and tag; the registry of what is about one as a whole."""
    record = one.record
    return (record.repository or record.source) + (f":{record.tag}" if record.tag else "")
