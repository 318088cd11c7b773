"""The ports SettledLedger, Outbox and Held: their suites on the fakes and on SQLite, by one clock that the tests set."""

import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.postgresql import Server
from tests.workers.fakes import MemoryLedger, MemoryOutbox
from wharfinger.ledger import steering
from wharfinger.ledger.database import Database
from wharfinger.ledger.errors import LeaseLost, LedgerUnavailable
from wharfinger.ledger.outbox import LEASE_MS
from wharfinger.ledger.record import AuditRecord, Personal, RecordKind
from wharfinger.ledger.values import Around, Claim, Decision, DeliveryState, Entry, NewDelivery, Said, Settled, Standing
from wharfinger.wire.names import DeliveryId
from workers.adapters.ledger import LedgerOfBatches, LedgerOutbox
from workers.ports import Held, Outbox, SettledLedger

NOW = 1_795_477_900_000
JTI = "j" * 26
DIGEST, OTHER = "sha256:" + "ab" * 32, "sha256:" + "cd" * 32


class Clock:
    """A clock that stands until it is set."""

    def __init__(self) -> None:
        self.now_ms = NOW

    def __call__(self) -> int:
        """The time."""
        return self.now_ms


@dataclass
class Subject:
    """An implementation of all three, its clock, and how to take the ledger away."""

    ledger: SettledLedger
    outbox: Outbox
    clock: Clock
    take_away: Callable[[], None]
    stirs: Callable[[DeliveryId], None]

    def stir(self, number: int) -> None:
        """Have something change that a delivery may wait for."""
        self.stirs(ident(number))

    def commit(self, *entries: Entry) -> Settled:
        """Settle a batch now."""
        return self.ledger.commit(entries, now_ms=self.clock())

    def claim(self, number: int) -> Held:
        """Take a delivery that can be taken."""
        held = self.outbox.claim(ident(number))
        assert held is not None
        return held

    def over(self, number: int, state: DeliveryState = DeliveryState.DELIVERED) -> None:
        """Take a delivery and end it."""
        self.claim(number).finish(state, "")


@pytest.fixture(params=["fake", "sqlite", pytest.param("postgresql", marks=pytest.mark.real)])
def subject(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Subject]:
    """Each implementation."""
    clock = Clock()
    if request.param == "fake":
        fake = MemoryLedger()
        yield Subject(
            fake,
            MemoryOutbox(fake, clock),
            clock,
            lambda: setattr(fake, "gone", True),
            lambda one: fake.rows[one].stir(clock()),
        )
        return
    if request.param == "postgresql":
        server: Server = request.getfixturevalue("postgresql")
        database = Database(server.new(f"outbox_{os.urandom(6).hex()}"))
    else:
        database = Database(f"sqlite:///{tmp_path}/ledger.db")

    def take_away() -> None:
        with database.writing() as connection:
            connection.exec_driver_sql("ALTER TABLE records RENAME TO elsewhere")

    def stir(one: DeliveryId) -> None:
        steering.vote(database, one, steering.Statement("zoe", "", clock()), approves=True)

    yield Subject(LedgerOfBatches(database), LedgerOutbox(database, clock), clock, take_away, stir)
    database.close()


def ident(number: int) -> DeliveryId:
    """A delivery's id."""
    return DeliveryId(f"dlv_{number}")


def push(
    number: int,
    *,
    tag: str = "v1",
    digest: str = DIGEST,
    target: str = "hook",
    repository: str = "shop/cart",
    sha: str = "",
    state: DeliveryState = DeliveryState.WAITING,
    verdict: str = "exact",
    at: int = NOW,
) -> Entry:
    """A settled push with one delivery."""
    body = hashlib.sha256((sha or f"body {number}").encode()).hexdigest()
    record = AuditRecord(
        kind=RecordKind.EVENT,
        recorded_at=at,
        occurred_at=NOW - 5,
        source="main",
        event_id=f"e{number}",
        event_sha=body,
        action="push",
        object_kind="manifest",
        repository=repository,
        tag=tag,
        digest=digest,
        media_type="m",
        verdict=verdict,
        jti=JTI,
        personal=Personal(account="zoe", raw_sha256=body),
    )
    return Entry(record, deliveries=(NewDelivery(ident(number), "web", target, state, ""),))


