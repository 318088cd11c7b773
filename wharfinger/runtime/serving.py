"""Serving one aiohttp application on uvloop until a signal: limits, TLS, and the order of stopping. Knows no service.

Stopping: no new connections; running requests get ``grace_s``; then the application's own clean-up, in reverse of its start.
There is no limit on how slowly a client may send its headers; what it costs is one socket, and ``MAX_LINE`` bytes.
"""

import asyncio
import errno
import signal
import ssl
import time
from collections.abc import Callable
from typing import Final

import uvloop
from aiohttp import web

from wharfinger.runtime.errors import Misconfigured, Unavailable
from wharfinger.runtime.log import Log
from wharfinger.runtime.settings import Address, TlsPair

MAX_LINE: Final = 32 * 1024
"""Bytes of a request line or header: a GET with many scopes, or a CI's id token as password, must fit."""
KEEP_ALIVE_S: Final = 75.0
BACKLOG: Final = 1_024
"""A registry opens a connection for each event and flushes its whole queue after an outage."""
LEAVING_S: Final = 5.0
"""The children of an `up` that was killed end within this and give their ports back; later a port is another program's."""
TAKEN_POLL_S: Final = 0.1
EXIT_DONE: Final = 0
EXIT_MISCONFIGURED: Final = 2
EXIT_UNAVAILABLE: Final = 3


def run(
    make_app: Callable[[], web.Application],
    *,
    listen: Address,
    setting: str,
    tls: ssl.SSLContext | None,
    log: Log,
    grace_s: float = 10,
) -> int:
    """Serve until SIGTERM or SIGINT.

    Args:
        make_app: makes the application, inside the running loop.
        listen: where.
        setting: the configuration key that says where, for the error.
        tls: serve HTTPS with this; None for plain HTTP.
        log: takes the start, the stop, and why not.
        grace_s: seconds that running requests get at the end.

    Returns:
        the process's exit code: 0 stopped, 2 misconfigured, 3 unavailable.
    """
    try:
        uvloop.run(_serve(make_app, listen, setting, tls, log, grace_s))
    except Misconfigured as fault:
        log("service.misconfigured", problem=str(fault))
        return EXIT_MISCONFIGURED
    except Unavailable as fault:
        log("service.unavailable", problem=str(fault))
        return EXIT_UNAVAILABLE
    return EXIT_DONE


def tls_context(pair: TlsPair | None) -> ssl.SSLContext | None:
    """A server's context for a certificate and its key, TLS 1.2 or better. Raises Misconfigured."""
    if pair is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(pair.certificate, pair.key)
    except (OSError, ssl.SSLError) as error:
        raise Misconfigured(f"server.certificate {pair.certificate} and server.key {pair.key}: {error}") from error
    return context


async def _serve(  # noqa: PLR0917 - run's own arguments, passed on
    make_app: Callable[[], web.Application], listen: Address, setting: str, tls: ssl.SSLContext | None, log: Log, grace_s: float
) -> None:
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    # A gzip bomb is not inflated by us: bodies are taken as they come.
    runner = web.AppRunner(
        make_app(),
        handle_signals=False,
        access_log=None,
        max_line_size=MAX_LINE,
        max_field_size=MAX_LINE,
        keepalive_timeout=KEEP_ALIVE_S,
        auto_decompress=False,
        shutdown_timeout=grace_s,
    )
    await runner.setup()
    try:
        await _listen(runner, listen, setting, tls, log)
        log("service.listening", addr=f"{listen.host}:{listen.port}", tls=tls is not None)
        await stopping.wait()
        log("service.stopping")
    finally:
        await runner.cleanup()


async def _listen(runner: web.AppRunner, listen: Address, setting: str, tls: ssl.SSLContext | None, log: Log) -> None:
    where = f"{listen.host}:{listen.port}"
    until = time.monotonic() + LEAVING_S
    waits = False
    while True:
        site = web.TCPSite(runner, listen.host or None, listen.port, ssl_context=tls, backlog=BACKLOG)
        try:
            await site.start()
        except OSError as error:
            await site.stop()
            if error.errno != errno.EADDRINUSE:
                raise Misconfigured(f"{setting}: cannot listen on {where}: {error.strerror}") from error
            if time.monotonic() > until:
                what = f"{setting}: {where} is taken by another program; stop it, or choose another port"
                raise Misconfigured(what) from error
            if not waits:
                log("service.waiting", problem=f"{where} is taken")
            waits = True
            await asyncio.sleep(TAKEN_POLL_S)
        else:
            return
