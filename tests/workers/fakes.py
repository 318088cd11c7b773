"""The workers' ports in memory, for tests of their use cases. Held to the suites that the real adapters pass too.

What happens in which order stands in one ``journal`` that fakes may share.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from wharfinger.ledger.errors import LeaseLost, LedgerUnavailable
from wharfinger.ledger.outbox import LEASE_MS
from wharfinger.ledger.record import AuditRecord
from wharfinger.ledger.rows import identity_key
from wharfinger.ledger.values import Around, Claim, Decision, DeliveryState, Entry, Settled, Standing, Vote
from wharfinger.wire import keys
from wharfinger.wire.codec import UnreadableRecord
from wharfinger.wire.issuance import Issuance, Refusal
from wharfinger.wire.names import Account, DeliveryId, Jti
from wharfinger.wire.notification import StoredNotification, decompress
from workers.decide.order import Delivered, Order, Sent
from workers.decide.plan import Unreadable
from workers.errors import Unavailable
from workers.ports import Batch, Destination, Held, Lease, Target

Streamed = Issuance | Refusal | StoredNotification | Unreadable


@dataclass
class Entries:
    """``Streams``: entries in one list, each with whether it was read, acknowledged, or abandoned by its reader.

    ``gone``: nobody answers; ``deaf``: nobody hears an acknowledgement.
    """

    size: int = 200
    gone: bool = False
    deaf: bool = False
    journal: list[str] = field(default_factory=list)
    unread: list[Streamed] = field(default_factory=list)
    pending: dict[bytes, Streamed] = field(default_factory=dict)
    abandoned: set[bytes] = field(default_factory=set)
    taken_over: set[bytes] = field(default_factory=set)
    numbers: int = 0

    def add(self, *entries: Streamed) -> None:
        """Write entries, as the services do."""
        self.unread.extend(entries)

    def abandon(self) -> None:
        """The reader of all that is pending was killed some time ago."""
        self.abandoned |= set(self.pending)

    def take_over(self) -> None:
        """Another reader has all that is pending."""
        self.taken_over |= set(self.pending)

    def next(self) -> Batch | None:
        """The next entries: first those that were abandoned."""
        self._answer()
        taken = {ident: self.pending[ident] for ident in sorted(self.abandoned)[: self.size]}
        if not taken:
            for entry in self.unread[: self.size]:
                self.numbers += 1
                taken[b"%08d" % self.numbers] = entry
            del self.unread[: self.size]
        self.abandoned -= set(taken)
        self.pending |= taken
        if not taken:
            return None
        records = tuple(one for one in taken.values() if not isinstance(one, StoredNotification))
        notifications = tuple(one for one in taken.values() if isinstance(one, StoredNotification))
        named = tuple(ident for ident, one in taken.items() if isinstance(one, StoredNotification))
        others = tuple(ident for ident in taken if ident not in named)
        ids = tuple((stream, idents) for stream, idents in ((keys.ISSUANCES, others), (keys.EVENTS, named)) if idents)
        return Batch(records, notifications, ids, named)

    def holds(self, batch: Batch) -> bool:
        """Whether nobody took it over."""
        self._answer()
        idents = {ident for _, those in batch.ids for ident in those}
        return idents <= set(self.pending) and not idents & self.taken_over

    def acknowledge(self, batch: Batch) -> None:
        """SQL has committed them."""
        self._answer()
        if self.deaf:
            raise Unavailable("the store went away")
        for _, idents in batch.ids:
            for ident in idents:
                self.pending.pop(ident, None)
                self.abandoned.discard(ident)
        self.journal.append("acknowledged")

    def lag(self) -> bool:
        """Whether entries wait that nobody settles."""
        self._answer()
        return bool(self.unread or self.abandoned)

    def _answer(self) -> None:
        if self.gone:
            raise Unavailable("the store is gone")


@dataclass
class MemoryBodies:
    """``Bodies``: spilled ones by name."""

    spilled: dict[str, bytes] = field(default_factory=dict)
    journal: list[str] = field(default_factory=list)

    def read(self, stored: StoredNotification) -> bytes:
        """The body as it came."""
        name = stored.notification.spill
        if name and name not in self.spilled:
            raise UnreadableRecord("the spilled body is lost")
        return decompress(self.spilled[name] if name else stored.compressed)

    def forget(self, notifications: Sequence[StoredNotification]) -> None:
        """Remove what was spilled."""
        for stored in notifications:
            self.spilled.pop(stored.notification.spill, None)
        self.journal.append("forgotten")


@dataclass
class KnownIssuances:
    """``IssuanceLookup``."""

    known: dict[Jti, Issuance] = field(default_factory=dict)
    replays: bool = False
    gone: bool = False

    def of_accounts(self, accounts: AbstractSet[Account], *, since_ms: int) -> Mapping[Account, Sequence[Issuance]]:
        """Each account's, newest first."""
        issued = sorted(self.known.values(), key=lambda one: one.issued_at, reverse=True)
        since = since_ms // 1_000
        return {account: [one for one in issued if one.account == account and one.issued_at >= since] for account in accounts}

    def replaying(self) -> bool:
        """Whether records are still to come."""
        if self.gone:
            raise Unavailable("the store is gone")
        return self.replays

    def find(self, jtis: AbstractSet[Jti]) -> Mapping[Jti, Issuance]:
        """The records that exist."""
        if self.gone:
            raise Unavailable("the store is gone")
        return {jti: self.known[jti] for jti in jtis if jti in self.known}


