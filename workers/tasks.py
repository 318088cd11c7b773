"""The fixed table of what an RQ job may run, and the job class that holds to it.

RQ would import and call any dotted name that a writer to Redis cares to name, for jobs and for their callbacks alike. Here a
name is looked up in a table of two, and callbacks are refused by name.
"""

from collections.abc import Callable, Mapping
from typing import Final

from rq.job import Job

from wharfinger.wire import jobs
from wharfinger.wire.names import DeliveryId
from workers.deliver import Deliver
from workers.errors import BadInput
from workers.settle import Settle

Task = Callable[..., object]
TASKS: Final = (jobs.SETTLE, jobs.DELIVER)


def settle_table(settle: Settle, clear_wake: Callable[[], None]) -> dict[str, Task]:
    """The table of the settle worker. The wake flag goes first: whatever comes after sets it again and is not missed."""

    def run() -> None:
        clear_wake()
        settle.run()

    return {jobs.SETTLE: run}


def deliver_table(deliver: Deliver) -> dict[str, Task]:
    """The table of a deliver worker."""

    def run(delivery: str) -> None:
        deliver.run(DeliveryId(str(delivery)))

    return {jobs.DELIVER: run}


def table_job(table: Mapping[str, Task]) -> type[Job]:
    """A job class for one worker, which runs the functions of its table and nothing else."""

    class TableJob(Job):
        """An RQ job whose function is a key of the table."""

        @property
        def func(self) -> Task:
            name = self.func_name
            if name is None or self.instance is not None or name not in table:
                raise BadInput("a job names a function that is not in this worker's table")
            return table[name]

        @property
        def success_callback(self) -> None:
            self._refuse(self._success_callback_name)

        @property
        def failure_callback(self) -> None:
            self._refuse(self._failure_callback_name)

        @property
        def stopped_callback(self) -> None:
            self._refuse(self._stopped_callback_name)

        def send_webhooks(self, *_args: object, **_options: object) -> None:
            """Never: RQ would post to any address that a writer to Redis put into a job."""

        @staticmethod
        def _refuse(name: object) -> None:
            if name:
                raise BadInput("a job names a callback, which no job of ours has")

    return TableJob
