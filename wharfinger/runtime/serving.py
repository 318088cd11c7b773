"""Serving one aiohttp application on uvloop until a signal: limits, TLS, and the order of stopping. Knows no service.

Stopping: no new connections; running requests get ``grace_s``; then the application's own clean-up, in reverse of its start.
What a connection may cost stands in ``connections``, and is kept by ``bounded`` and ``direct``.
"""

import asyncio
import encodings.idna  # noqa: F401 - what listens looks its host up with it: imported before the fork, its tables are shared
import errno
import gc
import signal
import socket
import ssl
import time
import warnings
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Final

import uvloop
from aiohttp import web

from wharfinger.runtime.bounded import BoundedRunner
from wharfinger.runtime.connections import Bounds, within_open_files
from wharfinger.runtime.errors import Misconfigured, Unavailable
from wharfinger.runtime.handshakes import Handshake
from wharfinger.runtime.log import LibraryLog, Log
from wharfinger.runtime.settings import Address, TlsSettings

BACKLOG: Final = 1_024
"""A registry opens a connection for each event and flushes its whole queue after an outage."""
YOUNG_OBJECTS: Final = 20_000
"""Objects before the collector looks for cycles: what requests make is gone with them, and Python's 700 are two requests'."""
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
    shared: bool = False,
    grace_s: float = 10,
) -> int:
    """Serve until SIGTERM or SIGINT.

    Args:
        make_app: makes the application, inside the running loop.
        listen: where.
        setting: the configuration key that says where, for the error.
        tls: serve HTTPS with this; None for plain HTTP.
        log: takes the start, the stop, and why not.
        shared: other processes of ours listen there too.
        grace_s: seconds that running requests get at the end.

    Returns:
        the process's exit code: 0 stopped, 2 misconfigured, 3 unavailable.
    """
    LibraryLog.install(log)
    gc.set_threshold(YOUNG_OBJECTS, 50, 100)
    try:
        uvloop.run(_serve(make_app, listen, setting, tls, log, grace_s, shared=shared))
    except Misconfigured as fault:
        log("service.misconfigured", problem=str(fault))
        return EXIT_MISCONFIGURED
    except Unavailable as fault:
        log("service.unavailable", problem=str(fault))
        return EXIT_UNAVAILABLE
    return EXIT_DONE


def tls_context(tls: TlsSettings | None) -> ssl.SSLContext | None:
    """A server's context. Raises Misconfigured."""
    if tls is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        with warnings.catch_warnings():
            # `check` warned of an old version that is asked for; Python would warn again.
            warnings.simplefilter("ignore", DeprecationWarning)
            context.minimum_version = ssl.TLSVersion[tls.min_version]
        if tls.curve:
            context.set_ecdh_curve(tls.curve)
        if tls.ciphers:
            context.set_ciphers(":".join(tls.ciphers))
    except (ValueError, ssl.SSLError) as error:
        raise Misconfigured(f"server's tls_ settings: {error}") from error
    load_pair(context, tls)
    return context


def load_pair(context: ssl.SSLContext, tls: TlsSettings) -> None:
    """Serve new connections with the pair as its files are now. Raises Misconfigured, and the old one stays."""
    pair = tls.pair
    try:
        # Tried on a context of its own first: a half-loaded pair would break the one that serves.
        for target in (ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), context):
            target.load_cert_chain(pair.certificate, pair.key)
    except (OSError, ssl.SSLError) as error:
        raise Misconfigured(f"server.certificate {pair.certificate} and server.key {pair.key}: {error}") from error


def storable(text: str, *, limit: int) -> str:
    """A header's text as records may hold it: cut, and its bytes that are no UTF-8, which aiohttp hides in it, replaced."""
    kept = text[:limit]
    return kept if kept.isascii() else kept.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