@dataclass
class Row:
    """A delivery in :class:`MemoryLedger`."""

    claim: Claim
    state: DeliveryState
    reason: str = ""
    due_at: int = 0
    lease_until: int = 0
    updated_at: int = 0
    updates: int = 0
    noted: Mapping[str, str] = field(default_factory=dict)
    stirred: int = 0
    decisions: tuple[Decision, ...] = ()
    votes: list[Vote] = field(default_factory=list)

    def stir(self, now_ms: int) -> None:
        """Something changed that it may wait for."""
        self.stirred += 1
        if self.state is DeliveryState.HELD:
            self.due_at = now_ms


@dataclass
class MemoryLedger:
    """``SettledLedger``, and what :class:`MemoryOutbox` works on. ``records``: in the log's order.

    ``bad``: why a digest is, by digest and target; ``paused``: why a rule is.
    """

    records: list[AuditRecord] = field(default_factory=list)
    rows: dict[DeliveryId, Row] = field(default_factory=dict)
    issuances: dict[Jti, Issuance] = field(default_factory=dict)
    bad: dict[tuple[str, str], str] = field(default_factory=dict)
    paused: dict[str, str] = field(default_factory=dict)
    gone: bool = False
    journal: list[str] = field(default_factory=list)

    def commit(self, entries: Sequence[Entry], *, now_ms: int) -> Settled:
        """Write all of a batch."""
        if self.gone:
            raise LedgerUnavailable("the ledger is gone")
        written, due = 0, []
        for entry in entries:
            if self._knows(entry.record):
                continue
            self.records.append(entry.record)
            written += 1
            if entry.issuance is not None:
                self.issuances[entry.issuance.jti] = entry.issuance
            for new in entry.deliveries:
                claim = _claim(new.id, new.rule, new.target, entry.record, seq=len(self.records) - 1, now_ms=now_ms)
                decisions = tuple(replace(one, at=now_ms) for one in new.decisions)
                due_at = now_ms + new.wait_ms
                self.rows[new.id] = Row(claim, new.state, new.reason, due_at, updated_at=now_ms, decisions=decisions)
                if new.state is DeliveryState.WAITING:
                    due.append(new.id)
        self.journal.append("committed")
        return Settled(written, len(entries) - written, tuple(due))

    def _knows(self, record: AuditRecord) -> bool:
        return any((identity_key(one), one.event_sha) == (identity_key(record), record.event_sha) for one in self.records)


def _claim(ident: DeliveryId, rule: str, target: str, record: AuditRecord, *, seq: int, now_ms: int) -> Claim:
    return Claim(
        id=ident,
        fence=0,
        attempt=0,
        created_at=now_ms,
        rule=rule,
        target=target,
        seq=seq,
        source=record.source,
        repository=record.repository,
        tag=record.tag,
        digest=record.digest,
        media_type=record.media_type,
        event_id=record.event_id,
        verdict=record.verdict,
        account=record.personal.account,
        jti=record.jti,
        occurred_at=record.occurred_at,
    )


