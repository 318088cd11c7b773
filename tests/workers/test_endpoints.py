"""The workers' numbers over HTTP: what the ledger says now, or that it says nothing."""

from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from prometheus_client.parser import text_string_to_metric_families

from tests.servers import served
from wharfinger.ledger.errors import LedgerUnavailable
from wharfinger.ledger.tally import Tally
from wharfinger.runtime.metrics import CONTENT_TYPE
from workers.endpoints import Endpoints, text
from workers.metrics import ALARM_REASONS, TABLE

NOW_MS = 1_795_477_900_000
FOUND = Tally(alarms={"forged": 2}, gaps={"silent": 1}, last_heard={"main": NOW_MS - 1_500, 'ed"ge': NOW_MS})


@dataclass
class Counted:
    """``Trail``, which may be gone."""

    found: Tally = FOUND
    gone: bool = False

    def tally(self) -> Tally:
        """What it was given."""
        if self.gone:
            raise LedgerUnavailable("the ledger did not answer")
        return self.found


def samples(page: str) -> dict[tuple[str, str], float]:
    """Every sample of a page, by name and its one label's value; read by a parser that is not ours."""
    families = text_string_to_metric_families(page)
    return {(one.name, *one.labels.values()): one.value for family in families for one in family.samples}  # type: ignore[misc]  # one label each


def test_what_a_scraper_reads() -> None:
    """Counts by why, zero for what never happened, and since when each registry is silent."""
    found = samples(text(FOUND, now_ms=NOW_MS))
    assert found["wharfinger_trail_alarms_total", "forged"] == 2
    assert {reason for name, reason in found if name == "wharfinger_trail_alarms_total"} == set(ALARM_REASONS)
    gaps = {reason: times for (name, reason), times in found.items() if name == "wharfinger_trail_gaps_total"}
    assert gaps == {"restarted": 0, "silent": 1, "back": 0}
    silences = {source: seconds for (name, source), seconds in found.items() if name.endswith("silence_seconds")}
    assert silences == {"main": 1.5, 'ed"ge': 0}


def test_a_reason_of_another_version() -> None:
    """It is counted, and makes no series of its own."""
    found = samples(text(Tally(alarms={"splendid": 3}, gaps={}, last_heard={}), now_ms=NOW_MS))
    assert found["wharfinger_trail_alarms_total", "other"] == 3
    assert sum(times for (name, *_), times in found.items() if name == "wharfinger_trail_alarms_total") == 3


@pytest.mark.real
async def test_over_http() -> None:
    """Whole pages of the right type; while the ledger is away there is no page, and whoever supervises can see it."""
    trail, logged = Counted(), []

    def log(event: str, /, **_fields: Any) -> None:
        logged.append(event)

    app = web.Application()
    app.add_routes(Endpoints(trail, clock=lambda: NOW_MS, log=log).routes())
    async with served(app) as at, aiohttp.ClientSession() as session:

        async def get(path: str) -> tuple[int, str, str]:
            async with session.get(at.url + path) as answer:
                return answer.status, answer.headers["Content-Type"], await answer.text()

        assert await get("/metrics") == (200, CONTENT_TYPE, text(FOUND, now_ms=NOW_MS))
        assert (await get("/readyz"))[0::2] == (200, '{"ledger": true}')
        trail.gone = True
        assert [(await get(path))[0] for path in ("/metrics", "/readyz", "/healthz")] == [503, 503, 200]
        assert logged == ["metrics.unavailable"] * 2
        trail.gone = False
        assert (await get("/metrics"))[0] == 200
        async with session.post(at.url + "/metrics") as answer:
            assert answer.status == 405


def test_every_series_of_the_table_is_on_the_page() -> None:
    """With its help and type, whatever happened."""
    page = text(Tally({}, {}, {}), now_ms=NOW_MS)
    assert [line.split()[2:] for line in page.splitlines() if line.startswith("# TYPE")] == [
        [one.name, one.kind] for one in TABLE
    ]
