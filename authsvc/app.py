"""Joins the token service: the only place of authsvc that makes clients, and reads clock and randomness.

The configuration is read anew when one of its files changes, and on SIGHUP. What it decides is then replaced in one assignment:
a request that runs is answered by the old, the next one by the new. A faulty file is reported, and the old keeps serving.
"""

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import replace
from ssl import SSLContext
from typing import Final

from aiohttp import web
from redis.exceptions import RedisError

from authsvc.adapters.attempts import SharedAttempts
from authsvc.adapters.command_auth import CommandAuthenticator, CommandAuthorizer, Program
from authsvc.adapters.journal import Journal
from authsvc.adapters.measured import MeasuredPasswords
from authsvc.adapters.nonces import SystemNonces
from authsvc.adapters.passwords import BcryptPool
from authsvc.adapters.signing import TokenSigner
from authsvc.adapters.spool import Replay, Spool
from authsvc.adapters.static_users import StaticUsers
from authsvc.adapters.streams import TIMEOUT_S, Batches, RedisIssuances, RedisRefusals, connect
from authsvc.decide.commands import EXT_AUTH, EXT_AUTHZ
from authsvc.decide.credentials import costs
from authsvc.decide.keys import warnings
from authsvc.decide.refusals import RefusalSums
from authsvc.endpoints import Endpoints, Serving
from authsvc.errors import Misconfigured, Unavailable
from authsvc.issue import Issue, Rules
from authsvc.metrics import RELOADS
from authsvc.ports import Authenticator, Authorizer, PasswordCheck, Ping
from wharfinger.policy import CompileError, compile_acl
from wharfinger.runtime.bounded import DIRECT
from wharfinger.runtime.configuration import Loaded
from wharfinger.runtime.errors import Misconfigured as CannotServe
from wharfinger.runtime.log import Log, by_turns, to_stderr
from wharfinger.runtime.metrics import Meter
from wharfinger.runtime.serving import EXIT_MISCONFIGURED, load_pair, run, tls_context
from wharfinger.runtime.settings import AuthSettings, OnStoreFailure, SubjectForm
from wharfinger.runtime.watching import LOOK_S, look
from wharfinger.wire.jti import JtiKeys
from wharfinger.wire.names import Subject
from wharfinger.wire.subject import format_subject

NAME: Final = "auth"
"""In the log."""
FLUSH_S: Final = 5.0

Read = Callable[[], Loaded]
"""Reads the configuration with everything that is found in it."""


def serve(settings: AuthSettings, read: Read, *, meter: Meter, shared: bool = False) -> int:
    """Serve until a signal; the process's exit code. ``shared``: other processes listen on the same address."""
    log = to_stderr(NAME)
    meter.begin()
    try:
        tls = tls_context(settings.server.tls)
        TokenSigner(settings.token, now=int(time.time()))
        if settings.on_store_failure is OnStoreFailure.SPOOL:
            Journal(settings.spool, settings.spool_budget).prepare()
    except CannotServe as fault:
        log("service.misconfigured", problem=str(fault))
        return EXIT_MISCONFIGURED
    service = Service(settings, read, tls, meter, log)
    listen = settings.server.listen
    return run(service.build, listen=listen, setting="server.addr", tls=tls, log=log, shared=shared)


