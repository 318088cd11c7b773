"""Joins the notifier: the only place of it that makes clients and reads the clock."""

import asyncio
import time
from collections.abc import AsyncIterator

import redis
import redis.asyncio
from aiohttp import web
from redis.exceptions import RedisError

from notifier.adapters.event_stream import TIMEOUT_S, RedisEvents, SettleWaker
from notifier.adapters.spill import SpillFolder
from notifier.endpoints import Endpoints
from notifier.errors import Unavailable
from notifier.ingest import Ingest
from wharfinger.runtime.log import Log, to_stderr
from wharfinger.runtime.metrics import Meter
from wharfinger.runtime.serving import run
from wharfinger.runtime.settings import NotifierSettings


def serve(settings: NotifierSettings, meter: Meter) -> int:
    """Serve until a signal; the process's exit code."""
    log = to_stderr("notifier")
    meter.begin()
    return run(lambda: build(settings, meter, log), listen=settings.listen, setting="notifier.addr", tls=None, log=log)


def build(settings: NotifierSettings, meter: Meter, log: Log) -> web.Application:
    """The application, inside a running loop. Stops after its requests: what was taken is stored, then Redis is let go."""
    client = redis.asyncio.Redis.from_url(settings.redis_url, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S)
    waking = redis.Redis.from_url(settings.redis_url, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S)
    stream = RedisEvents(client, SettleWaker(waking, log))
    spill = SpillFolder(settings.spill, settings.spill_budget)
    ingest = Ingest(stream=stream, spill=spill, clock=lambda: time.time_ns() // 1_000_000)

    async def ping() -> None:
        try:
            async with asyncio.timeout(TIMEOUT_S):
                await client.ping()
        except (RedisError, OSError, TimeoutError) as error:
            raise Unavailable(type(error).__name__) from error

    async def life(_app: web.Application) -> AsyncIterator[None]:
        yield
        await stream.close()
        await client.aclose()
        waking.close()

    app = web.Application()
    app.add_routes(Endpoints(ingest, settings.sources, pings={"redis": ping}, meter=meter, log=log).routes())
    app.cleanup_ctx.append(life)
    return app
