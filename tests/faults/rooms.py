"""The use cases joined by hand over a real store and a real ledger, so that each can be ended at any of its calls.

``Dies`` stands before a port and ends its process there: before the call is made, or when it is done and nobody knows. What was
ended is started again from new objects over the same store and ledger, as after a kill.
"""

import asyncio
import base64
import inspect
import json
import os
import random
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import redis
import redis.asyncio

from authsvc.adapters.attempts import SharedAttempts
from authsvc.adapters.passwords import BcryptPool
from authsvc.adapters.signing import TokenSigner
from authsvc.adapters.streams import Batches, RedisIssuances, RedisRefusals
from authsvc.app import make_rules
from authsvc.decide.refusals import RefusalSums
from authsvc.decide.request import TokenRequest, read_get
from authsvc.issue import Client, Issue, Issued
from authsvc.metrics import TABLE
from notifier.adapters.event_stream import RedisEvents, SettleWaker
from notifier.adapters.spill import SpillFolder
from notifier.ingest import Ingest
from notifier.ports import Post
from tests.real.conftest import free_port
from tests.trail import ask
from wharfinger.cli import init
from wharfinger.cli.loading import Place, read
from wharfinger.cli.templates import Ports
from wharfinger.ledger.database import Database
from wharfinger.runtime import embedded
from wharfinger.runtime.log import discard
from wharfinger.runtime.metrics import Board
from wharfinger.runtime.settings import Settings
from wharfinger.wire.jti import JtiKeys
from wharfinger.wire.names import Jti
from workers.adapters.bodies import SpilledBodies
from workers.adapters.housekeeping import RedisHousekeeping
from workers.adapters.issuances import StoredIssuances
from workers.adapters.ledger import LedgerOfBatches, LedgerOutbox
from workers.adapters.retention import LedgerRetention
from workers.adapters.streams import RedisStreams
from workers.adapters.wake_ups import RqWakeUps
from workers.decide.challenge import basic
from workers.decide.order import Delivered, Order, Sent
from workers.decide.plan import Planner
from workers.decide.rules import compile_rules
from workers.deliver import Deliver
from workers.ports import Destination, Lease
from workers.settle import Settle
from workers.sweep import Sweep

DIGEST = "sha256:" + "ab" * 32


class Killed(BaseException):
    """A process ends here. No use case may catch it."""


class Dies:
    """A port whose process ends at one call. ``done``: the call was carried out, and only its caller does not know."""

    def __init__(self, port: object, call: str, *, done: bool) -> None:
        self._port = port
        self._call = call
        self._done = done
        self._dead = False

    def __getattr__(self, name: str) -> Any:
        real = getattr(self._port, name)
        if name != self._call and not self._dead:  # the dead clean nothing up
            return real
        return self._ends_loop(real) if inspect.iscoroutinefunction(real) else self._ends(real)

    def _ends(self, real: Any) -> Any:
        def call(*arguments: Any, **named: Any) -> None:
            if self._done and not self._dead:
                real(*arguments, **named)
            self._dead = True
            raise Killed

        return call

    def _ends_loop(self, real: Any) -> Any:
        async def call(*arguments: Any, **named: Any) -> None:
            if self._done and not self._dead:
                await real(*arguments, **named)
            self._dead = True
            raise Killed

        return call


class Gives:
    """A port that hands out, by one call, what ends its process at another."""

    def __init__(self, port: object, giver: str, call: str, *, done: bool) -> None:
        self._port = port
        self._giver = giver
        self._call = call
        self._done = done

    def __getattr__(self, name: str) -> Any:
        real = getattr(self._port, name)
        if name != self._giver:
            return real
        return self._gives_later(real) if inspect.iscoroutinefunction(real) else self._gives(real)

    def _gives(self, real: Any) -> Any:
        def call(*arguments: Any, **named: Any) -> Dies:
            return Dies(real(*arguments, **named), self._call, done=self._done)

        return call

    def _gives_later(self, real: Any) -> Any:
        async def call(*arguments: Any, **named: Any) -> Dies:
            return Dies(await real(*arguments, **named), self._call, done=self._done)

        return call


