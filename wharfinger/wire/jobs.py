"""The jobs RQ carries: their names, arguments and lifetimes. Every job is a wake-up over what SQL and the streams hold.

A job's name is a key of the worker's fixed table, never a path to import; its arguments are JSON.
"""

from dataclasses import dataclass
from typing import Final

from wharfinger.wire.names import DeliveryId

SETTLE: Final = "settle"
DELIVER: Final = "deliver"

RESULT_TTL_S: Final = 0
"""Jobs leave nothing behind: their outcome is rows."""
FAILURE_TTL_S: Final = 3_600
"""A failed job's traceback stays readable an hour."""
SETTLE_TIMEOUT_S: Final = 120
DELIVER_TIMEOUT_S: Final = 7_200
"""Longer than any target takes: an hour of pulling, a stop, ten minutes of waiting for health. It ends a job as a crash does,
and what the next one resumes must not be cut off again. The lease, not this, is what hands a delivery over."""
JOB_TTL_S: Final = 600
"""A wake-up nobody took for so long is void: sweep sends another."""


@dataclass(frozen=True, slots=True)
class DeliverJob:
    """One due delivery's wake-up."""

    delivery: DeliveryId

    def job_id(self, *, now_s: int) -> str:
        """The same for five seconds, so that sweep and settle do not pile up jobs for one row."""
        return f"deliver-{self.delivery}-{now_s // 5}"