@dataclass
class MemoryOutbox:
    """``Outbox`` over a :class:`MemoryLedger`."""

    ledger: MemoryLedger
    clock: Callable[[], int]

    def claim(self, delivery: DeliveryId) -> "MemoryHeld | None":
        """Take one, if it is due and its target is free."""
        row = self.ledger.rows.get(delivery)
        if row is None or not self._claimable(row) or self._busy(row):
            return None
        row.claim = replace(
            row.claim,
            fence=row.claim.fence + 1,
            attempt=row.claim.attempt + 1,
            stirred=row.stirred,
            decisions=row.decisions,
        )
        row.state, row.lease_until = DeliveryState.SENDING, self.clock() + LEASE_MS
        return MemoryHeld(row, row.claim, self.clock, self.ledger.bad)

    def standing(self, held: Held, around: Around) -> Standing:
        """What is known around it."""
        mine = held.claim

        def counts(one: Claim | AuditRecord) -> bool:
            return _place(one) == _place(mine) and (around.any_tag or one.tag == mine.tag)

        later = [
            one
            for seq, one in enumerate(self.ledger.records)
            if seq > mine.seq and one.action == "push" and one.object_kind in {"manifest", "index"} and one.tag and counts(one)
            if one.verdict in around.verdicts
        ]
        on_target = [row for row in self.ledger.rows.values() if row.claim.target == mine.target]
        delivered = [row for row in on_target if row.state is DeliveryState.DELIVERED]
        there = [row for row in on_target if row.state in {DeliveryState.DELIVERED, DeliveryState.UNCHANGED}]
        last = [row for row in there if _place(row.claim) == _place(mine)]
        last.sort(key=lambda row: (row.updated_at, row.claim.seq))
        newest = later[-1] if later and later[-1].digest != mine.digest else None
        row = self.ledger.rows[mine.id]
        return Standing(
            None if newest is None else newest.digest,
            any(row.claim.seq > mine.seq and (around.whole_target or counts(row.claim)) for row in delivered),
            last[-1].claim.digest if last else None,
            later_tag="" if newest is None else newest.tag,
            last_tag=last[-1].claim.tag if last else "",
            last_seq=last[-1].claim.seq if last else 0,
            bad=self.ledger.bad.get((mine.digest, mine.target), ""),
            paused=self.ledger.paused.get(mine.rule, ""),
            votes=tuple(row.votes),
        )

    def due(self, *, target: str | None = None) -> Sequence[DeliveryId]:
        """The oldest due delivery of each free target, or of one."""
        rows = [row for row in self.ledger.rows.values() if self._claimable(row) and not self._busy(row)]
        first: dict[str, DeliveryId] = {}
        for row in sorted(rows, key=lambda row: row.claim.seq):
            first.setdefault(row.claim.target, row.claim.id)
        return [ident for on, ident in first.items() if target in {None, on}]

    def wake_overtaken(self) -> int:
        """Make due what is held though its tag was pushed again since."""
        now, woken = self.clock(), 0
        for row in self.ledger.rows.values():
            same = [(seq, one) for seq, one in enumerate(self.ledger.records) if one.tag and _place(one) == _place(row.claim)]
            last = [one for seq, one in same if seq > row.claim.seq and one.action == "push" and one.tag == row.claim.tag][-1:]
            moved = [one for one in last if one.digest != row.claim.digest and one.recorded_at > row.updated_at]
            if row.state is DeliveryState.HELD and row.due_at > now and moved:
                row.due_at, woken = now, woken + 1
        return woken

    def _claimable(self, row: Row) -> bool:
        now = self.clock()
        waiting = row.state in {DeliveryState.WAITING, DeliveryState.HELD} and row.due_at <= now
        return waiting or (row.state is DeliveryState.SENDING and row.lease_until < now)

    def _busy(self, row: Row) -> bool:
        others = [one for one in self.ledger.rows.values() if one is not row and one.claim.target == row.claim.target]
        sent = any(one.state is DeliveryState.SENDING and one.lease_until >= self.clock() for one in others)
        begun = any(one.noted and one.state in {DeliveryState.SENDING, DeliveryState.WAITING} for one in others)
        return sent or (begun and not row.noted)


def _place(one: Claim | AuditRecord) -> tuple[str, str]:
    return one.source, one.repository


