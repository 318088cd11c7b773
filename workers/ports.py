"""What the workers need of the world around them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Protocol

from wharfinger.ledger.checkpoint import Nothing, Refuse, SignedCheckpoint
from wharfinger.ledger.note import Signature
from wharfinger.ledger.values import Claim, DeliveryState, Entry, Settled, Standing
from wharfinger.wire.issuance import Issuance, Refusal
from wharfinger.wire.names import DeliveryId, Jti
from wharfinger.wire.notification import StoredNotification
from workers.decide.cosigning import WitnessAnswer
from workers.decide.order import Order, Sent
from workers.decide.plan import Unreadable

# What settle needs.


@dataclass(frozen=True, slots=True)
class Batch:
    """Entries read from the streams, decoded; ``ids`` are what to acknowledge, by stream."""

    records: tuple[Issuance | Refusal | Unreadable, ...]
    notifications: tuple[StoredNotification, ...]
    ids: tuple[tuple[str, tuple[bytes, ...]], ...]


class Streams(Protocol):
    """The streams between the services and settle. Every method raises Unavailable when Redis does not answer."""

    def next(self) -> Batch | None:
        """The next entries: first those that were read and never acknowledged for a while. None: nothing is left."""

    def acknowledge(self, batch: Batch) -> None:
        """Say that SQL has committed a batch. Crash before: it comes again."""

    def lag(self) -> bool:
        """Whether entries wait that nobody settles."""


class Bodies(Protocol):
    """Notifications' bodies, in their stream entry or spilled to disk."""

    def read(self, stored: StoredNotification) -> bytes:
        """The body as it came. Raises UnreadableRecord: damaged or lost."""

    def forget(self, notifications: Sequence[StoredNotification]) -> None:
        """Remove what was spilled for them; the ledger has committed."""


class IssuanceLookup(Protocol):
    """Finding tokens' records, wherever they are kept."""

    def find(self, jtis: AbstractSet[Jti]) -> Mapping[Jti, Issuance]:
        """The records that exist. Raises Unavailable: no answer, which is not the same as none."""


class SettledLedger(Protocol):
    """Where settle's decisions are written."""

    def commit(self, entries: Sequence[Entry], *, now_ms: int) -> Settled:
        """Write all of a batch, or nothing. Raises LedgerUnavailable."""


class WakeUps(Protocol):
    """Telling other workers that there is something to do. Best effort: sweep tells again."""

    def deliver(self, deliveries: Iterable[DeliveryId]) -> None:
        """Wake a deliver worker for each."""

    def settle(self) -> None:
        """Wake the settle worker."""


# What deliver needs.


class Held(Protocol):
    """A delivery under this worker's lease; also the Lease a target renews. All raise LeaseLost once it is another's."""

    @property
    def claim(self) -> Claim:
        """What is held."""

    def renew(self) -> None:
        """Hold on; called before every outside step."""

    def finish(self, state: DeliveryState, reason: str) -> None:
        """End the delivery and log its outcome."""

    def postpone(self, reason: str, pause_ms: int, *, counts: bool) -> None:
        """Give it back until later."""


class Lease(Protocol):
    """What a target holds on to."""

    def renew(self) -> None:
        """Before every outside step. Raises LeaseLost when another worker took over."""


class Target(Protocol):
    """Something that can be told to deploy."""

    def send(self, order: Order, lease: Lease) -> Sent:
        """Carry out an order; the same order again, by its id, must not be carried out twice."""


class TagLookup(Protocol):
    """Asking a registry for a tag."""

    def digest(self, source: str, repository: str, tag: str) -> str | None:
        """The tag's digest now; None when there is no such tag. Raises Unavailable."""


class Outbox(Protocol):
    """Deliveries waiting in the ledger. All raise LedgerUnavailable."""

    def claim(self, delivery: DeliveryId) -> Held | None:
        """Take one, if it is due and its target is free."""

    def standing(self, held: Held, *, whole_target: bool) -> Standing:
        """What the ledger knows around it."""

    def due(self, *, target: str | None = None) -> Sequence[DeliveryId]:
        """What is due, oldest first."""


class Destinations(Protocol):
    """The configured targets."""

    def find(self, name: str) -> Destination | None:
        """One of them; None when the configuration has it no more."""


@dataclass(frozen=True, slots=True)
class Destination:
    """A target with what deciding must know of it.

    ``runs_one``: it runs one thing, so any later delivery overtakes an earlier one. ``knows_what_runs``: it says itself when a
    digest runs already; for others the ledger remembers. ``registry_host``: by which name it pulls from a source.
    """

    target: Target
    runs_one: bool
    knows_what_runs: bool
    registry_host: Callable[[str], str]


class Housekeeping(Protocol):
    """Removing what is committed and old."""

    def tidy(self) -> int:
        """Trim streams behind what SQL has committed, remove orphaned spill files; how many things went."""


# What signing the log needs.


class LogHead(Protocol):
    """The log, as far as it is committed. All raise LedgerUnavailable."""

    def news(self) -> bool:
        """Whether there are records that no checkpoint has."""

    def sign(self) -> SignedCheckpoint | Nothing | Refuse:
        """Sign it and keep the checkpoint, unless there is no news or it is not the log that was signed before."""


class Cosigners(Protocol):
    """The witnesses."""

    def wake(self) -> None:
        """Have each asked for what it has not cosigned yet; waits for none."""


class SignedLog(Protocol):
    """What is signed, and what a witness said of it. All raise LedgerUnavailable."""

    def newest(self) -> SignedCheckpoint | None:
        """The newest checkpoint."""

    def proof(self, old: int, new: int) -> Sequence[bytes]:
        """That the log of one size began as that of another."""

    def add(self, size: int, cosignature: Signature) -> None:
        """Keep a cosignature. Crash before: the witness is asked again, and says it again."""


class Witness(Protocol):
    """Somebody who cosigns checkpoints."""

    def ask(self, body: bytes) -> WitnessAnswer:
        """``add-checkpoint``. Raises Unavailable."""


Clock = Callable[[], int]
"""Milliseconds since the epoch."""

Pause = Callable[[int], None]
"""Wait some milliseconds."""

Randomness = Callable[[], float]
"""A number from 0 up to 1."""
