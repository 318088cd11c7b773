"""Wake-ups as RQ jobs: coalesced for settle, one for each due delivery. JSON only, by names of the fixed table."""

from collections.abc import Iterable

import redis
from rq import Queue
from rq.exceptions import DuplicateJobError
from rq.serializers import JSONSerializer

from wharfinger.wire import jobs, keys
from wharfinger.wire.jobs import DeliverJob
from wharfinger.wire.names import DeliveryId
from workers.adapters.redis_errors import unavailable_when_silent
from workers.ports import Clock


class RqWakeUps:
    """The port ``WakeUps``."""

    def __init__(self, client: redis.Redis, clock: Clock) -> None:
        self._redis = client
        self._clock = clock
        self._settle = Queue(keys.SETTLE_QUEUE, connection=client, serializer=JSONSerializer)
        self._deliver = Queue(keys.DELIVER_QUEUE, connection=client, serializer=JSONSerializer)

    def deliver(self, deliveries: Iterable[DeliveryId]) -> None:
        """One job a delivery; a job that is there already for these five seconds is enough."""
        with unavailable_when_silent():
            for delivery in deliveries:
                try:
                    self._deliver.enqueue(
                        jobs.DELIVER,
                        delivery,
                        job_id=DeliverJob(delivery).job_id(now_s=self._clock() // 1_000),
                        unique=True,
                        result_ttl=jobs.RESULT_TTL_S,
                        failure_ttl=jobs.FAILURE_TTL_S,
                        ttl=jobs.JOB_TTL_S,
                        job_timeout=jobs.DELIVER_TIMEOUT_S,
                    )
                except DuplicateJobError:
                    continue

    def settle(self) -> None:
        """Wake settle, unless somebody just did."""
        with unavailable_when_silent():
            if not self._redis.set(keys.WAKE, b"1", nx=True, px=keys.WAKE_TTL_MS):
                return
            self._settle.enqueue(
                jobs.SETTLE,
                result_ttl=jobs.RESULT_TTL_S,
                failure_ttl=jobs.FAILURE_TTL_S,
                ttl=jobs.JOB_TTL_S,
                job_timeout=jobs.SETTLE_TIMEOUT_S,
            )