def test_a_batch_is_counted(subject: Subject) -> None:
    """What was new, what was there already, and what is due: only what waits."""
    refused = push(2, state=DeliveryState.REFUSED)
    assert subject.commit(push(1), refused, push(1)) == Settled(2, 1, (ident(1),))
    assert list(subject.outbox.due()) == [ident(1)]


def test_the_same_batch_again(subject: Subject) -> None:
    """As after a crash before its acknowledgement: nothing changes, what is over stays over."""
    subject.commit(push(1), push(2))
    subject.over(1)
    assert subject.commit(push(1), push(2)) == Settled(0, 2, ())
    assert list(subject.outbox.due()) == [ident(2)]


def test_an_empty_batch(subject: Subject) -> None:
    """Is nothing."""
    assert subject.commit() == Settled(0, 0, ())


def test_the_same_id_with_another_body(subject: Subject) -> None:
    """Is another record."""
    other = Entry(push(1, sha="other").record)
    assert subject.commit(push(1), other).records == 2


def test_the_ledger_is_away(subject: Subject) -> None:
    """Nothing is written, and that is said."""
    subject.take_away()
    with pytest.raises(LedgerUnavailable):
        subject.commit(push(1))


def test_what_a_claim_tells(subject: Subject) -> None:
    """The push that brought it, and which attempt this is."""
    subject.commit(push(1))
    assert subject.claim(1).claim == Claim(
        id=ident(1),
        fence=1,
        attempt=1,
        created_at=NOW,
        rule="web",
        target="hook",
        seq=0,
        source="main",
        repository="shop/cart",
        tag="v1",
        digest=DIGEST,
        media_type="m",
        event_id="e1",
        verdict="exact",
        account="zoe",
        jti=JTI,
        occurred_at=NOW - 5,
    )


def test_nobody_takes_it_twice(subject: Subject) -> None:
    """While it is held, it is neither due nor to be had; nor is one that nobody knows."""
    subject.commit(push(1))
    subject.claim(1)
    assert subject.outbox.claim(ident(1)) is None
    assert subject.outbox.claim(ident(9)) is None
    assert list(subject.outbox.due()) == []


def test_one_of_a_target_at_a_time(subject: Subject) -> None:
    """The next one waits until the first is over; other targets do not."""
    subject.commit(push(1), push(2), push(3, target="other"))
    first = subject.claim(1)
    assert subject.outbox.claim(ident(2)) is None
    subject.claim(3)
    first.finish(DeliveryState.DELIVERED, "")
    subject.claim(2)


def test_what_is_due(subject: Subject) -> None:
    """The first push of each target, in their order, and none of a target that is being sent to; of one target if asked so."""
    subject.commit(push(3), push(1, target="other"), push(2))
    assert list(subject.outbox.due()) == [ident(3), ident(1)]
    assert list(subject.outbox.due(target="hook")) == [ident(3)]
    assert list(subject.outbox.due(target="nobody")) == []
    sent = subject.claim(3)
    assert list(subject.outbox.due()) == [ident(1)]
    sent.finish(DeliveryState.DELIVERED, "")
    assert list(subject.outbox.due()) == [ident(1), ident(2)]


OPEN = {DeliveryState.WAITING, DeliveryState.HELD, DeliveryState.SENDING}


@pytest.mark.parametrize("state", [one for one in DeliveryState if one not in OPEN])
def test_what_is_over(subject: Subject, state: DeliveryState) -> None:
    """Whatever the end, it is not due any more."""
    subject.commit(push(1))
    subject.over(1, state)
    subject.clock.now_ms += 10 * LEASE_MS
    assert list(subject.outbox.due()) == []
    assert subject.outbox.claim(ident(1)) is None


