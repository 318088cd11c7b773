"""How far forwards have come, in a real database: each for itself, never back, and over what was pruned."""

from sqlalchemy import delete

from tests.wharfinger.ledger.test_settlement import NOW, push
from wharfinger.ledger import schema
from wharfinger.ledger.database import Database
from wharfinger.ledger.forwarding import advance, next_records, positions
from wharfinger.ledger.settlement import commit


def numbers(ledger: Database, name: str, most: int = 10) -> tuple[list[int], int] | None:
    """What a forward has still to hand over, by number."""
    found = next_records(ledger, name, most=most)
    return None if found is None else ([one.seq for one in found[0]], found[1])


def test_from_the_first_record_on(ledger: Database) -> None:
    """A new forward gets all there ever was, in portions; another is not touched by it."""
    assert numbers(ledger, "siem") is None
    commit(ledger, [push(f"e{number}") for number in range(5)], now_ms=NOW)
    assert numbers(ledger, "siem", 2) == ([0, 1], 2)
    advance(ledger, "siem", to=2, now_ms=NOW)
    assert numbers(ledger, "siem") == ([2, 3, 4], 5)
    advance(ledger, "siem", to=5, now_ms=NOW)
    assert numbers(ledger, "siem") is None
    assert numbers(ledger, "file", 1) == ([0], 1)
    with ledger.reading() as connection:
        assert positions(connection) == {"siem": 5}


def test_it_never_goes_back(ledger: Database) -> None:
    """A worker that was stopped and woken later says less than there is."""
    commit(ledger, [push("e1"), push("e2")], now_ms=NOW)
    advance(ledger, "siem", to=2, now_ms=NOW)
    advance(ledger, "siem", to=1, now_ms=NOW)
    assert numbers(ledger, "siem") is None


def test_pruned_records(ledger: Database) -> None:
    """Their numbers are passed, with nothing to hand over."""
    commit(ledger, [push("e1"), push("e2")], now_ms=NOW)
    with ledger.writing() as connection:
        for table in ("deliveries", "raw_events", "records"):
            connection.execute(delete(schema.metadata.tables[table]))
    assert numbers(ledger, "siem", 1) == ([], 1)
