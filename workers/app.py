"""Joins the workers: processes that settle, deliver, sweep, and serve numbers. Only here are clients made and clocks read.

Everything is made inside the process that uses it: no connection to SQL or Redis crosses a fork.
"""

import os
import random
import signal
import time
from collections.abc import AsyncIterator, Callable, Mapping
from types import TracebackType
from typing import Final

import redis
from aiohttp import web
from redis.backoff import ConstantBackoff
from redis.client import Pipeline
from redis.retry import Retry
from rq import Queue, SimpleWorker
from rq.job import Job
from rq.serializers import JSONSerializer

from wharfinger.ledger.checkpoints import key_problem
from wharfinger.ledger.database import Database
from wharfinger.ledger.errors import LedgerMisuse, LedgerUnavailable
from wharfinger.ledger.log_keys import log_keys
from wharfinger.runtime.errors import Misconfigured
from wharfinger.runtime.log import LibraryLog, Log, place_of, to_stderr
from wharfinger.runtime.serving import run
from wharfinger.runtime.settings import WorkerSettings
from wharfinger.wire import keys
from wharfinger.wire.jti import JtiKeys
from workers.adapters.alarms import LedgersAlarms
from workers.adapters.bodies import SpilledBodies
from workers.adapters.checkpoints import LedgersCheckpoints, LedgersHead
from workers.adapters.destinations import ConfiguredDestinations
from workers.adapters.forwarding import ForwardInThread, LedgersPassage
from workers.adapters.hearing import LedgersHearing
from workers.adapters.housekeeping import RedisHousekeeping
from workers.adapters.issuances import StoredIssuances
from workers.adapters.ledger import LedgerOfBatches, LedgerOutbox
from workers.adapters.registry import RegistryTags
from workers.adapters.retention import LedgerRetention
from workers.adapters.sinks import sink_of
from workers.adapters.streams import RedisStreams
from workers.adapters.trail import LedgersTrail
from workers.adapters.wake_ups import RqWakeUps
from workers.adapters.witness import CosignersInThreads, HttpWitness
from workers.cosign import Cosign
from workers.decide.plan import Planner
from workers.decide.rules import compile_rules
from workers.deliver import Deliver
from workers.endpoints import Endpoints
from workers.errors import Unavailable
from workers.forward import Forward
from workers.listen import Listen
from workers.settle import Settle
from workers.sign import Sign
from workers.sweep import Sweep
from workers.tasks import Task, deliver_table, settle_table, table_job
from workers.warn import Warn

SWEEP_S: Final = 1.0
"""Between two looks. A batch whose worker was killed is pending for 2 s before it is taken over: 5 s are kept with room."""
TIDY_EVERY: Final = 60
"""Looks between two rounds of tidying."""
REDIS_TIMEOUT_S: Final = 5.0
WORKER_TTL_S: Final = 30
"""RQ waits for a job half of this, and ten seconds more for a server that fell silent. A killed worker's name lasts 90 s."""
FORWARD_STOP_S: Final = 2.0
"""For what is under way at the end; a server that hangs is not waited for."""
STOP_SIGNALS: Final = {signal.SIGTERM, signal.SIGINT}
STOPPED: Final = 0
MISCONFIGURED: Final = 2
UNAVAILABLE: Final = 3


def run_settle(settings: WorkerSettings, log: Log) -> int:
    """The settle worker, until SIGTERM. Settles what is there at once, then on wake-ups."""
    client, database = _redis(settings.redis_url), Database(settings.ledger_url)
    settle = Settle(
        streams=RedisStreams(client, consumer=f"settle-{os.getpid()}-{random.getrandbits(32):08x}"),
        bodies=SpilledBodies(settings.spill),
        issuances=StoredIssuances(client, database),
        ledger=LedgerOfBatches(database),
        wake_ups=RqWakeUps(client, _now_ms),
        planner=Planner(
            JtiKeys(tuple(key.reveal() for key in settings.jti_keys)),
            compile_rules(settings.deploy),
            settings.alarm_targets,
            infers=settings.infers,
            ids_since_ms=settings.ids_since_ms,
        ),
        clock=_now_ms,
        log=log,
    )
    settle.run()
    return _work(settings.redis_url, keys.SETTLE_QUEUE, settle_table(settle, lambda: _clear(client)), log)


