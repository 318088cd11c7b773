"""What the workers need of the world around them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

from wharfinger.ledger.checkpoint import Nothing, Refuse, SignedCheckpoint
from wharfinger.ledger.note import Signature
from wharfinger.ledger.reading import Stored
from wharfinger.ledger.tally import Tally
from wharfinger.ledger.values import Around, Claim, Decision, DeliveryState, Entry, Settled, Standing, TrailAlarm
from wharfinger.wire import keys
from wharfinger.wire.issuance import Issuance, Refusal
from wharfinger.wire.names import Account, DeliveryId, Jti
from wharfinger.wire.notification import Notification, StoredNotification
from workers.decide.cosigning import WitnessAnswer
from workers.decide.order import Order, Sent
from workers.decide.plan import Unreadable
from workers.decide.silence import Silence

# What settle needs.


@dataclass(frozen=True, slots=True)
class Batch:
    """Entries read from the streams, decoded; ``ids`` are what to acknowledge, by stream.

    ``notification_ids``: of each notification's entry.
    """

    records: tuple[Issuance | Refusal | Unreadable, ...]
    notifications: tuple[StoredNotification, ...]
    ids: tuple[tuple[str, tuple[bytes, ...]], ...]
    notification_ids: tuple[bytes, ...]

    def without(self, later: AbstractSet[Notification]) -> Batch:
        """The batch but for some notifications, which stay pending and come again."""
        kept = [
            (ident, one)
            for ident, one in zip(self.notification_ids, self.notifications, strict=True)
            if one.notification not in later
        ]
        kept_ids = tuple(ident for ident, _ in kept)
        left = set(self.notification_ids) - set(kept_ids)
        ids = tuple(
            (stream, tuple(one for one in those if stream != keys.EVENTS or one not in left)) for stream, those in self.ids
        )
        return Batch(self.records, tuple(one for _, one in kept), tuple(pair for pair in ids if pair[1]), kept_ids)

    def parts(self, most: int) -> Iterator[Batch]:
        """The batch in its order: in parts whose bodies take so many bytes as they came, or are one. All records come first."""
        bounds = [0]
        taken = 0
        for at, one in enumerate(self.notifications):
            taken += one.notification.size
            if taken > most and at > bounds[-1]:
                bounds.append(at)
                taken = one.notification.size
        if len(bounds) == 1:
            yield self
            return
        named = set(self.notification_ids)
        others = (
            (stream, tuple(one for one in those if stream != keys.EVENTS or one not in named)) for stream, those in self.ids
        )
        if self.records:
            yield Batch(self.records, (), tuple(pair for pair in others if pair[1]), ())
        for start, end in pairwise([*bounds, len(self.notifications)]):
            ids = self.notification_ids[start:end]
            yield Batch((), self.notifications[start:end], ((keys.EVENTS, ids),), ids)


class Streams(Protocol):
    """The streams between the services and settle. Every method raises Unavailable when Redis does not answer."""

    def next(self) -> Batch | None:
        """The next entries: first those that were read and never acknowledged for a while. None: nothing is left."""

    def holds(self, batch: Batch) -> bool:
        """Whether a batch is still this reader's: a slow one is taken over, and settled by another."""

    def acknowledge(self, batch: Batch) -> None:
        """Say that SQL has committed a batch. Crash before: it comes again."""


