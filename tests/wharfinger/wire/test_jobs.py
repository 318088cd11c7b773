"""Jobs: a wake-up for a delivery is the same for five seconds."""

import re

from wharfinger.wire.jobs import DeliverJob
from wharfinger.wire.names import DeliveryId


def test_job_ids() -> None:
    """Equal within five seconds, of letters that RQ takes."""
    job = DeliverJob(DeliveryId("dlv_x"))
    ids = [job.job_id(now_s=at) for at in (100, 104, 105)]
    assert ids[0] == ids[1] != ids[2]
    assert re.fullmatch(r"[A-Za-z0-9_-]+", ids[0])