def run_making(settings: WorkerSettings, _log: Log) -> int:
    """Create the ledger, or migrate it, and end."""
    Database(settings.ledger_url).close()
    return STOPPED


def run_deliver(settings: WorkerSettings, log: Log) -> int:
    """A deliver worker, until SIGTERM."""
    client, database = _redis(settings.redis_url), Database(settings.ledger_url)
    deliver = Deliver(
        rules={one.rule.name: one for one in compile_rules(settings.deploy)},
        outbox=LedgerOutbox(database, _now_ms),
        tags=RegistryTags(settings.sources),
        destinations=ConfiguredDestinations(settings),
        wake_ups=RqWakeUps(client, _now_ms),
        clock=_now_ms,
        pause=lambda milliseconds: time.sleep(milliseconds / 1_000),
        randomness=random.random,
        log=log,
    )
    return _work(settings.redis_url, keys.DELIVER_QUEUE, deliver_table(deliver), log)


def run_sweep(settings: WorkerSettings, log: Log) -> int:
    """The sweeper, until SIGTERM or SIGINT: looking each second, tidying and listening each minute, signing on the way."""
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
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
        wake_ups=RqWakeUps(client, _now_ms),
        housekeeping=RedisHousekeeping(client, settings.spill),
        retention=LedgerRetention(database, settings.retention, _now_ms),
        log=log,
    )
    listen = Listen(
        hearing=LedgersHearing(database, _now_ms),
        streams=streams,
        allowed_ms={source.name: int(source.silence_s * 1_000) for source in settings.sources},
        clock=_now_ms,
        log=log,
    )
    look = 0
    while not _stopped(SWEEP_S):
        look += 1
        _look(sweep.run, log)
        _look(sweep.make_room, log)
        if look % TIDY_EVERY == 0:
            # Whatever became of the look: tidying is what gives a full server room again.
            _look(sweep.tidy, log)
            _look(listen.run, log)
        # Apart: the log is signed while Redis is away, and a fault of signing keeps no delivery waiting.
        if sign is not None:
            _look(sign.run, log)
    return STOPPED


def run_forward(settings: WorkerSettings, log: Log) -> int:
    """Every forward of the trail, until SIGTERM or SIGINT. Ends when one of them met a mistake of ours."""
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    threads = [
        # A handle on the ledger each: none waits for another.
        ForwardInThread(
            Forward(one.name, LedgersPassage(Database(settings.ledger_url), one.name, _now_ms), sink_of(one), log), log
        )
        for one in settings.forwards
    ]
    for thread in threads:
        thread.start()
    stopped = False
    while not stopped and all(thread.alive() for thread in threads):
        stopped = _stopped(SWEEP_S)
    for thread in threads:
        thread.stop(within_s=FORWARD_STOP_S)
    return STOPPED if stopped else UNAVAILABLE


def run_metrics(settings: WorkerSettings, log: Log) -> int:
    """The workers' numbers over HTTP, until SIGTERM or SIGINT."""
    if settings.listen is None:
        return STOPPED
    return run(lambda: metrics_app(settings, log), listen=settings.listen, setting="workers.addr", tls=None, log=log)


def metrics_app(settings: WorkerSettings, log: Log) -> web.Application:
    """The application, inside a running loop."""
    database = Database(settings.ledger_url)

    async def life(_app: web.Application) -> AsyncIterator[None]:
        yield
        database.close()

    app = web.Application()
    app.add_routes(Endpoints(LedgersTrail(database), clock=_now_ms, log=log).routes())
    app.cleanup_ctx.append(life)
    return app


def _look(look: Callable[[], None], log: Log) -> None:
    try:
        look()
    except (Unavailable, LedgerUnavailable) as fault:
        log("sweep.unavailable", problem=str(fault))