class Backlog(Protocol):
    """The same streams, for who only looks whether settle is needed. Raises Unavailable when Redis does not answer."""

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

    def of_accounts(self, accounts: AbstractSet[Account], *, since_ms: int) -> Mapping[Account, Sequence[Issuance]]:
        """Each account's issuances since then, as far as they are settled. Raises LedgerUnavailable."""

    def replaying(self) -> bool:
        """Whether a token service is still sending records that it could not send before. Raises Unavailable."""


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

    def kept(self) -> AbstractContextManager[None]:
        """Renewed from beside for as long as the block runs: an outside step may take longer than a lease."""

    @property
    def noted(self) -> Mapping[str, str]:
        """What its target began, as it kept it."""

    def renew(self) -> None:
        """Hold on; called before every outside step."""

    def note(self, what: Mapping[str, str]) -> None:
        """Keep what its target begins."""

    def finish(self, state: DeliveryState, reason: str, decisions: Sequence[Decision] = ()) -> None:
        """End the delivery and log its outcome. ``decisions``: all there are so far; without any they stay as they are."""

    def postpone(self, reason: str, pause_ms: int, decisions: Sequence[Decision] = (), *, counts: bool) -> None:
        """Give it back until later."""

    def hold(self, reason: str, until_ms: int, decisions: Sequence[Decision] = ()) -> None:
        """Hold it off until a time; at once, if what it waits for has changed since it was claimed."""


class Lease(Protocol):
    """What a target holds on to. Both methods raise LeaseLost when another worker took over."""

    @property
    def noted(self) -> Mapping[str, str]:
        """What was kept by ``note``, by this attempt or one before it; empty when nothing was begun."""

    def renew(self) -> None:
        """Before every outside step."""

    def note(self, what: Mapping[str, str]) -> None:
        """Keep what is about to begin, before it does; nothing once it is over. Until then the target begins nothing else."""


class Target(Protocol):
    """Something that can be told to deploy."""

    def resume(self, order: Order, lease: Lease) -> Sent | None:
        """Put in order what an attempt left that was cut off, of this order or of another; None: it did not decide this order.

        Asked before every guard: what stands half done must not wait for a registry, nor be left when the order is overtaken.
        """

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

    def standing(self, held: Held, around: Around) -> Standing:
        """What the ledger knows around it."""

    def due(self, *, target: str | None = None) -> Sequence[DeliveryId]:
        """The oldest due delivery of each target that is free, or of one target: whoever takes it goes on with the next."""

    def wake_overtaken(self) -> int:
        """Make due what is held though its tag was pushed again since it was looked at; how many there are."""


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

    def make_room(self) -> int:
        """Some of what SQL has committed, however young, when Redis' memory is short; how many entries went."""


class Retention(Protocol):
    """Removing what the rules of retention let go."""

    def prune(self) -> int:
        """Some of it; how many records went. Raises LedgerUnavailable."""


# What listening and counting need.


class Hearing(Protocol):
    """What the trail knows of who was heard. All raise LedgerUnavailable."""

    def last_heard(self) -> Mapping[str, int]:
        """When each registry that was ever heard was so last, milliseconds since the epoch."""

    def tell(self, silence: Silence) -> bool:
        """Write that one fell silent; whether that is new: it is written once, and not if it was heard meanwhile."""


class Trail(Protocol):
    """The trail, for who only counts."""

    def tally(self) -> Tally:
        """Alarms, gaps, and who was heard. Raises LedgerUnavailable."""


# What signing the log needs.


class LogHead(Protocol):
    """The log, as far as it is committed. All raise LedgerUnavailable."""

    def news(self) -> bool:
        """Whether there are records that no checkpoint has."""

    def sign(self) -> SignedCheckpoint | Nothing | Refuse:
        """Sign it and keep the checkpoint, unless there is no news or it is not the log that was signed before."""


class Alarms(Protocol):
    """The trail, for who found a fault of it."""

    def tell(self, alarm: TrailAlarm) -> bool:
        """Write it, once; whether that is new. Raises LedgerUnavailable: it is not written."""


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


# What forward needs.


class Passage(Protocol):
    """How far one forward of the trail has come. Both raise LedgerUnavailable."""

    def following(self, most: int) -> tuple[Sequence[Stored], int] | None:
        """The records it has still to hand over, oldest first, at most so many, and the number after them. None: no more."""

    def advance(self, to: int) -> None:
        """Keep that all below a number were handed over. Crash before: they are handed over again."""


class Sink(Protocol):
    """Another system that takes the trail."""

    def hand_over(self, records: Sequence[Stored]) -> None:
        """Return when it has them. Raises Unavailable: it may have some."""

    def close(self) -> None:
        """Let go of what is open."""