class Service:
    """One process of the token service, with what it keeps when the configuration is read anew."""

    def __init__(self, settings: AuthSettings, read: Read, tls: SSLContext | None, meter: Meter, log: Log) -> None:
        self._settings = settings
        self._read = read
        self._tls = tls
        self._meter = meter
        self._log = log
        self._hup = asyncio.Event()

    def build(self) -> web.Application:
        """The application, inside a running loop. Stops in reverse: the last sums are recorded before Redis is let go."""
        self._log = by_turns(NAME, asyncio.get_running_loop())
        client = connect(self._settings.redis_url)
        recorder = connect(self._settings.redis_url, waits=True)
        batches, bcrypt = Batches(recorder, self._meter), BcryptPool()
        passwords = MeasuredPasswords(bcrypt, self._meter)
        # Without spooling too: what an earlier configuration left there must reach Redis.
        journal = Journal(self._settings.spool, self._settings.spool_budget)
        spool, replay = Spool(batches, journal, self._log), Replay(batches, journal, self._log)
        spools = self._settings.on_store_failure is OnStoreFailure.SPOOL
        jti_key = self._settings.token.jti_keys[0].reveal()
        signer = TokenSigner(self._settings.token, now=int(time.time()))
        issue = Issue(
            rules=make_rules(self._settings, signer, passwords, self._meter),
            passwords=passwords,
            attempts=SharedAttempts(client, jti_key, _now_ms, away=spool.away if spools else None),
            issuances=spool if spools else RedisIssuances(batches),
            refusals=spool if spools else RedisRefusals(batches),
            clock=_now_ms,
            nonces=SystemNonces(),
            sums=RefusalSums(),
            log=self._log,
        )
        self._warn_of_keys(signer, self._settings)
        serving = Serving(issue, self._settings.server, signer.key_set())

        async def ping() -> None:
            try:
                async with asyncio.timeout(TIMEOUT_S):
                    await client.ping()
            except (RedisError, OSError, TimeoutError) as error:
                raise Unavailable(type(error).__name__) from error

        async def ping_or_spool() -> None:
            try:
                await ping()
            except Unavailable:
                await spool.ready()

        async def life(_app: web.Application) -> AsyncIterator[None]:
            asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self._hup.set)
            tasks = [asyncio.create_task(one) for one in (_flush(serving), self._watch(serving), replay.run())]
            yield
            for task in tasks:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
            await serving.issue.flush(everything=True)
            await batches.close()
            await journal.close()
            await recorder.aclose()
            await client.aclose()
            bcrypt.close()

        app = web.Application(client_max_size=0)
        pings = {"redis_or_journal": ping_or_spool} if spools else {"redis": ping}
        endpoints = Endpoints(serving, pings=pings, meter=self._meter, log=self._log)
        app.add_routes(endpoints.routes())
        app[DIRECT] = endpoints.direct()
        app.cleanup_ctx.append(life)
        return app

    def _warn_of_keys(self, signer: TokenSigner, settings: AuthSettings) -> None:
        services = {"*": settings.token.default, **settings.token.services}
        for warning in warnings(signer.public, services, now=int(time.time())):
            self._log("keys.warned", warning=warning)

    async def _watch(self, serving: Serving) -> None:
        watched = (await asyncio.to_thread(self._read)).watched
        # Looked at before it is read: a change in between is one to come.
        seen = await asyncio.to_thread(look, watched)
        loaded = await asyncio.to_thread(self._read)
        # What this process was started with is older than the file, if that changed while it started, or while another ran.
        if loaded.settings is None or replace(loaded.settings.auth, redis_url=self._settings.redis_url) != self._settings:
            await self._replace(serving, loaded)
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._hup.wait(), LOOK_S)
            now = await asyncio.to_thread(look, loaded.watched)
            if now == seen and not self._hup.is_set():
                continue
            self._hup.clear()
            loaded = await asyncio.to_thread(self._read)
            seen = await asyncio.to_thread(look, loaded.watched) | {file: now[file] for file in now.keys() & loaded.watched}
            await self._replace(serving, loaded)

    async def _replace(self, serving: Serving, loaded: Loaded) -> None:
        for fault in loaded.faults():
            self._log("configuration.faulty", line=fault.line, key=fault.key, problem=fault.problem, remedy=fault.remedy)
        if loaded.settings is None:
            self._log("configuration.kept", why="the new file has faults; the old one keeps serving")
            self._meter.add(RELOADS, "faulty")
            return
        new = replace(loaded.settings.auth, redis_url=self._settings.redis_url)
        try:
            signer = await asyncio.to_thread(TokenSigner, new.token, now=int(time.time()))
            rules = make_rules(new, signer, serving.issue.passwords, self._meter)
            if self._tls is not None and new.server.tls is not None:
                load_pair(self._tls, new.server.tls)
        except CannotServe as fault:
            self._log("configuration.kept", why=f"{fault}; the old one keeps serving")
            self._meter.add(RELOADS, "faulty")
            return
        if replace(new.server, tls=None) != replace(self._settings.server, tls=None):
            self._log("configuration.restart_needed", key="server", why="where it listens is changed by a restart only")
        serving.issue = replace(serving.issue, rules=rules)
        serving.key_set = signer.key_set()
        self._warn_of_keys(signer, new)
        self._meter.add(RELOADS, "taken")
        self._log("configuration.reloaded", policy=rules.policy.hash if rules.policy else "")


def make_rules(settings: AuthSettings, signer: TokenSigner, passwords: PasswordCheck, meter: Meter) -> Rules:
    """What a configuration decides. Raises Misconfigured."""
    policy = None if settings.acl is None else compile_acl(settings.acl, settings.policy)
    if isinstance(policy, CompileError):
        raise Misconfigured("the access list has faults; `wharfinger check` tells them")
    keys = JtiKeys(tuple(key.reveal() for key in settings.token.jti_keys))
    users = {user.name: user for user in settings.users or ()}
    authenticators: list[Authenticator] = []
    if settings.users is not None:
        authenticators.append(StaticUsers(settings.users, passwords, keys.keys[0]))
    authorizers: dict[str, Authorizer] = {}
    ready: dict[str, Ping] = {}
    if settings.ext_auth is not None:
        program = Program(settings.ext_auth, EXT_AUTH, meter)
        authenticators.append(CommandAuthenticator(program, keys.keys[0]))
        ready[EXT_AUTH] = program.ready
    if settings.ext_authz is not None:
        program = Program(settings.ext_authz, EXT_AUTHZ, meter)
        authorizers[EXT_AUTHZ] = CommandAuthorizer(program)
        ready[EXT_AUTHZ] = program.ready
    return Rules(
        issuer=settings.token.issuer,
        expiration_s=settings.token.expiration_s,
        policy=policy,
        authenticators=tuple(authenticators),
        authorizers=authorizers,
        signer=signer,
        keys=keys,
        known=frozenset(users),
        costs=costs(users),
        subject=format_subject if settings.token.subject is SubjectForm.WITH_ID else lambda account, _jti: Subject(account),
        ready=ready,
        key_ends={key.id: key.not_after for key in signer.public},
        log_tokens=settings.log_tokens,
    )


async def _flush(serving: Serving) -> None:
    while True:
        await asyncio.sleep(FLUSH_S)
        await serving.issue.flush()


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
