"""HTTP of the notifier: 401, 405 and 503 are all a registry is ever refused with, never its event's content.

A 4xx would block the registry's queue for ever, and a GET answered with 200 would lose an event behind a redirect.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Final

from aiohttp import ClientPayloadError, web
from aiohttp.http_exceptions import HttpProcessingError

from notifier.decide.authorise import Refused, authorise
from notifier.errors import BrokenOff, Unavailable
from notifier.ingest import Ingest
from notifier.ports import Post
from wharfinger.runtime.log import Log
from wharfinger.runtime.settings import Source

BODY_TIMEOUT_S: Final = 60.0
RETRY_AFTER_S: Final = 1
MAX_CONTENT_TYPE: Final = 128

Ping = Callable[[], Awaitable[None]]


class Endpoints:
    """The routes of one notifier."""

    def __init__(
        self,
        ingest: Ingest,
        sources: Sequence[Source],
        *,
        pings: Mapping[str, Ping],
        log: Log,
        body_timeout_s: float = BODY_TIMEOUT_S,
    ) -> None:
        self._body_timeout_s = body_timeout_s
        self._ingest = ingest
        self._sources = sources
        self._pings = pings
        self._log = log
        self._answers: Counter[tuple[str, str]] = Counter()

    def routes(self) -> list[web.RouteDef]:
        """Every route; other methods than POST on the hook are 405."""
        hooks = [web.route("*", path, self.events) for path in ("/events", "/events/{source}")]
        probes = [("/healthz", self.health), ("/readyz", self.ready), ("/metrics", self.metrics)]
        return hooks + [web.get(path, answer) for path, answer in probes]

    async def events(self, http: web.Request) -> web.Response:
        """A notification."""
        if http.method != "POST":
            return self._counted(web.Response(status=405, headers={"Allow": "POST"}), "method")
        peer = (http.remote or "").partition("%")[0]
        authorization = http.headers.getall("Authorization", [])
        source = authorise(self._sources, named=http.match_info.get("source"), authorization=authorization, peer=peer)
        if isinstance(source, Refused):
            self._log("notification.refused", why=source.why.value, peer=peer)
            return self._counted(web.Response(status=401, headers={"WWW-Authenticate": "Bearer"}), source.why.value)
        return await self._store(http, source, peer)

    async def _store(self, http: web.Request, source: Source, peer: str) -> web.Response:
        # A header may hold bytes that are no text; the record must not.
        content_type = http.headers.get("Content-Type", "")[:MAX_CONTENT_TYPE].encode("utf-8", "replace").decode()
        try:
            async with asyncio.timeout(self._body_timeout_s):
                stored = await self._ingest.run(Post(source.name, peer, content_type, _chunks(http)))
        except Unavailable as fault:
            self._log("notification.unavailable", source=source.name, problem=str(fault))
            return self._counted(web.Response(status=503, headers={"Retry-After": str(RETRY_AFTER_S)}), "unavailable")
        except (BrokenOff, TimeoutError):
            # Nobody is likely to read this; the registry keeps the event and posts again.
            return self._counted(web.Response(status=503, headers={"Retry-After": str(RETRY_AFTER_S)}), "broken_off")
        if stored.dropped:
            self._log("notification.dropped", source=source.name, peer=peer, size=stored.size, sha256=stored.sha256)
        return self._counted(web.Response(status=202), "dropped" if stored.dropped else "stored")

    def _counted(self, response: web.Response, what: str) -> web.Response:
        self._answers[str(response.status), what] += 1
        if response.status != 202:  # noqa: PLR2004 - HTTP's own number
            # Do not read on for a body that nobody wants.
            response.force_close()
        response.headers["Cache-Control"] = "no-store"
        return response

    async def health(self, _http: web.Request) -> web.Response:
        """Alive."""
        return web.Response(text="ok\n")

    async def ready(self, _http: web.Request) -> web.Response:
        """Every thing beside us, by name."""
        found = {name: await _answers(ping) for name, ping in self._pings.items()}
        return web.json_response(found, status=200 if all(found.values()) else 503)

    async def metrics(self, _http: web.Request) -> web.Response:
        """Prometheus' text format."""
        lines = ["# TYPE wharfinger_notifications_total counter"]
        for (code, what), count in sorted(self._answers.items()):
            lines.append(f'wharfinger_notifications_total{{code="{code}",what="{what}"}} {count}')
        return web.Response(text="\n".join(lines) + "\n")


async def _chunks(http: web.Request) -> AsyncIterator[bytes]:
    try:
        async for chunk in http.content.iter_any():
            yield chunk
    except (ClientPayloadError, HttpProcessingError, ConnectionError) as error:
        raise BrokenOff(type(error).__name__) from error


async def _answers(ping: Ping) -> bool:
    try:
        await ping()
    except Unavailable:
        return False
    return True
