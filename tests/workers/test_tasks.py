"""The fixed table: a job runs a function of it or nothing, whatever a writer to Redis put into the job."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import redis
from rq import Callback, Queue, SimpleWorker
from rq.job import Job
from rq.serializers import JSONSerializer
from rq.webhook import Webhook

from tests.stores import in_process
from tests.workers.test_deliver import PUSH, House
from tests.workers.test_settle import House as SettleHouse
from wharfinger.ledger.values import DeliveryState
from wharfinger.wire import jobs
from wharfinger.wire.issuance import Refusal
from wharfinger.wire.names import Account
from workers.errors import BadInput
from workers.tasks import TASKS, deliver_table, settle_table, table_job


class Worker:
    """A worker of one table, in this process, on a store in this process."""

    def __init__(self, table: dict[str, Callable[..., object]]) -> None:
        self.client: redis.Redis = in_process().client()
        self.job_class = table_job(table)
        self.queue = Queue("q", connection=self.client, serializer=JSONSerializer, job_class=self.job_class)
        self.worker = SimpleWorker([self.queue], connection=self.client, serializer=JSONSerializer, job_class=self.job_class)

    def run(self, function: str, *arguments: object, **options: Any) -> str:
        """Enqueue a job as anybody with Redis could, work on it, and give its status."""
        intruder = Queue("q", connection=self.client, serializer=JSONSerializer)
        job = intruder.enqueue(function, *arguments, result_ttl=60, failure_ttl=60, **options)
        found = self.job_class.fetch(job.id, connection=self.client, serializer=JSONSerializer)
        self.worker.execute_job(found, self.queue)
        return str(found.get_status(refresh=True).value)


def test_the_table_has_two() -> None:
    """Settle's worker knows one of them, a deliver worker the other."""
    settle, deliver = SettleHouse().settle, House().deliver
    assert (*settle_table(settle, lambda: None), *deliver_table(deliver)) == TASKS


def test_a_settle_job() -> None:
    """The flag is cleared before settling: what comes meanwhile sets it again."""
    house, journal = SettleHouse(), SettleHouse().journal
    house.streams.add(Refusal(id="r", reason="wrong_password", account=Account("zoe"), since=1, until=1))

    def clear() -> None:
        journal.append(f"cleared, {len(house.streams.unread)} unread")

    assert Worker(settle_table(house.settle, clear)).run(jobs.SETTLE) == "finished"
    assert (journal, len(house.ledger.records)) == (["cleared, 1 unread"], 1)


def test_a_deliver_job() -> None:
    """Its argument is the delivery's id."""
    house = House()
    assert Worker(deliver_table(house.deliver)).run(jobs.DELIVER, PUSH) == "finished"
    assert house.ledger.rows[PUSH].state is DeliveryState.DELIVERED


@pytest.mark.parametrize(
    "function", ["os.system", "builtins.eval", "workers.tasks.deliver_table", jobs.SETTLE, "settle.run", "", "deliver "]
)
def test_other_functions(function: str, tmp_path: Path) -> None:
    """Nothing is imported or run but what stands in this worker's own table; the job fails and the worker lives."""
    house, mark = House(), tmp_path / "mark"
    worker = Worker(deliver_table(house.deliver))
    assert worker.run(function or "x", f"touch {mark}") == "failed"
    assert not mark.exists()
    assert worker.run(jobs.DELIVER, PUSH) == "finished"


@pytest.mark.parametrize("function", ["os.system", "", "append.x"])
def test_a_function_that_is_not_in_the_table(function: str) -> None:
    """It is refused by name, before anything is imported."""
    job = table_job({"append": list})(connection=in_process().client(), serializer=JSONSerializer)
    job.data = json.dumps([function, None, [], {}]).encode()
    with pytest.raises(BadInput):
        job.perform()


def test_a_method_of_an_object() -> None:
    """RQ would call a method of whatever instance a job brings."""
    worker = Worker({"append": list})
    job = worker.job_class(connection=worker.client, serializer=JSONSerializer)
    job.data = json.dumps(["append", [1], [2], {}]).encode()
    with pytest.raises(BadInput):
        job.perform()


CALLED: list[object] = []


def remember(*arguments: object) -> None:
    """A function that RQ can import, and that can be seen to have run."""
    CALLED.append(arguments)


@pytest.mark.parametrize(
    ("when", "function", "status"),
    [("on_success", jobs.DELIVER, "failed"), ("on_failure", "os.getpid", "failed"), ("on_stopped", jobs.DELIVER, "finished")],
)
def test_callbacks(when: str, function: str, status: str) -> None:
    """A callback is another function by name: none is ever called."""
    CALLED.clear()
    house = House()
    worker = Worker(deliver_table(house.deliver))
    assert worker.run(function, PUSH, **{when: Callback(f"{__name__}.remember")}) == status
    assert CALLED == []


@pytest.mark.parametrize("when", ["success", "failure", "stopped"])
def test_callbacks_are_refused_by_name(when: str) -> None:
    """Also when RQ asks for one outside a job's run, as it does for a job that is stopped."""
    job = table_job({})(connection=in_process().client(), serializer=JSONSerializer)
    job.restore({b"created_at": b"", b"data": b"", f"{when}_callback_name".encode(): b"os.system"})
    with pytest.raises(BadInput):
        getattr(job, f"{when}_callback")


def test_jobs_of_ours_have_no_callback() -> None:
    """Asking for one gives none."""
    job = table_job({})(connection=in_process().client(), serializer=JSONSerializer)
    assert [job.success_callback, job.failure_callback, job.stopped_callback] == [None, None, None]


def test_webhooks_are_never_sent() -> None:
    """RQ would post to any address: here a job's own are left where they are."""
    job = table_job({})(connection=in_process().client(), serializer=JSONSerializer)
    asked: list[str] = []

    class Listening(Webhook):
        """A webhook that tells when it is sent."""

        def send(self, job: Job, *, exc_string: str | None = None) -> None:
            """Be sent."""
            asked.append(job.id)

    job.webhooks = [Listening("http://127.0.0.1:9/", job_status="finished")]
    job.send_webhooks("finished")
    assert asked == []