def _stopped(wait_s: float) -> bool:
    """Wait; whether a signal came that stops."""
    found = signal.sigtimedwait(STOP_SIGNALS, wait_s)
    # Python returns an empty one after a SIGSTOP that lasted longer than the wait.
    return found is not None and found.si_signo in STOP_SIGNALS


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
    warn = Warn(LedgersAlarms(database, _now_ms), settings.alarm_targets, log)
    cosigns = [
        Cosign(one.name, keys.witnesses[one.name], HttpWitness(one), LedgersCheckpoints(database), warn, log)
        for one in settings.log.witnesses
    ]
    every_ms = int(settings.log.checkpoint_every_s * 1_000)
    head = LedgersHead(database, keys, keys.signer, every_ms=every_ms, clock=_now_ms)
    return Sign(head=head, cosigners=CosignersInThreads(cosigns, log), warn=warn, every_ms=every_ms, clock=_now_ms, log=log)


def _work(url: str, queue: str, table: Mapping[str, Task], log: Log) -> int:
    # Before RQ looks for a handler: its own prints an exception's text, which may hold what somebody sent.
    LibraryLog.install(log)
    # RQ sets its own timeouts on the client it is given.
    worker_of(_redis(url), queue, table, log).work(logging_level="WARNING")
    return STOPPED


def worker_of(client: redis.Redis, queue: str, table: Mapping[str, Task], log: Log) -> "Worker":
    """A worker of one queue and one table. A job that fails is an event of the log: of which kind, and where."""
    job_class = table_job(table)

    def failed(job: Job, kind: type[BaseException], _error: BaseException, trace: TracebackType | None) -> None:
        log("job.failed", job=job.id, error=kind.__name__, **place_of(trace))

    # One queue a worker: with two, RQ loses the job of a worker that is killed between taking and starting it.
    return Worker(
        [Queue(queue, connection=client, serializer=JSONSerializer, job_class=job_class)],
        connection=client,
        serializer=JSONSerializer,
        job_class=job_class,
        exception_handlers=[failed],
        log_job_description=False,
        worker_ttl=WORKER_TTL_S,
    )


class Worker(SimpleWorker):
    """RQ's worker in one process. It asks a server that went away each second, not ever more seldom.

    It says that it lives in one round trip, not three, each synced by the embedded store.
    """

    max_connection_wait_time = 1.0

    def subscribe(self) -> None:
        """Not: commands come as signals, not by Redis. And RQ's thread for them would take the signals that are this one's."""

    def heartbeat(self, timeout: int | None = None, pipeline: Pipeline | None = None) -> None:
        """Say so; RQ does before and after each job, while somebody waits for it."""
        if pipeline is not None:
            super().heartbeat(timeout, pipeline)
            return
        with self.connection.pipeline(transaction=False) as own:
            super().heartbeat(timeout, own)
            own.execute()


def _clear(client: redis.Redis) -> None:
    client.delete(keys.WAKE)


def _redis(url: str) -> redis.Redis:
    return redis.Redis.from_url(
        url,
        socket_timeout=REDIS_TIMEOUT_S,
        socket_connect_timeout=REDIS_TIMEOUT_S,
        retry=Retry(ConstantBackoff(0.05), 2),
        health_check_interval=30,
    )


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _process(name: str, work: Callable[[WorkerSettings, Log], int]) -> Callable[[WorkerSettings], int]:
    """A worker as a process: its faults are lines of its log and exit codes, by which whoever supervises it tries again."""

    def process(settings: WorkerSettings) -> int:
        log = to_stderr(name)
        try:
            return work(settings, log)
        except LedgerMisuse as fault:
            log("worker.misconfigured", problem=str(fault))
            return MISCONFIGURED
        except (Unavailable, LedgerUnavailable) as fault:
            log("worker.unavailable", problem=str(fault))
        except redis.RedisError as fault:
            log("worker.unavailable", problem=f"Redis did not answer: {type(fault).__name__}")
        return UNAVAILABLE

    return process


make_ledger: Final = _process("ledger", run_making)
"""As a process of its own, before the others: each of them would make it too."""
_RUNS: Final = {
    "settle": run_settle,
    "deliver": run_deliver,
    "sweep": run_sweep,
    "metrics": run_metrics,
    "forward": run_forward,
}
WORKERS: Final[dict[str, Callable[[WorkerSettings], int]]] = {name: _process(name, work) for name, work in _RUNS.items()}
"""The kinds of worker processes, by name."""
