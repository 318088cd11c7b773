"""Where a record is about, for people. As plain text; how it is laid out is the commands' own."""

from wharfinger.ledger.reading import Stored


def where(one: Stored) -> str:
    """Repository and tag; the registry of what is about one as a whole."""
    record = one.record
    return (record.repository or record.source) + (f":{record.tag}" if record.tag else "")
