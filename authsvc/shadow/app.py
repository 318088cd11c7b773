"""Joins shadow mode: the only place of it that makes servers and reads the clock.

On SIGHUP it logs a summary, reads the configuration anew and starts a new report: so a file is edited until nothing differs.
Stopping: no new connections, those that have a request get a moment to end, what is left is compared, the summary is logged.
"""

import asyncio
import json
import signal
import ssl
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final
from urllib.parse import urlsplit

import uvloop

from authsvc.adapters.measured import MeasuredPasswords
from authsvc.adapters.passwords import BcryptPool
from authsvc.adapters.signing import TokenSigner
from authsvc.app import make_rules
from authsvc.decide.framing import RequestHead
from authsvc.decide.shadow import Tally
from authsvc.errors import Misconfigured, Unavailable
from authsvc.metrics import POLICY, RELOADS
from authsvc.shadow.compare import Compare, Reading
from authsvc.shadow.relay import Exchange, Own, Relay, Upstream, ended
from wharfinger.runtime.configuration import Loaded
from wharfinger.runtime.connections import Bounds
from wharfinger.runtime.errors import Misconfigured as CannotServe
from wharfinger.runtime.log import LibraryLog, Log, to_stderr
from wharfinger.runtime.metrics import CONTENT_TYPE, Meter, Told
from wharfinger.runtime.serving import BACKLOG, EXIT_DONE, EXIT_MISCONFIGURED, require_free, tls_context
from wharfinger.runtime.settings import AuthSettings, ShadowSettings

MAX_WAITING: Final = 256
"""Exchanges that wait to be compared; those beyond are counted only."""
COMPARERS: Final = 4
GRACE_S: Final = 10.0
REPORT: Final = "/shadow"
_PROXIED: Final = frozenset({"forwarded", "via", "x-forwarded-for", "x-real-ip"})
_PORTS: Final = {"http": 80, "https": 443}

Read = Callable[[], Loaded]


def serve(settings: AuthSettings, read: Read, meter: Meter) -> int:
    """Serve until a signal; the process's exit code."""
    log = to_stderr("shadow")
    LibraryLog.install(log)
    meter.begin()
    try:
        uvloop.run(Shadow(settings, read, meter, log).run())
    except (Misconfigured, CannotServe) as fault:
        log("service.misconfigured", problem=str(fault))
        return EXIT_MISCONFIGURED
    return EXIT_DONE


