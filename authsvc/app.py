"""Joins the token service: the only place of authsvc that makes clients, and reads clock and randomness."""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Final

import redis.asyncio as redis
from aiohttp import web
from redis.exceptions import RedisError

from authsvc.adapters.passwords import BcryptPool
from authsvc.adapters.signing import Rs256Signer
from authsvc.adapters.streams import TIMEOUT_S, Batches, RedisIssuances, RedisRefusals
from authsvc.decide.refusals import RefusalSums
from authsvc.endpoints import Endpoints
from authsvc.errors import Misconfigured, Unavailable
from authsvc.issue import Issue
from wharfinger.policy import CompileError, compile_acl
from wharfinger.runtime.log import Log, to_stderr
from wharfinger.runtime.serving import EXIT_MISCONFIGURED, run, tls_context
from wharfinger.runtime.settings import AuthSettings
from wharfinger.wire.jti import JtiKeys

FLUSH_S: Final = 5.0


def serve(settings: AuthSettings) -> int:
    """Serve until a signal; the process's exit code."""
    log = to_stderr("auth")
    try:
        signer = Rs256Signer(settings.token.pair)
    except Misconfigured as fault:
        log("service.misconfigured", problem=str(fault))
        return EXIT_MISCONFIGURED
    tls = tls_context(settings.tls)
    return run(lambda: build(settings, signer, log), listen=settings.listen, setting="server.addr", tls=tls, log=log)


def build(settings: AuthSettings, signer: Rs256Signer, log: Log) -> web.Application:
    """The application, inside a running loop. Stops in reverse: the last sums are recorded before Redis is let go."""
    policy = compile_acl(settings.acl)
    if isinstance(policy, CompileError):
        raise Misconfigured("the access list has faults; `wharfinger check` tells them")
    client = redis.Redis.from_url(settings.redis_url, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S)
    batches, passwords = Batches(client), BcryptPool()
    issue = Issue(
        users={user.name: user for user in settings.users},
        policy=policy,
        keys=JtiKeys(tuple(key.reveal() for key in settings.token.jti_keys)),
        issuer=settings.token.issuer,
        expiration_s=settings.token.expiration_s,
        passwords=passwords,
        issuances=RedisIssuances(batches),
        refusals=RedisRefusals(batches),
        signer=signer,
        clock=lambda: time.time_ns() // 1_000_000,
        nonces=secrets.randbits,
        sums=RefusalSums(),
        log=log,
    )

    async def ping() -> None:
        try:
            await client.ping()
        except (RedisError, OSError) as error:
            raise Unavailable(type(error).__name__) from error

    async def life(_app: web.Application) -> AsyncIterator[None]:
        flushing = asyncio.create_task(_flush(issue))
        yield
        flushing.cancel()
        with suppress(asyncio.CancelledError):
            await flushing
        await issue.flush(everything=True)
        await batches.close()
        await client.aclose()
        passwords.close()

    app = web.Application(client_max_size=0)
    app.add_routes(Endpoints(issue, pings={"redis": ping}, log=log).routes())
    app.cleanup_ctx.append(life)
    return app


async def _flush(issue: Issue) -> None:
    while True:
        await asyncio.sleep(FLUSH_S)
        await issue.flush()
