"""The pushes that can start a deployment: tagged manifests alone, oldest first, portion by portion."""

from dataclasses import replace

from tests.wharfinger.ledger.test_settlement import NOW, issuance_entry, push
from wharfinger.ledger.database import Database
from wharfinger.ledger.pushes import pushes_since
from wharfinger.ledger.reading import CHUNK
from wharfinger.ledger.settlement import commit
from wharfinger.ledger.values import Entry


def pushed(name: str, *, at: int = NOW, **more: str) -> Entry:
    """A push, or what is nearly one."""
    entry = push(name)
    return replace(entry, record=replace(entry.record, recorded_at=at, **more), deliveries=())  # type: ignore[arg-type]  # texts


def test_what_can_start_a_deployment(ledger: Database) -> None:
    """Indexes too; no child, blob, read, removal or token, and nothing before the time."""
    commit(ledger, [pushed("e0"), issuance_entry()], now_ms=NOW)
    later = NOW + 1_000
    entries = [
        pushed("e1", at=later), pushed("e2", at=later, object_kind="index"), pushed("e3", at=later, tag=""), pushed("e4", at=later, object_kind="blob"),
        pushed("e5", at=later, action="pull"), pushed("e6", at=later, action="delete"), pushed("e7", at=later, verdict="forged"),
    ]  # fmt: skip
    commit(ledger, entries, now_ms=later)
    assert [one.record.event_id for one in pushes_since(ledger, later)] == ["e1", "e2", "e7"]
    assert [one.record.event_id for one in pushes_since(ledger, 0)] == ["e0", "e1", "e2", "e7"]
    assert list(pushes_since(ledger, later + 1)) == []


def test_more_than_is_read_at_once(ledger: Database) -> None:
    """None twice and none left out."""
    commit(ledger, [pushed(f"e{number}") for number in range(CHUNK + 3)], now_ms=NOW)
    assert [one.seq for one in pushes_since(ledger, 0)] == list(range(CHUNK + 3))