async def _serve(  # noqa: PLR0917 - run's own arguments, passed on
    make_app: Callable[[], web.Application],
    listen: Address,
    setting: str,
    tls: ssl.SSLContext | None,
    log: Log,
    grace_s: float,
    *,
    shared: bool,
) -> None:
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    bounds = within_open_files(Bounds())
    runner = BoundedRunner(make_app(), bounds=bounds, log=log, grace_s=grace_s)
    await runner.setup()
    try:
        opening = partial(listening, runner, listen, tls, shared=shared)
        server = await _listen(opening, listen, setting, log)
        log("service.listening", addr=str(listen), tls=tls is not None)
        await stopping.wait()
        log("service.stopping")
        server.close()
    finally:
        await runner.cleanup()


async def _listen(start: Callable[[], Awaitable[asyncio.Server]], listen: Address, setting: str, log: Log) -> asyncio.Server:
    until = time.monotonic() + LEAVING_S
    waits = False
    while True:
        try:
            return await start()
        except (OSError, UnicodeError) as error:
            if not _is_taken(error) or time.monotonic() > until:
                raise _cannot_listen(listen, setting, error) from error
            if not waits:
                log("service.waiting", problem=f"{listen} is taken")
            waits = True
            await asyncio.sleep(TAKEN_POLL_S)


def require_free(listen: Address, setting: str) -> None:
    """Before several processes share an address: that nobody else has it, once those that are leaving have left.

    Sharing lets any process of this user join in unasked, so a second start would silently take half of the requests.

    Raises:
        Misconfigured: it is taken.
    """
    until = time.monotonic() + LEAVING_S
    while not listen.unix:
        fault = _taken(listen)
        if fault is None:
            return
        if not _is_taken(fault) or time.monotonic() > until:
            raise _cannot_listen(listen, setting, fault) from fault
        time.sleep(TAKEN_POLL_S)


def taken(listens: Sequence[Address]) -> list[Address]:
    """Which of these TCP addresses somebody has, once those that are leaving have left."""
    until = time.monotonic() + LEAVING_S
    while True:
        left = [one for one in listens if _is_taken(_taken(one))]
        if not left or time.monotonic() > until:
            return left
        time.sleep(TAKEN_POLL_S)


def _taken(listen: Address) -> OSError | UnicodeError | None:
    family = socket.AF_INET6 if ":" in listen.host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((listen.host, listen.port))
            probe.listen(1)
        except (OSError, UnicodeError) as error:
            return error
    return None


async def listening(
    runner: BoundedRunner, listen: Address, tls: ssl.SSLContext | None, *, shared: bool = False
) -> asyncio.Server:
    """Take connections for a runner that is set up. Raises OSError, or UnicodeError for what is no host's name."""
    loop = asyncio.get_running_loop()

    # Not aiohttp's sites: they leave a client a minute for its handshake, and count it nowhere until then.
    def accept() -> asyncio.Protocol:
        return runner.accept() if tls is None else Handshake(runner.connections, tls, runner.accept)

    if listen.unix:
        _remove_stale(Path(listen.unix))
        return await loop.create_unix_server(accept, listen.unix, backlog=BACKLOG)
    return await loop.create_server(accept, listen.host or None, listen.port, backlog=BACKLOG, reuse_port=shared or None)


def _is_taken(error: OSError | UnicodeError | None) -> bool:
    return isinstance(error, OSError) and error.errno == errno.EADDRINUSE


def _remove_stale(path: Path) -> None:
    # A socket that a killed process left; anything else is not ours to remove.
    if path.is_socket():
        path.unlink()


def _cannot_listen(listen: Address, setting: str, error: OSError | UnicodeError) -> Misconfigured:
    if _is_taken(error):
        return Misconfigured(f"{setting}: {listen} is taken by another program; stop it, or choose another port")
    why = error.strerror if isinstance(error, OSError) else "this is no host's name"
    return Misconfigured(f"{setting}: cannot listen on {listen}: {why}")