Dress = Callable[[object], Any]
"""Puts something before a port."""


def _plain(port: object) -> Any:
    return port


def dying(call: str, *, done: bool = False) -> Dress:
    """Its process ends at a call."""
    return lambda port: Dies(port, call, done=done)


def giving(giver: str, call: str, *, done: bool = False) -> Dress:
    """Its process ends at a call of what it hands out."""
    return lambda port: Gives(port, giver, call, done=done)


@dataclass
class Receiver:
    """A target that knows an order it has carried out by its id, as a webhook's receiver must."""

    asked: list[str] = field(default_factory=list)

    def resume(self, _order: Order, _lease: Lease) -> Sent | None:
        """Nothing stands half done: it is told at once, or never."""
        return None

    def send(self, order: Order, lease: Lease) -> Sent:
        """Carry out an order."""
        lease.renew()
        self.asked.append(order.delivery_id)
        return Delivered()


@dataclass
class Rooms:
    """Everything over one data folder. ``skew_ms``: how far the workers' clock is ahead."""

    settings: Settings
    database: Database
    receiver: Receiver = field(default_factory=Receiver)
    skew_ms: int = 0

    @property
    def url(self) -> str:
        """The store's."""
        return self.settings.workers.redis_url

    @property
    def spill(self) -> Path:
        """Where big bodies are."""
        return self.settings.workers.spill

    def client(self) -> redis.Redis:
        """A client of the store."""
        return redis.Redis.from_url(self.url)

    def now_ms(self) -> int:
        """The workers' clock."""
        return time.time_ns() // 1_000_000 + self.skew_ms

    # The workers.

    def settle(self) -> Settle:
        """A settle worker."""
        client, workers = self.client(), self.settings.workers
        return Settle(
            streams=RedisStreams(client, consumer=f"settle-{random.getrandbits(32):08x}"),
            bodies=SpilledBodies(self.spill),
            issuances=StoredIssuances(client, self.database),
            ledger=LedgerOfBatches(self.database),
            wake_ups=RqWakeUps(client, self.now_ms),
            planner=Planner(JtiKeys(tuple(key.reveal() for key in workers.jti_keys)), compile_rules(workers.deploy)),
            clock=self.now_ms,
            log=discard,
        )

    def sweep(self) -> Sweep:
        """The sweeper."""
        client = self.client()
        return Sweep(
            streams=RedisStreams(client, consumer="sweep"),
            outbox=self.outbox(),
            wake_ups=RqWakeUps(client, self.now_ms),
            housekeeping=RedisHousekeeping(client, self.spill),
            retention=LedgerRetention(self.database, self.settings.workers.retention, self.now_ms),
            log=discard,
        )

    def outbox(self) -> LedgerOutbox:
        """The deliveries."""
        return LedgerOutbox(self.database, self.now_ms)

    def deliver(self) -> Deliver:
        """A deliver worker, for a registry that has what was pushed, and our receiver."""
        return Deliver(
            rules={one.rule.name: one for one in compile_rules(self.settings.workers.deploy)},
            outbox=self.outbox(),
            tags=_HasIt(),
            destinations=_Only(self.receiver),
            wake_ups=RqWakeUps(self.client(), self.now_ms),
            clock=self.now_ms,
            pause=lambda _: None,
            randomness=lambda: 0.0,
            log=discard,
        )

    # The services.

    @asynccontextmanager
    async def loop_client(self, url: str = "") -> AsyncIterator[redis.asyncio.Redis]:
        """A client of the store as the services have."""
        client = redis.asyncio.Redis.from_url(url or self.url, socket_timeout=2)
        try:
            yield client
        finally:
            await client.aclose()

    def token(self, issuances: Dress = _plain) -> Jti:
        """Issue a token to hussein for a push of ubuntu; its id. The port that records it may be dressed."""
        return asyncio.run(self._token(issuances))

    async def _token(self, dressed: Dress) -> Jti:
        auth = self.settings.auth
        meter = Board(TABLE).meter()
        async with self.loop_client() as client:
            batches, passwords = Batches(client, meter), BcryptPool()
            signer = TokenSigner(auth.token, now=int(time.time()))
            issue = Issue(
                rules=make_rules(auth, signer, passwords, meter),
                passwords=passwords,
                attempts=SharedAttempts(client, b"k" * 32, self.now_ms),
                issuances=dressed(RedisIssuances(batches)),
                refusals=RedisRefusals(batches),
                clock=self.now_ms,
                nonces=random.getrandbits,
                sums=RefusalSums(),
                log=discard,
            )
            try:
                outcome = await issue.run(self._asks(), Client("127.0.0.1", "", "docker"))
            finally:
                await batches.close()
                passwords.close()
        assert isinstance(outcome, Issued)
        return jti_of(str(outcome.body["token"]))

    def _asks(self) -> TokenRequest:
        lines = (self.settings.data / "passwords.txt").read_text().splitlines()
        password = next(line.split()[1] for line in lines if line.startswith("hussein "))
        request = read_get("service=registry&scope=repository:ubuntu:pull,push", [basic("hussein", password.encode())])
        assert isinstance(request, TokenRequest)
        return request

    def take(self, body: bytes, *, stream: Dress = _plain, spill: Dress = _plain, wakes: bool = True) -> None:
        """Take a notification, as the notifier does; its ports may be dressed. ``wakes``: it lives to wake settle."""
        asyncio.run(self._take(body, stream, spill, wakes=wakes))

    async def _take(self, body: bytes, stream: Dress, spill: Dress, *, wakes: bool) -> None:
        waker: Any = SettleWaker(self.client(), discard) if wakes else _Mute()
        async with self.loop_client() as client:
            events = RedisEvents(client, waker)
            folder = SpillFolder(self.spill, 10**9)
            ingest = Ingest(stream=stream(events), spill=spill(folder), clock=self.now_ms)
            try:
                await ingest.run(Post("main", "127.0.0.1", "", _chunks(body)))
            finally:
                await events.close()

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Rows of the ledger."""
        return ask(self.database, query)


class _HasIt:
    def digest(self, _source: str, _repository: str, _tag: str) -> str:
        return DIGEST


@dataclass(frozen=True)
class _Only:
    target: Receiver

    def find(self, _name: str) -> Destination:
        return Destination(self.target, runs_one=False, knows_what_runs=False, registry_host=str)


class _Mute:
    def wake(self) -> None:
        return


async def _chunks(body: bytes) -> AsyncIterator[bytes]:
    yield body


@contextmanager
def rooms_in(folder: Path) -> Iterator[Rooms]:
    """A new data folder with its store."""
    folder.mkdir(mode=0o700)
    init.make(folder, (), Ports(free_port(), free_port(), free_port()), tour=True)
    settings = read(Place(folder / "wharfinger.yml", folder)).settings
    assert settings is not None
    running = embedded.start(folder)
    database = Database(settings.workers.ledger_url)
    try:
        yield Rooms(_with_store(settings, running.store.url), database)
    finally:
        database.close()
        running.stop()


def _with_store(settings: Settings, url: str) -> Settings:
    return replace(
        settings,
        auth=replace(settings.auth, redis_url=url),
        notifier=replace(settings.notifier, redis_url=url),
        workers=replace(settings.workers, redis_url=url),
    )


def push_event(jti: Jti, ident: str = "e1", *, noise: int = 0) -> bytes:
    """A notification of a push by that token. ``noise``: bytes that do not compress, so that it is spilled."""
    event = {
        "id": ident,
        "timestamp": "2026-11-23T23:51:34.830Z",
        "action": "push",
        "target": {
            "repository": "ubuntu",
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "tag": "v1",
            "digest": DIGEST,
        },
        "request": {"method": "PUT"},
        "actor": {"name": f"hussein#{jti}"},
        "noise": os.urandom(noise).hex(),
    }
    return json.dumps({"events": [event]}).encode()


def jti_of(token: str) -> Jti:
    """A token's id."""
    payload = token.split(".")[1]
    return Jti(json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["jti"])
