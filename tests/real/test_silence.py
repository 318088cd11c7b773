"""A registry that fell silent, on the whole house: told in the trail and in the workers' numbers, and so is its return."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.real.conftest import House, build_house, free_port, wait_until
from tests.real.test_metrics import scrape

pytestmark = [pytest.mark.real, pytest.mark.slow]
LONG_AGO_MS = 8 * 86_400_000
METRICS = free_port()


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A house whose workers serve their numbers."""
    built = build_house(tmp_path_factory.mktemp("quiet"), more=f'\nworkers: {{addr: "127.0.0.1:{METRICS}"}}\n')
    yield built
    assert built.program.stop() == 0
    built.registry_program.stop()


def event(ident: str) -> dict[str, object]:
    """An event of one process of a registry."""
    return {
        "id": ident, "action": "pull", "timestamp": "2026-11-24T00:00:00Z", "request": {"method": "GET"}, "actor": {},
        "target": {"repository": "ubuntu", "mediaType": "application/octet-stream", "digest": "sha256:" + "ab" * 32},
        "source": {"instanceID": "7a2f3c9e-0000-4000-8000-000000000001"},
    }  # fmt: skip


def gaps(house: House) -> list[tuple[str, str]]:
    """What the trail tells."""
    return house.rows("SELECT source, reason FROM records WHERE kind = 'gap' ORDER BY seq")


def test_a_silence_and_its_end(quiet: House) -> None:
    """A week without an event, which the default allows, and a day more: told within a look, once, by the trail and the numbers."""
    assert quiet.post(event("e1")) == 202
    wait_until("the event", lambda: quiet.rows("SELECT 1 FROM records WHERE event_id = 'e1'"))
    with closing(sqlite3.connect(quiet.folder / "ledger.db")) as plain, plain:
        plain.execute("UPDATE instances SET last_at = last_at - ?", [LONG_AGO_MS])
    wait_until("the silence", lambda: gaps(quiet), seconds=120)
    assert gaps(quiet) == [("main", "silent")]
    found = scrape(METRICS)
    assert found["wharfinger_trail_gaps_total"][("reason", "silent"),] == 1
    assert found["wharfinger_trail_source_silence_seconds"][("source", "main"),] > LONG_AGO_MS / 1_000
    assert quiet.post(event("e2")) == 202
    wait_until("its end", lambda: len(gaps(quiet)) > 1)
    assert gaps(quiet) == [("main", "silent"), ("main", "back")]
    after = scrape(METRICS)
    assert after["wharfinger_trail_gaps_total"][("reason", "back"),] == 1
    assert after["wharfinger_trail_source_silence_seconds"][("source", "main"),] < 60
    assert set(after["wharfinger_trail_alarms_total"].values()) == {0}
