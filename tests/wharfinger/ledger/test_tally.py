"""Counting what the trail tells of: by why, whoever raised it, and who was heard last."""

from tests.wharfinger.ledger.test_alarms import alarming
from tests.wharfinger.ledger.test_instances import DAY, heard, tell
from tests.wharfinger.ledger.test_settlement import NOW
from wharfinger.ledger.database import Database
from wharfinger.ledger.settlement import commit
from wharfinger.ledger.tally import Tally, tally


def test_nothing_happened_yet(ledger: Database) -> None:
    """There is nothing to count."""
    assert tally(ledger) == Tally(alarms={}, gaps={}, last_heard={})


def test_alarms_and_gaps_by_why(ledger: Database) -> None:
    """As often as they are told; an event that comes again counts once."""
    first = heard("e1", "i1")
    commit(ledger, [first, alarming("e2", "forged"), alarming("e3", "forged"), alarming("e4", "outside_grant")], now_ms=NOW)
    commit(ledger, [first, alarming("e2", "forged")], now_ms=NOW)
    tell(ledger, NOW)
    commit(ledger, [heard("e5", "i2")], now_ms=NOW + DAY)
    found = tally(ledger)
    assert found.alarms == {"forged": 2, "outside_grant": 1}
    assert found.gaps == {"silent": 1, "restarted": 1, "back": 1}
    assert found.last_heard == {"main": NOW + DAY}
