"""The workers' series. What each means for people stands in docs/metrics.md, which is tested against this table."""

from typing import Final

from wharfinger.ledger.instances import Gap
from wharfinger.ledger.log import ID_REUSED
from wharfinger.ledger.values import TrailFault
from wharfinger.runtime.metrics import counter, gauge
from workers.decide.attribution import VIOLATIONS, Reason
from workers.decide.plan import TOO_LARGE

ALARM_REASONS: Final = (
    *sorted(one.value for one in VIOLATIONS),
    Reason.NO_ID.value,
    ID_REUSED,
    TOO_LARGE,
    *(one.value for one in TrailFault),
)
"""Why an alarm may have been raised."""

ALARMS: Final = counter("wharfinger_trail_alarms_total", "Alarms in the trail, by why.", reason=ALARM_REASONS)
GAPS: Final = counter(
    "wharfinger_trail_gaps_total", "Possible gaps in the trail, and their ends, by why.", reason=tuple(one.value for one in Gap)
)
SILENCE_SECONDS: Final = gauge(
    "wharfinger_trail_source_silence_seconds", "Since an event of the registry was settled last.", source=()
)

TABLE: Final = (ALARMS, GAPS, SILENCE_SECONDS)
"""Of the workers, where ``workers.addr`` says."""