def test_a_lease_runs_out(subject: Subject) -> None:
    """At its end and not before, another takes over, with a higher fence; the first can do nothing any more."""
    subject.commit(push(1), push(2))
    stopped = subject.claim(1)
    subject.clock.now_ms += LEASE_MS
    assert subject.outbox.claim(ident(1)) is None
    assert subject.outbox.claim(ident(2)) is None
    subject.clock.now_ms += 1
    assert list(subject.outbox.due()) == [ident(1)]
    other = subject.claim(1)
    assert (other.claim.fence, other.claim.attempt) == (stopped.claim.fence + 1, 2)
    for step in (
        stopped.renew,
        lambda: stopped.finish(DeliveryState.DELIVERED, ""),
        lambda: stopped.postpone("", 0, counts=True),
        lambda: stopped.hold("", NOW),
        lambda: stopped.note({"run": "1"}),
    ):
        with pytest.raises(LeaseLost):
            step()
    other.renew()
    other.finish(DeliveryState.FAILED, "no")


def test_a_lease_is_renewed(subject: Subject) -> None:
    """It runs from then."""
    subject.commit(push(1))
    held = subject.claim(1)
    subject.clock.now_ms += LEASE_MS
    held.renew()
    subject.clock.now_ms += LEASE_MS
    assert subject.outbox.claim(ident(1)) is None
    subject.clock.now_ms += 1
    assert subject.outbox.claim(ident(1)) is not None


def test_what_was_begun_is_kept(subject: Subject) -> None:
    """Whoever takes the delivery over finds it; nothing is left of it once it was let go."""
    subject.commit(push(1))
    held = subject.claim(1)
    assert held.noted == {}
    held.note({"run": "17", "asked": "né"})
    assert held.noted == {"run": "17", "asked": "né"}
    subject.clock.now_ms += LEASE_MS + 1
    again = subject.claim(1)
    assert again.noted == {"run": "17", "asked": "né"}
    again.note({})
    again.postpone("later", 0, counts=True)
    assert subject.claim(1).noted == {}


def test_nothing_is_begun_over_what_is_not_over(subject: Subject) -> None:
    """While one delivery waits for the end of what it began, or its worker was killed, its target takes no other."""
    subject.commit(push(1), push(2), push(3, target="other"))
    held = subject.claim(1)
    held.note({"run": "17"})
    held.postpone("runs", 1_000, counts=False)
    assert list(subject.outbox.due()) == [ident(3)]
    assert subject.outbox.claim(ident(2)) is None
    subject.clock.now_ms += 1_000
    assert list(subject.outbox.due()) == [ident(1), ident(3)]
    subject.claim(1)
    subject.clock.now_ms += LEASE_MS + 1
    assert subject.outbox.claim(ident(2)) is None
    subject.claim(1).finish(DeliveryState.DELIVERED, "")
    assert subject.outbox.claim(ident(2)) is not None


def test_a_note_renews(subject: Subject) -> None:
    """The lease runs from then."""
    subject.commit(push(1))
    held = subject.claim(1)
    subject.clock.now_ms += LEASE_MS
    held.note({"run": "17"})
    subject.clock.now_ms += LEASE_MS
    held.renew()


def test_after_the_end_nothing_is_held(subject: Subject) -> None:
    """Neither finished nor given back can be held on to."""
    subject.commit(push(1), push(2))
    first = subject.claim(1)
    first.finish(DeliveryState.DELIVERED, "")
    second = subject.claim(2)
    second.postpone("later", 1_000, counts=True)
    for held in (first, second):
        with pytest.raises(LeaseLost):
            held.renew()


@pytest.mark.parametrize(("counts", "attempt"), [(True, 2), (False, 1)])
def test_giving_back(subject: Subject, counts: bool, attempt: int) -> None:  # noqa: FBT001 - a column
    """It is due again after its pause and not before; only an attempt at the target counts as one."""
    subject.commit(push(1))
    subject.claim(1).postpone("later", 1_000, counts=counts)
    subject.clock.now_ms += 999
    assert list(subject.outbox.due()) == []
    assert subject.outbox.claim(ident(1)) is None
    subject.clock.now_ms += 1
    assert list(subject.outbox.due()) == [ident(1)]
    assert subject.claim(1).claim.attempt == attempt