@dataclass
class MemoryHeld:
    """``Held``: one claim of a row. ``steps``: what its holder did with it."""

    row: Row
    claim: Claim
    clock: Callable[[], int]
    marks: dict[tuple[str, str], str] = field(default_factory=dict)
    steps: list[str] = field(default_factory=list)

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Nothing takes time here."""
        self.steps.append("kept")
        yield
        self.steps.append("let go")

    @property
    def noted(self) -> Mapping[str, str]:
        """What its target began."""
        return self.row.noted

    def renew(self) -> None:
        """Hold on."""
        self._hold()
        self.row.lease_until = self.clock() + LEASE_MS
        self.steps.append("renewed")

    def note(self, what: Mapping[str, str]) -> None:
        """Keep what its target begins."""
        self._hold()
        self.row.noted = dict(what)
        self.row.lease_until = self.clock() + LEASE_MS
        self.steps.append("noted")

    def finish(self, state: DeliveryState, reason: str, decisions: Sequence[Decision] = ()) -> None:
        """End it."""
        self._give(state, reason, 0, decisions)
        if state is DeliveryState.UNDONE:
            self.marks[self.claim.digest, self.claim.target] = (
                f"the digest is marked as bad at {self.claim.target}: it was undone there: {reason}"
            )

    def postpone(self, reason: str, pause_ms: int, decisions: Sequence[Decision] = (), *, counts: bool) -> None:
        """Give it back until later."""
        self._give(DeliveryState.WAITING, reason, self.clock() + pause_ms, decisions)
        if not counts:
            self.row.claim = replace(self.row.claim, attempt=self.row.claim.attempt - 1)

    def hold(self, reason: str, until_ms: int, decisions: Sequence[Decision] = ()) -> None:
        """Hold it off until a time."""
        seen = self.row.stirred == self.claim.stirred
        self._give(DeliveryState.HELD, reason, until_ms if seen else self.clock(), decisions)
        self.row.claim = replace(self.row.claim, attempt=self.row.claim.attempt - 1)

    def _give(self, state: DeliveryState, reason: str, due_at: int, decisions: Sequence[Decision]) -> None:
        self._hold()
        self.row.state, self.row.reason, self.row.due_at, self.row.updated_at = state, reason, due_at, self.clock()
        self.row.decisions = tuple(decisions) or self.row.decisions

    def _hold(self) -> None:
        if self.row.claim.fence != self.claim.fence or self.row.state is not DeliveryState.SENDING:
            raise LeaseLost(f"delivery {self.claim.id} was taken over")


@dataclass
class KnownTags:
    """``TagLookup``: by source, repository and tag. ``answers``: what is said first, one a call."""

    tags: dict[tuple[str, str, str], str] = field(default_factory=dict)
    sources: set[str] = field(default_factory=lambda: {"main"})
    answers: list[str | None] = field(default_factory=list)
    asked: int = 0

    def digest(self, source: str, repository: str, tag: str) -> str | None:
        """The tag's digest now."""
        self.asked += 1
        if source not in self.sources:
            raise Unavailable(f"no source {source}")
        if self.answers:
            return self.answers.pop(0)
        return self.tags.get((source, repository, tag))


@dataclass
class Told:
    """``WakeUps``: who was woken."""

    deliveries: list[DeliveryId] = field(default_factory=list)
    settles: int = 0
    gone: bool = False
    journal: list[str] = field(default_factory=list)

    def deliver(self, deliveries: Iterable[DeliveryId]) -> None:
        """Wake for each, once."""
        self._answer()
        self.deliveries.extend(one for one in deliveries if one not in self.deliveries)
        self.journal.append("woken")

    def settle(self) -> None:
        """Wake settle, unless it is woken."""
        self._answer()
        self.settles = 1

    def _answer(self) -> None:
        if self.gone:
            raise Unavailable("the store is gone")


@dataclass
class RecordingTarget:
    """``Target``: what it was told, and what it says to that. An order it took it takes again, and does nothing."""

    answer: Sent = field(default_factory=Delivered)
    left: Sent | None = None
    orders: list[Order] = field(default_factory=list)
    meanwhile: Callable[[], None] = lambda: None

    def resume(self, order: Order, lease: Lease) -> Sent | None:
        """What an attempt that was cut off had decided already."""
        return self.left

    def send(self, order: Order, lease: Lease) -> Sent:
        """Carry out an order."""
        lease.renew()
        if order.delivery_id not in {one.delivery_id for one in self.orders}:
            self.orders.append(order)
        self.meanwhile()
        return self.answer


@dataclass
class KnownDestinations:
    """``Destinations``: by name. Registries are called ``registry.SOURCE``, and of unknown sources nothing."""

    known: dict[str, Destination] = field(default_factory=dict)

    def add(self, name: str, target: Target, *, runs_one: bool = False, knows_what_runs: bool = False) -> None:
        """One more."""
        self.known[name] = Destination(target, runs_one, knows_what_runs, lambda source: f"registry.{source}")

    def find(self, name: str) -> Destination | None:
        """One of them."""
        return self.known.get(name)


@dataclass
class MemoryHousekeeping:
    """``Housekeeping``: of things by age, each committed or not. ``short``: of memory."""

    old_and_committed: int = 0
    young_and_committed: int = 0
    short: bool = False
    gone: bool = False

    def tidy(self) -> int:
        """Remove what is old and committed."""
        if self.gone:
            raise Unavailable("the store is gone")
        removed, self.old_and_committed = self.old_and_committed, 0
        return removed

    def make_room(self) -> int:
        """Remove what is committed, when it must be."""
        if self.gone:
            raise Unavailable("the store is gone")
        if not self.short:
            return 0
        removed, self.old_and_committed = self.old_and_committed + self.young_and_committed, 0
        self.young_and_committed = 0
        return removed
