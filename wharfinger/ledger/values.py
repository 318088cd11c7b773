"""The ledger's values: what a batch brings, where a delivery stands, what a claim holds. Pure; deciding works on these."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from wharfinger.ledger.record import AuditRecord
from wharfinger.wire.issuance import Issuance
from wharfinger.wire.names import DeliveryId

ALARM_RULE: Final = "alarm"
"""The rule of a delivery that an alarm brought; no rule of the file may be called so."""


NEVER: Final = 2**62
"""When what waits for somebody alone is looked at again, if nobody does anything."""


class TrailFault(StrEnum):
    """Faults of the trail itself, each an alarm. What a fault is about tells it from another of its kind."""

    CHECKPOINT_REFUSED = "checkpoint_refused"
    """The log is not the one that was signed before, so it is not signed."""
    WITNESS_AHEAD = "witness_ahead"
    """A witness saw more records than there are."""
    WITNESS_CONTRADICTS = "witness_contradicts"
    """A witness says that the log is not the one it cosigned before."""


class DeliveryState(StrEnum):
    """Where a delivery stands."""

    WAITING = "waiting"
    HELD = "held"
    SENDING = "sending"
    DELIVERED = "delivered"
    UNCHANGED = "unchanged"
    SUPERSEDED = "superseded"
    TAG_MISSING = "tag_missing"
    REFUSED = "refused"
    UNDONE = "undone"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Said(StrEnum):
    """What a guard says of a delivery."""

    GO = "go"
    WAIT = "wait"
    STOP = "stop"


@dataclass(frozen=True, slots=True)
class Decision:
    """One line of why a delivery went, waits or ended: which guard said what, since when (milliseconds since the epoch)."""

    guard: str
    said: Said
    why: str
    at: int = 0


@dataclass(frozen=True, slots=True)
class NewDelivery:
    """A delivery that a record brings: waiting at once, held for ``wait_ms``, or refused by a guard with its reason."""

    id: DeliveryId
    rule: str
    target: str
    state: DeliveryState = DeliveryState.WAITING
    reason: str = ""
    wait_ms: int = 0
    decisions: tuple[Decision, ...] = ()


@dataclass(frozen=True, slots=True)
class Entry:
    """One record with what comes with it. ``raw``: the event as it came, compressed; empty when not kept.

    ``alarm``: why it is one, if it is. ``on_alarm``: the deliveries an alarm brings, also one only the ledger sees.
    """

    record: AuditRecord
    raw: bytes = b""
    issuance: Issuance | None = None
    deliveries: tuple[NewDelivery, ...] = field(default=())
    alarm: str = ""
    on_alarm: tuple[NewDelivery, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class TrailAlarm:
    """A fault of the trail, to be told once. ``about``: the same for the same fault, however often it is found."""

    fault: TrailFault
    about: str
    detail: Mapping[str, str | int]
    deliveries: tuple[NewDelivery, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class Settled:
    """What a batch changed: the records that were new, and the deliveries that are due."""

    records: int
    duplicates: int
    due: tuple[DeliveryId, ...]
    alarms: tuple[str, ...] = ()
    """Why each alarm was raised."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A delivery held under a lease, with the push that brought it. Times in milliseconds since the epoch.

    ``alarm``: why, when it was an alarm that brought it; nothing is deployed then, somebody is told.
    """

    id: DeliveryId
    fence: int
    attempt: int
    created_at: int
    rule: str
    target: str
    seq: int
    source: str
    repository: str
    tag: str
    digest: str
    media_type: str
    event_id: str
    verdict: str
    account: str
    jti: str
    occurred_at: int
    alarm: str = ""
    stirred: int = 0
    """How often something changed that a delivery may wait for, as far as this claim has seen."""
    decisions: tuple[Decision, ...] = ()
    noted: str = ""
    """What its target began, as ``outbox.note`` keeps it."""


@dataclass(frozen=True, slots=True)
class Vote:
    """What somebody said of a delivery. ``account`` is empty when it was erased, and nobody's then."""

    account: str
    approves: bool
    why: str
    at: int


@dataclass(frozen=True, slots=True)
class Around:
    """Which later pushes count. ``verdicts``: of those that are accounted for.

    ``whole_target``: the target runs one thing, so any later delivery overtakes; else one of the same tag, or with ``any_tag``
    of the same repository.
    """

    verdicts: tuple[str, ...] = ("exact",)
    whole_target: bool = False
    any_tag: bool = False


@dataclass(frozen=True, slots=True)
class Standing:
    """What the ledger knows around a claimed delivery.

    ``later_digest``: of the newest later push of the same tag that is accounted for, if another digest; ``later_tag``: its tag.
    ``overtaken``: a later push was delivered to the same target already. ``last_delivered``: the digest last delivered to this
    target from this repository, with its tag and its push's number. ``bad``: why the digest is marked so. ``paused``: why the
    rule is. ``votes``: oldest first.
    """

    later_digest: str | None
    overtaken: bool
    last_delivered: str | None
    later_tag: str = ""
    last_tag: str = ""
    last_seq: int = 0
    bad: str = ""
    paused: str = ""
    votes: tuple[Vote, ...] = ()
