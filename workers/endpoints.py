"""HTTP of the workers: their numbers, asked of the ledger each time. Nobody can change anything here."""

import asyncio

from aiohttp import web

from wharfinger.ledger.errors import LedgerUnavailable
from wharfinger.ledger.tally import Tally
from wharfinger.runtime.log import Log
from wharfinger.runtime.metrics import CONTENT_TYPE, Board, Told
from workers.metrics import ALARMS, GAPS, SILENCE_SECONDS, TABLE
from workers.ports import Clock, Trail


class Endpoints:
    """The routes of the workers."""

    def __init__(self, trail: Trail, *, clock: Clock, log: Log) -> None:
        self._trail = trail
        self._clock = clock
        self._log = log
        self._counting = asyncio.Lock()

    def routes(self) -> list[web.RouteDef]:
        """Every route."""
        return [web.get(path, answer) for path, answer in (
            ("/healthz", self.health), ("/readyz", self.ready), ("/metrics", self.metrics),
        )]  # fmt: skip

    async def health(self, _http: web.Request) -> web.Response:
        """Alive."""
        return web.Response(text="ok\n")

    async def ready(self, _http: web.Request) -> web.Response:
        """Every thing beside us, by name."""
        answers = await self._counted() is not None
        return web.json_response({"ledger": answers}, status=200 if answers else 503)

    async def metrics(self, _http: web.Request) -> web.Response:
        """Prometheus' text format; 503 while the ledger does not answer: no number is better than a wrong one."""
        found = await self._counted()
        if found is None:
            return web.Response(status=503, text="the ledger did not answer\n")
        return web.Response(body=text(found, now_ms=self._clock()).encode(), headers={"Content-Type": CONTENT_TYPE})

    async def _counted(self) -> Tally | None:
        try:
            # One at a time: however many ask, the ledger is asked by one of them.
            async with self._counting:
                return await asyncio.to_thread(self._trail.tally)
        except LedgerUnavailable as fault:
            self._log("metrics.unavailable", problem=str(fault))
            return None


def text(found: Tally, *, now_ms: int) -> str:
    """What a scraper reads."""
    board = Board(TABLE)
    meter = board.meter()
    for series, by_reason in ((ALARMS, found.alarms), (GAPS, found.gaps)):
        for reason, times in by_reason.items():
            meter.add(series, reason, by=times)
    silences = [
        Told(SILENCE_SECONDS, (source,), (now_ms - last_at) / 1_000) for source, last_at in sorted(found.last_heard.items())
    ]
    return board.text(silences)