def test_looking_many_times(subject: Subject) -> None:
    """A tag that is on its way is no attempt, however often it is looked at; each look has a higher fence."""
    subject.commit(push(1))
    fences = []
    for _ in range(5):
        held = subject.claim(1)
        fences.append(held.claim.fence)
        assert held.claim.attempt == 1
        held.postpone("no tag yet", 0, counts=False)
    assert fences == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("later", "woken"),
    [
        (push(2, digest=OTHER, at=NOW + 5), 1),
        (push(2, digest=DIGEST, at=NOW + 5), 0),
        (push(2, digest=OTHER, tag="v2", at=NOW + 5), 0),
        (push(2, digest=OTHER, repository="shop/other", at=NOW + 5), 0),
    ],
    ids=["another digest", "the same", "another tag", "another repository"],
)
def test_what_waits_for_nothing_any_more(subject: Subject, later: Entry, woken: int) -> None:
    """What is held and was pushed again is looked at, once: whoever holds it off again has seen that push."""
    subject.commit(push(1))
    subject.claim(1).hold("nobody approved", NOW + 10**9)
    assert subject.outbox.wake_overtaken() == 0
    subject.commit(replace(later, deliveries=()))
    subject.clock.now_ms += 10
    assert subject.outbox.wake_overtaken() == woken
    assert list(subject.outbox.due()) == [ident(1)][:woken]
    assert subject.outbox.wake_overtaken() == 0
    if woken:
        subject.claim(1).hold("nobody approved", NOW + 10**9)
        assert subject.outbox.wake_overtaken() == 0


LINES = (Decision("tag", Said.GO, "is this digest", NOW), Decision("cooldown", Said.WAIT, "until noon", NOW))


def test_holding_off(subject: Subject) -> None:
    """Until its time and not before, without an attempt; what guards said is there again."""
    subject.commit(push(1))
    subject.claim(1).hold("until noon", NOW + 1_000, LINES)
    subject.clock.now_ms += 999
    assert list(subject.outbox.due()) == []
    assert subject.outbox.claim(ident(1)) is None
    subject.clock.now_ms += 1
    assert list(subject.outbox.due()) == [ident(1)]
    again = subject.claim(1)
    assert (again.claim.attempt, again.claim.decisions) == (1, LINES)


def test_what_came_while_it_was_looked_at(subject: Subject) -> None:
    """It was looked at too early: it is due at once. What comes later wakes it."""
    subject.commit(push(1))
    held = subject.claim(1)
    subject.stir(1)
    held.hold("nobody approved", NOW + 10**9)
    assert list(subject.outbox.due()) == [ident(1)]
    subject.claim(1).hold("one of two approved", NOW + 10**9)
    assert list(subject.outbox.due()) == []
    subject.stir(1)
    assert list(subject.outbox.due()) == [ident(1)]


def test_what_is_held_from_the_start(subject: Subject) -> None:
    """It is not due with its push, but when its time has come; with why it matched."""
    entry = push(1)
    (new,) = entry.deliveries
    held = replace(new, state=DeliveryState.HELD, wait_ms=2_000, decisions=LINES)
    assert subject.commit(replace(entry, deliveries=(held,))).due == ()
    subject.clock.now_ms += 1_999
    assert list(subject.outbox.due()) == []
    subject.clock.now_ms += 1
    assert subject.claim(1).claim.decisions == LINES


@pytest.mark.parametrize("end", ["finish", "postpone"])
def test_without_more_to_say(subject: Subject, end: str) -> None:
    """What was said before stays."""
    subject.commit(push(1))
    subject.claim(1).postpone("later", 0, LINES, counts=True)
    held = subject.claim(1)
    if end == "finish":
        held.finish(DeliveryState.UNDONE, "fell over")
    else:
        held.postpone("later", 0, counts=True)
        assert subject.claim(1).claim.decisions == LINES


def test_what_was_undone_is_marked(subject: Subject) -> None:
    """For its target alone."""
    subject.commit(push(1), push(2), push(3, target="other"))
    subject.claim(1).finish(DeliveryState.UNDONE, "fell over")
    assert standing(subject, subject.claim(2)).bad == "the digest is marked as bad at hook: it was undone there: fell over"
    assert standing(subject, subject.claim(3)).bad == ""


def standing(subject: Subject, held: Held, *, whole_target: bool = False) -> Standing:
    """What is known around a delivery."""
    return subject.outbox.standing(held, Around(whole_target=whole_target))