class Shadow:
    """The proxy with what it compares by."""

    def __init__(self, settings: AuthSettings, read: Read, meter: Meter, log: Log) -> None:
        """Raises Misconfigured."""
        self._shadow = shadow = _asked_for(settings)
        require_free(shadow.listen, "shadow.addr")
        self._tls = tls_context(settings.server.tls)
        self._upstream = upstream_of(shadow.upstream, settings)
        self._read = read
        self._meter = meter
        self._log = log
        self._bcrypt = BcryptPool()
        self._passwords = MeasuredPasswords(self._bcrypt, meter)
        self._waiting: asyncio.Queue[Exchange] = asyncio.Queue(MAX_WAITING)
        self._reading = self._read_rules(settings)
        self._compare = Compare(self._reading, self._tally(), meter, _now, log)

    async def run(self) -> None:
        """Serve until SIGTERM or SIGINT. Raises Misconfigured."""
        stopping, loop = asyncio.Event(), asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stopping.set)
        hup = asyncio.Event()
        loop.add_signal_handler(signal.SIGHUP, hup.set)
        relay, listen = Relay(self._upstream, self._answer, self._take), self._shadow.listen
        try:
            server = await asyncio.start_server(
                relay.serve,
                listen.host or None,
                listen.port,
                ssl=self._tls,
                ssl_handshake_timeout=Bounds().head_s if self._tls else None,
                backlog=BACKLOG,
            )
        except OSError as error:
            raise CannotServe(f"shadow.addr: cannot listen on {listen}: {error.strerror}") from error
        workers = [asyncio.create_task(self._work()) for _ in range(COMPARERS)]
        workers.append(asyncio.create_task(self._reload(hup)))
        self._log("service.listening", addr=str(listen), tls=self._tls is not None, upstream=self._shadow.upstream)
        self._warn_of_addresses()
        await stopping.wait()
        self._log("service.stopping")
        server.close()
        await relay.stop(GRACE_S)
        with suppress(TimeoutError):
            await asyncio.wait_for(self._waiting.join(), GRACE_S)
        await ended(*workers)
        self._log("shadow.summary", **self._compare.tally.summary())
        self._bcrypt.close()

    def _take(self, exchange: Exchange) -> None:
        try:
            self._waiting.put_nowait(exchange)
        except asyncio.QueueFull:
            self._compare.skip()

    async def _work(self) -> None:
        while True:
            exchange = await self._waiting.get()
            try:
                await self._compare.run(exchange)
            except Exception as error:  # noqa: BLE001 - whatever a comparison comes upon, clients are served on
                self._log("shadow.not_compared", problem=type(error).__name__)
            finally:
                self._waiting.task_done()

    async def _answer(self, request: RequestHead, peer: str) -> Own | None:
        if request.method not in {"GET", "HEAD"}:
            return None
        match request.path:
            case "/healthz":
                return Own(200, b"ok\n")
            case "/readyz":
                return await self._ready()
            case "/metrics":
                policy = self._reading.rules.policy
                told = [] if policy is None else [Told(POLICY, (policy.hash,), 1)]
                return Own(200, self._meter.text(told).encode(), CONTENT_TYPE)
            case path if path == REPORT and self._of_this_machine(request, peer):
                return Own(200, json.dumps(self._compare.tally.report(), indent=1).encode(), "application/json")
            case _:
                return None

    def _of_this_machine(self, request: RequestHead, peer: str) -> bool:
        """Whether nobody from elsewhere asks: the report names accounts and repositories."""
        real_ip = self._reading.real_ip
        proxied = _PROXIED | ({real_ip.header.lower()} if real_ip else set())
        return peer in {"127.0.0.1", "::1"} and not proxied & request.fields.keys()

    async def _ready(self) -> Own:
        found = {"upstream": await self._reaches()}
        for name, ping in self._reading.rules.ready.items():
            try:
                await ping()
                found[name] = True
            except Unavailable:
                found[name] = False
        return Own(200 if all(found.values()) else 503, json.dumps(found).encode(), "application/json")

    async def _reaches(self) -> bool:
        place = self._upstream
        try:
            async with asyncio.timeout(1):
                _, writer = await asyncio.open_connection(place.host, place.port, ssl=place.tls)
        except OSError:
            return False
        writer.close()
        return True

    async def _reload(self, hup: asyncio.Event) -> None:
        while True:
            await hup.wait()
            hup.clear()
            self._log("shadow.summary", **self._compare.tally.summary())
            loaded = await asyncio.to_thread(self._read)
            for fault in loaded.faults():
                self._log("configuration.faulty", line=fault.line, key=fault.key, problem=fault.problem, remedy=fault.remedy)
            for one in loaded.warnings():
                self._log("configuration.warning", line=one.line, key=one.key, problem=one.problem, remedy=one.remedy)
            try:
                self._reading = self._read_rules(_sound(loaded))
            except Misconfigured as fault:
                self._log("configuration.kept", why=f"{fault}; the old one is compared with still")
                self._meter.add(RELOADS, "faulty")
                continue
            self._compare.reading, self._compare.tally = self._reading, self._tally()
            self._meter.add(RELOADS, "taken")
            self._log("configuration.reloaded", policy=self._policy_hash())
            self._warn_of_addresses()

    def _read_rules(self, settings: AuthSettings) -> Reading:
        signer = TokenSigner(settings.token, now=_now())
        rules = make_rules(settings, signer, self._passwords, self._meter)
        self._by_address = settings.server.real_ip is None and any(rule.ip is not None for rule in settings.acl or ())
        return Reading(rules, settings.server.path_prefix, settings.server.real_ip)

    def _warn_of_addresses(self) -> None:
        if self._by_address:
            why = "docker_auth sees this proxy's address instead of its clients', so its rules with ip decide by that"
            self._log("shadow.addresses_hidden", why=why)

    def _policy_hash(self) -> str:
        return self._reading.rules.policy.hash if self._reading.rules.policy else ""

    def _tally(self) -> Tally:
        return Tally(since=_now(), policy=self._policy_hash())


def _asked_for(settings: AuthSettings) -> ShadowSettings:
    if settings.shadow is None:
        raise CannotServe("shadow is missing: add shadow: {upstream: http://docker_auth:5001}")
    return settings.shadow


def _sound(loaded: Loaded) -> AuthSettings:
    if loaded.settings is None:
        raise Misconfigured("the new file has faults")
    return loaded.settings.auth


def upstream_of(url: str, settings: AuthSettings) -> Upstream:
    """Where docker_auth is; over HTTPS trusted by the system's certificates, and that of ``server``."""
    parts = urlsplit(url)
    tls = None
    if parts.scheme == "https":
        tls = ssl.create_default_context()
        if settings.server.tls is not None:
            with suppress(OSError):
                tls.load_verify_locations(settings.server.tls.pair.certificate)
    return Upstream(parts.hostname or "", parts.port or _PORTS[parts.scheme], tls)


def _now() -> int:
    return int(time.time())
