"""The port WakeUps: its suite on the fake and on RQ, and what RQ's jobs are made of."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from tests.stores import WITH_SCRIPTS, Store, jobs_in
from tests.workers.fakes import Told
from wharfinger.wire import jobs, keys
from wharfinger.wire.names import DeliveryId
from workers.adapters.wake_ups import RqWakeUps
from workers.errors import Unavailable
from workers.ports import WakeUps

NOW_MS = 1_795_477_900_000
A, B, C = (DeliveryId(f"dlv_{letter}") for letter in "abc")


@dataclass
class Subject:
    """An implementation, who was woken by it, and the same with nobody there."""

    port: WakeUps
    deliveries: Callable[[], list[str]]
    settles: Callable[[], int]
    gone: WakeUps


@pytest.fixture(params=[pytest.param("fake"), *WITH_SCRIPTS])
def subject(request: pytest.FixtureRequest, store_of: Callable[[str], Store]) -> Iterator[Subject]:
    """Each implementation."""
    if request.param == "fake":
        fake = Told()
        yield Subject(fake, lambda: list(fake.deliveries), lambda: fake.settles, Told(gone=True))
        return
    store = store_of(request.param)
    client, nobody = store.client(), store.gone().client()
    port, gone = (RqWakeUps(one, lambda: NOW_MS) for one in (client, nobody))
    yield Subject(
        port,
        lambda: [str(job.args[0]) for job in jobs_in(client, keys.DELIVER_QUEUE)],
        lambda: len(jobs_in(client, keys.SETTLE_QUEUE)),
        gone,
    )
    client.close()
    nobody.close()


def test_one_for_each_delivery(subject: Subject) -> None:
    """In their order."""
    subject.port.deliver([B, A, C])
    assert subject.deliveries() == [B, A, C]
    assert subject.settles() == 0


def test_one_that_is_woken_already(subject: Subject) -> None:
    """By settle and by sweep: once is enough, and the others are woken all the same."""
    subject.port.deliver([A])
    subject.port.deliver(iter([A, B, A]))
    assert subject.deliveries() == [A, B]


def test_nobody_to_wake(subject: Subject) -> None:
    """Nobody is woken."""
    subject.port.deliver([])
    assert (subject.deliveries(), subject.settles()) == ([], 0)


def test_settle_is_woken_once(subject: Subject) -> None:
    """However often it is asked for."""
    for _ in range(3):
        subject.port.settle()
    assert (subject.settles(), subject.deliveries()) == (1, [])


def test_nobody_answers(subject: Subject) -> None:
    """That is said; sweep tells again."""
    with pytest.raises(Unavailable):
        subject.gone.deliver([A])
    with pytest.raises(Unavailable):
        subject.gone.settle()


@pytest.fixture(params=WITH_SCRIPTS)
def server(request: pytest.FixtureRequest, store_of: Callable[[str], Store]) -> Store:
    """Each kind of store that RQ can use whole."""
    return store_of(request.param)


def test_jobs_are_of_the_fixed_table(server: Store) -> None:
    """Named, in JSON, void after a while, and gone without a trace when they are done."""
    client = server.client()
    port = RqWakeUps(client, lambda: NOW_MS)
    port.deliver([A])
    port.settle()
    (deliver,), (settle,) = jobs_in(client, keys.DELIVER_QUEUE), jobs_in(client, keys.SETTLE_QUEUE)
    assert (deliver.func_name, deliver.args, deliver.kwargs) == (jobs.DELIVER, [A], {})
    assert (settle.func_name, settle.args, settle.kwargs) == (jobs.SETTLE, [], {})
    assert (deliver.timeout, settle.timeout) == (jobs.DELIVER_TIMEOUT_S, jobs.SETTLE_TIMEOUT_S)
    for job in (deliver, settle):
        assert (job.ttl, job.result_ttl, job.failure_ttl) == (jobs.JOB_TTL_S, jobs.RESULT_TTL_S, jobs.FAILURE_TTL_S)
    client.close()


def test_after_five_seconds_it_is_woken_again(server: Store) -> None:
    """A job that was lost keeps its delivery from being woken no longer than that."""
    client, now_ms = server.client(), NOW_MS
    port = RqWakeUps(client, lambda: now_ms)
    port.deliver([A])
    now_ms += 5_000
    port.deliver([A])
    assert len(jobs_in(client, keys.DELIVER_QUEUE)) == 2
    client.close()


def test_a_settle_job_that_was_lost(server: Store) -> None:
    """The flag alone keeps settle from being woken no longer than its two seconds."""
    client = server.client()
    RqWakeUps(client, lambda: NOW_MS).settle()
    assert 0 < client.pttl(keys.WAKE) <= keys.WAKE_TTL_MS
    client.delete(keys.WAKE)
    RqWakeUps(client, lambda: NOW_MS).settle()
    assert len(jobs_in(client, keys.SETTLE_QUEUE)) == 2
    client.close()