def test_alone(subject: Subject) -> None:
    """Nothing is around it."""
    subject.commit(push(1))
    assert standing(subject, subject.claim(1)) == Standing(None, overtaken=False, last_delivered=None)


@pytest.mark.parametrize(
    ("later", "expected"),
    [
        (push(2, digest=OTHER), OTHER),
        (push(2), None),
        (push(2, digest=OTHER, tag="v2"), None),
        (push(2, digest=OTHER, repository="shop/other"), None),
        (push(2, digest=OTHER, target="other"), OTHER),
        (push(2, digest=OTHER, verdict="unattributed"), None),
        (push(2, digest=OTHER, verdict="forged"), None),
    ],
    ids=["other bytes", "same bytes", "other tag", "other repository", "other target", "unattributed", "forged"],
)
def test_a_later_push_of_the_tag(subject: Subject, later: Entry, expected: str | None) -> None:
    """Of the same tag, with other bytes, by a token: an event that anybody made up supersedes nothing."""
    subject.commit(push(1), later)
    assert standing(subject, subject.claim(1)).later_digest == expected


@pytest.mark.parametrize(
    ("around", "expected"),
    [
        (Around(), None),
        (Around(("exact", "inferred")), None),
        (Around(any_tag=True), None),
        (Around(("exact", "inferred"), any_tag=True), OTHER),
    ],
)
def test_which_later_pushes_count(subject: Subject, around: Around, expected: str | None) -> None:
    """Those that are tied well enough; of any tag, if the newest of all is wanted."""
    subject.commit(push(1), push(2, digest=OTHER, tag="v2", verdict="inferred"))
    found = subject.outbox.standing(subject.claim(1), around)
    assert (found.later_digest, found.later_tag) == (expected, "v2" if expected else "")


def test_the_newest_push_counts(subject: Subject) -> None:
    """There and back again is where it was."""
    subject.commit(push(1), push(2, digest=OTHER), push(3))
    held = subject.claim(1)
    assert standing(subject, held).later_digest is None


@pytest.mark.parametrize(
    ("later", "same_tag", "whole"),
    [(push(2), True, True), (push(2, tag="v2"), False, True), (push(2, target="other"), False, False)],
    ids=["same tag", "other tag", "other target"],
)
def test_overtaken(subject: Subject, later: Entry, same_tag: bool, whole: bool) -> None:  # noqa: FBT001 - columns
    """By a later push that was delivered already: of the same tag, or of any if the target runs one thing."""
    subject.commit(push(1), later)
    subject.over(2)
    held = subject.claim(1)
    assert standing(subject, held).overtaken is same_tag
    assert standing(subject, held, whole_target=True).overtaken is whole


def test_what_failed_later_overtakes_nobody(subject: Subject) -> None:
    """Only what is there now."""
    subject.commit(push(1), push(2))
    subject.over(2, DeliveryState.FAILED)
    assert not standing(subject, subject.claim(1), whole_target=True).overtaken


def test_what_was_delivered_last(subject: Subject) -> None:
    """To this target from this repository, by the time it was delivered; what failed there does not count."""
    subject.commit(
        push(1, digest=OTHER), push(2, tag="v2"), push(3, repository="shop/other"), push(4, tag="v3"), push(5, tag="v4")
    )
    for number, state in (
        (2, DeliveryState.DELIVERED),
        (1, DeliveryState.DELIVERED),
        (3, DeliveryState.DELIVERED),
        (4, DeliveryState.FAILED),
    ):
        subject.clock.now_ms += 1
        subject.over(number, state)
    found = standing(subject, subject.claim(5))
    assert (found.last_delivered, found.last_tag, found.last_seq) == (OTHER, "v1", 0)


def test_what_was_unchanged_was_delivered(subject: Subject) -> None:
    """Perhaps by another tag: that is the one it must not go back from."""
    subject.commit(push(1, tag="v1"), push(2, tag="v2"), push(3, tag="v3"))
    subject.over(1)
    subject.clock.now_ms += 1
    subject.over(2, DeliveryState.UNCHANGED)
    assert standing(subject, subject.claim(3)).last_tag == "v2"
