"""Joins the workers: a process each for settling, delivering and sweeping. Only here are clients made and clocks read.

Everything is made inside the process that uses it: no connection to SQL or Redis crosses a fork.
"""

import os
import random
import signal
import time
from collections.abc import Callable, Mapping
from typing import Final

import redis
from redis.backoff import ConstantBackoff
from redis.retry import Retry
from rq import Queue, SimpleWorker
from rq.serializers import JSONSerializer

from wharfinger.ledger.checkpoints import key_problem
from wharfinger.ledger.database import Database
from wharfinger.ledger.errors import LedgerUnavailable
from wharfinger.ledger.log_keys import log_keys
from wharfinger.runtime.errors import Misconfigured
from wharfinger.runtime.log import Log, to_stderr
from wharfinger.runtime.settings import WorkerSettings
from wharfinger.wire import keys
from wharfinger.wire.jti import JtiKeys
from workers.adapters.bodies import SpilledBodies
from workers.adapters.checkpoints import LedgersCheckpoints, LedgersHead
from workers.adapters.destinations import ConfiguredDestinations
from workers.adapters.housekeeping import RedisHousekeeping
from workers.adapters.issuances import StoredIssuances
from workers.adapters.ledger import LedgerOfBatches, LedgerOutbox
from workers.adapters.registry import RegistryTags
from workers.adapters.streams import RedisStreams
from workers.adapters.wake_ups import RqWakeUps
from workers.adapters.witness import CosignersInThreads, HttpWitness
from workers.cosign import Cosign
from workers.decide.plan import Planner
from workers.decide.rules import compile_rules
from workers.deliver import Deliver
from workers.errors import Unavailable
from workers.settle import Settle
from workers.sign import Sign
from workers.sweep import Sweep
from workers.tasks import Task, deliver_table, settle_table, table_job

SWEEP_S: Final = 1.0
"""Between two looks. A batch whose worker was killed is pending for 2 s before it is taken over: 5 s are kept with room."""
TIDY_EVERY: Final = 60
"""Looks between two rounds of tidying."""
REDIS_TIMEOUT_S: Final = 5.0
STOPPED: Final = 0
MISCONFIGURED: Final = 2
UNAVAILABLE: Final = 3


def run_settle(settings: WorkerSettings) -> int:
    """The settle worker, until SIGTERM. Settles what is there at once, then on wake-ups."""
    log = to_stderr("settle")
    client, database = _redis(settings.redis_url), Database(settings.ledger_url)
    settle = Settle(
        streams=RedisStreams(client, consumer=f"settle-{os.getpid()}-{random.getrandbits(32):08x}"),
        bodies=SpilledBodies(settings.spill),
        issuances=StoredIssuances(client, database),
        ledger=LedgerOfBatches(database),
        wake_ups=RqWakeUps(client),
        planner=Planner(JtiKeys(tuple(key.reveal() for key in settings.jti_keys)), compile_rules(settings.deploy)),
        clock=_now_ms,
        log=log,
    )
    settle.run()
    return _work(client, keys.SETTLE_QUEUE, settle_table(settle, lambda: _clear(client)), log)


def run_deliver(settings: WorkerSettings) -> int:
    """A deliver worker, until SIGTERM."""
    log = to_stderr("deliver")
    client, database = _redis(settings.redis_url), Database(settings.ledger_url)
    deliver = Deliver(
        outbox=LedgerOutbox(database, _now_ms),
        tags=RegistryTags(settings.sources),
        destinations=ConfiguredDestinations(settings),
        wake_ups=RqWakeUps(client),
        clock=_now_ms,
        pause=lambda milliseconds: time.sleep(milliseconds / 1_000),
        randomness=random.random,
        log=log,
    )
    return _work(client, keys.DELIVER_QUEUE, deliver_table(deliver), log)


def run_sweep(settings: WorkerSettings) -> int:
    """The sweeper, until SIGTERM or SIGINT: a look each second, tidying each minute, and the log signed on the way."""
    log = to_stderr("sweep")
    stop_signals = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, stop_signals)
    client, database = _redis(settings.redis_url), Database(settings.ledger_url)
    streams = RedisStreams(client, consumer="sweep")
    try:
        sign = signing(settings, database, log)
    except Misconfigured as fault:
        log("worker.misconfigured", problem=str(fault))
        return MISCONFIGURED
    sweep = Sweep(
        streams=streams,
        outbox=LedgerOutbox(database, _now_ms),
        wake_ups=RqWakeUps(client),
        housekeeping=RedisHousekeeping(client, settings.spill),
        log=log,
    )
    look = 0
    while signal.sigtimedwait(stop_signals, SWEEP_S) is None:
        look += 1
        try:
            sweep.run()
            if look % TIDY_EVERY == 0:
                sweep.tidy()
        except (Unavailable, LedgerUnavailable) as fault:
            log("sweep.unavailable", problem=str(fault))
        # Apart: the log is signed while Redis is away, and a fault of signing keeps no delivery waiting.
        try:
            if sign is not None:
                sign.run()
        except LedgerUnavailable as fault:
            log("sign.unavailable", problem=str(fault))
    return STOPPED


def signing(settings: WorkerSettings, database: Database, log: Log) -> Sign | None:
    """The signing of the log; None where there is no key, and no log that was signed with one. Raises Misconfigured."""
    keys = log_keys(settings.log)
    with database.reading() as connection:
        problem = key_problem(connection, keys)
    if problem:
        raise Misconfigured(problem)
    if keys.signer is None:
        log("sign.idle", problem=f"there is no {settings.log.key_file}: the log is not signed")
        return None
    cosigns = [
        Cosign(one.name, keys.witnesses[one.name], HttpWitness(one), LedgersCheckpoints(database), log)
        for one in settings.log.witnesses
    ]
    every_ms = int(settings.log.checkpoint_every_s * 1_000)
    head = LedgersHead(database, keys, keys.signer, every_ms=every_ms, clock=_now_ms)
    return Sign(head=head, cosigners=CosignersInThreads(cosigns, log), every_ms=every_ms, clock=_now_ms, log=log)


def _work(client: redis.Redis, queue: str, table: Mapping[str, Task], log: Log) -> int:
    job_class = table_job(table)
    # One queue a worker: with two, RQ loses the job of a worker that is killed between taking and starting it.
    worker = SimpleWorker(
        [Queue(queue, connection=client, serializer=JSONSerializer, job_class=job_class)],
        connection=client,
        serializer=JSONSerializer,
        job_class=job_class,
        log_job_description=False,
    )
    try:
        worker.work(logging_level="WARNING")
    except redis.RedisError as error:
        log("worker.unavailable", problem=type(error).__name__)
        return UNAVAILABLE
    return STOPPED


def _clear(client: redis.Redis) -> None:
    client.delete(keys.WAKE)


def _redis(url: str) -> redis.Redis:
    # RQ blocks in its own reads with a timeout of their own; ours bounds everything else.
    return redis.Redis.from_url(
        url,
        socket_connect_timeout=REDIS_TIMEOUT_S,
        retry=Retry(ConstantBackoff(0.05), 2),
        health_check_interval=30,
    )


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


WORKERS: Final[dict[str, Callable[[WorkerSettings], int]]] = {
    "settle": run_settle,
    "deliver": run_deliver,
    "sweep": run_sweep,
}
"""The kinds of worker processes, by name."""
