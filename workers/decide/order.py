"""What a target is told, and what it may answer: plain values."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One delivery to one target. ``delivery_id`` is constant over retries: the idempotency key. Deployed is ``image()``."""

    delivery_id: str
    rule: str
    target: str
    source: str
    registry_host: str
    repository: str
    tag: str
    digest: str
    media_type: str
    account: str
    jti: str
    event_id: str
    pushed_at_ms: int
    attempt: int
    alarm: str = ""
    """Why, when somebody is told of an alarm and nothing is to be deployed."""

    def image(self) -> str:
        """The image by its digest: ``host/repository@digest``."""
        return f"{self.registry_host}/{self.repository}@{self.digest}"


@dataclass(frozen=True, slots=True)
class Delivered:
    """The target took it."""

    detail: str = ""


@dataclass(frozen=True, slots=True)
class Unchanged:
    """This digest runs there already."""

    detail: str = ""


@dataclass(frozen=True, slots=True)
class Undone:
    """It was tried and did not work; the old state serves again."""

    detail: str


@dataclass(frozen=True, slots=True)
class Refused:
    """It cannot be done safely as things are; a person must change something. Never retried."""

    reason: str


@dataclass(frozen=True, slots=True)
class Retry:
    """Not now. ``after_s``: when the target asked to be tried again."""

    reason: str
    after_s: float | None = None


@dataclass(frozen=True, slots=True)
class Failed:
    """The target said no for good."""

    reason: str


@dataclass(frozen=True, slots=True)
class Waiting:
    """It was begun and is not over: look again after so long. No attempt; the target must have noted what it began."""

    reason: str
    after_s: float


Sent = Delivered | Unchanged | Undone | Refused | Retry | Failed | Waiting
