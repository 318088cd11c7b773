"""Joins the token service: the only place of authsvc that makes clients, and reads clock and randomness.

The configuration is read anew when one of its files changes, and on SIGHUP. What it decides is then replaced in one assignment:
a request that runs is answered by the old, the next one by the new. A faulty file is reported, and the old keeps serving.
"""

import asyncio
import secrets
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import replace
from ssl import SSLContext
from typing import Final

import redis.asyncio as redis
from aiohttp import web
from redis.exceptions import RedisError

from authsvc.adapters.attempts import RedisAttempts
from authsvc.adapters.passwords import BcryptPool
from authsvc.adapters.signing import TokenSigner
from authsvc.adapters.static_users import StaticUsers
from authsvc.adapters.streams import TIMEOUT_S, Batches, RedisIssuances, RedisRefusals
from authsvc.decide.credentials import dummy_hash
from authsvc.decide.refusals import RefusalSums
from authsvc.endpoints import Endpoints, Serving
from authsvc.errors import Misconfigured, Unavailable
from authsvc.issue import Issue, Rules
from authsvc.ports import Authenticator, Authorizer, PasswordCheck
from wharfinger.policy import CompileError, compile_acl
from wharfinger.runtime.configuration import Loaded
from wharfinger.runtime.errors import Misconfigured as CannotServe
from wharfinger.runtime.log import Log, to_stderr
from wharfinger.runtime.serving import EXIT_MISCONFIGURED, load_pair, run, tls_context
from wharfinger.runtime.settings import AuthSettings
from wharfinger.runtime.watching import LOOK_S, look
from wharfinger.wire.jti import JtiKeys

FLUSH_S: Final = 5.0

Read = Callable[[], Loaded]
"""Reads the configuration with everything that is found in it."""


def serve(settings: AuthSettings, read: Read, *, shared: bool = False) -> int:
    """Serve until a signal; the process's exit code. ``shared``: other processes listen on the same address."""
    log = to_stderr("auth")
    try:
        tls = tls_context(settings.server.tls)
        TokenSigner(settings.token, now=int(time.time()))
    except (Misconfigured, CannotServe) as fault:
        log("service.misconfigured", problem=str(fault))
        return EXIT_MISCONFIGURED
    service = Service(settings, read, tls, log)
    listen = settings.server.listen
    return run(service.build, listen=listen, setting="server.addr", tls=tls, log=log, shared=shared)


class Service:
    """One process of the token service, with what it keeps when the configuration is read anew."""

    def __init__(self, settings: AuthSettings, read: Read, tls: SSLContext | None, log: Log) -> None:
        self._settings = settings
        self._read = read
        self._tls = tls
        self._log = log
        self._hup = asyncio.Event()

    def build(self) -> web.Application:
        """The application, inside a running loop. Stops in reverse: the last sums are recorded before Redis is let go."""
        client = redis.Redis.from_url(self._settings.redis_url, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S)
        batches, passwords = Batches(client), BcryptPool()
        signer = TokenSigner(self._settings.token, now=int(time.time()))
        issue = Issue(
            rules=make_rules(self._settings, signer, passwords),
            passwords=passwords,
            attempts=RedisAttempts(client, self._settings.token.jti_keys[0].reveal()),
            issuances=RedisIssuances(batches),
            refusals=RedisRefusals(batches),
            clock=lambda: time.time_ns() // 1_000_000,
            nonces=secrets.randbits,
            sums=RefusalSums(),
            log=self._log,
        )
        serving = Serving(issue, self._settings.server, signer.key_set())

        async def ping() -> None:
            try:
                await client.ping()
            except (RedisError, OSError) as error:
                raise Unavailable(type(error).__name__) from error

        async def life(_app: web.Application) -> AsyncIterator[None]:
            asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self._hup.set)
            tasks = [asyncio.create_task(_flush(serving)), asyncio.create_task(self._watch(serving))]
            yield
            for task in tasks:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
            await serving.issue.flush(everything=True)
            await batches.close()
            await client.aclose()
            passwords.close()

        app = web.Application(client_max_size=0)
        app.add_routes(Endpoints(serving, pings={"redis": ping}, log=self._log).routes())
        app.cleanup_ctx.append(life)
        return app

    async def _watch(self, serving: Serving) -> None:
        loaded = await asyncio.to_thread(self._read)
        seen = await asyncio.to_thread(look, loaded.watched)
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._hup.wait(), LOOK_S)
            now = await asyncio.to_thread(look, loaded.watched)
            if now == seen and not self._hup.is_set():
                continue
            self._hup.clear()
            loaded = await asyncio.to_thread(self._read)
            seen = await asyncio.to_thread(look, loaded.watched)
            await self._replace(serving, loaded)

    async def _replace(self, serving: Serving, loaded: Loaded) -> None:
        for fault in loaded.faults():
            self._log("configuration.faulty", line=fault.line, key=fault.key, problem=fault.problem, remedy=fault.remedy)
        if loaded.settings is None:
            self._log("configuration.kept", why="the new file has faults; the old one keeps serving")
            return
        new = replace(loaded.settings.auth, redis_url=self._settings.redis_url)
        try:
            signer = await asyncio.to_thread(TokenSigner, new.token, now=int(time.time()))
            rules = make_rules(new, signer, serving.issue.passwords)
            if self._tls is not None and new.server.tls is not None:
                load_pair(self._tls, new.server.tls)
        except (Misconfigured, CannotServe) as fault:
            self._log("configuration.kept", why=f"{fault}; the old one keeps serving")
            return
        if replace(new.server, tls=None) != replace(self._settings.server, tls=None):
            self._log("configuration.restart_needed", key="server", why="where it listens is changed by a restart only")
        serving.issue = replace(serving.issue, rules=rules)
        serving.key_set = signer.key_set()
        self._log("configuration.reloaded", policy=rules.policy.hash if rules.policy else "")


def make_rules(settings: AuthSettings, signer: TokenSigner, passwords: PasswordCheck) -> Rules:
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
    return Rules(
        issuer=settings.token.issuer,
        expiration_s=settings.token.expiration_s,
        policy=policy,
        authenticators=tuple(authenticators),
        authorizers=authorizers,
        signer=signer,
        keys=keys,
        known=frozenset(users),
        dummy=dummy_hash(users),
    )


async def _flush(serving: Serving) -> None:
    while True:
        await asyncio.sleep(FLUSH_S)
        await serving.issue.flush()
