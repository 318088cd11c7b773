"""What a batch becomes in the ledger."""

import hashlib
import json
import random

import pytest

from wharfinger.ledger.record import RecordKind
from wharfinger.wire.event import Malformed, parse_envelope
from wharfinger.wire.issuance import Credential, Issuance, Refusal
from wharfinger.wire.jti import JtiKeys, mint
from wharfinger.wire.names import Account
from wharfinger.wire.notification import Notification
from wharfinger.wire.scope import Scope
from workers.decide.attribution import Verdict
from workers.decide.plan import Heard, Planner, Reading, accounts_to_infer, hear, too_large, unreadable, with_new

KEYS = JtiKeys((b"k" * 32,))
JTI = mint(KEYS, account=Account("zoe"), now_ms=1_795_477_894_000, nonce=7)
NOTIFICATION = Notification(source="main", peer="10.0.0.1", received_at=1_795_477_894_900, size=10, sha256="ab")
ISSUANCE = Issuance(
    jti=JTI, account=Account("zoe"), credential=Credential(kind="static", id="c1"), authenticated_by="basic", client_addr="10.0.0.7",
    user_agent="docker", service="registry", granted=(Scope("repository", "ubuntu", ("pull", "push")),), rules=(2,),
    issued_at=1_795_477_894, not_before=1_795_477_884, expires_at=1_795_478_794,
)  # fmt: skip
PLANNER = Planner(KEYS, ())


def event(**changes: object) -> bytes:
    """A notification's body with one push."""
    one = {
        "id": "e1",
        "timestamp": "2026-11-23T23:51:34.830Z",
        "action": "push",
        "target": {"repository": "ubuntu", "mediaType": "m", "tag": "v1", "digest": "sha256:" + "ab" * 32},
        "request": {"method": "PUT", "addr": "10.0.0.7:1"},
        "actor": {"name": f"zoe#{JTI}"},
    }
    return json.dumps({"events": [one | changes]}).encode()


def heard(body: bytes) -> tuple[Reading, ...]:
    """The readings of a body."""
    return hear(NOTIFICATION, body, parse_envelope(body))


def test_an_event_and_its_token() -> None:
    """The record carries the tie, and what tells of a person stands apart."""
    (entry,) = PLANNER.plan(heard(event()), {JTI: ISSUANCE}, now_ms=5)
    assert (entry.record.kind, entry.record.verdict, entry.record.jti) == (RecordKind.EVENT, Verdict.EXACT, JTI)
    assert (entry.record.credential_kind, entry.record.credential_id) == ("static", "c1")
    assert (entry.record.personal.account, entry.record.personal.client_addr) == ("zoe", "10.0.0.7")
    assert entry.raw
    assert not entry.record.detail


def test_outside_its_grant() -> None:
    """What was missing is said."""
    body = event(target={"repository": "fedora", "mediaType": "m", "digest": "sha256:" + "ab" * 32})
    (entry,) = PLANNER.plan(heard(body), {JTI: ISSUANCE}, now_ms=5)
    assert entry.record.verdict == Verdict.OUTSIDE_GRANT
    assert json.loads(entry.record.detail) == {"missing": "fedora:pull"}


def test_forged_lost_and_plain() -> None:
    """Without a record, the id itself tells which."""
    actors = [f"zoe#{JTI}", f"ann#{JTI}", "zoe"]
    readings = [reading for actor in actors for reading in heard(event(actor={"name": actor}))]
    verdicts = [entry.record.verdict for entry in PLANNER.plan(readings, {}, now_ms=5)]
    assert verdicts == [Verdict.UNATTRIBUTED, Verdict.FORGED, Verdict.UNATTRIBUTED]


def test_an_event_without_a_time_has_the_notifications() -> None:
    """Something sortable is always there."""
    (entry,) = PLANNER.plan(heard(event(timestamp=None)), {}, now_ms=5)
    assert entry.record.occurred_at == NOTIFICATION.received_at


def test_big_events_are_kept_by_hash() -> None:
    """What does not compress to 64 KiB is not kept whole."""
    noise = random.Random(1).randbytes(200_000).hex()
    (entry,) = PLANNER.plan(heard(event(extra=noise)), {}, now_ms=5)
    assert entry.raw == b""
    assert len(entry.record.event_sha) == 64


def test_quarantine() -> None:
    """A body that is no event is a record of its own, known by its content, which stands nowhere in clear."""
    readings = [*heard(b"{"), unreadable(NOTIFICATION, "too large", b"")]
    first, second = PLANNER.plan(readings, {}, now_ms=5)
    assert (first.record.kind, first.record.reason) == (RecordKind.QUARANTINE, "not JSON")
    assert (first.record.event_id, first.record.event_sha) == ("", hashlib.sha256(b"{").hexdigest())
    assert (second.record.size, second.record.event_sha) == (NOTIFICATION.size, NOTIFICATION.sha256)
    (empty,) = hear(NOTIFICATION, b"body", [Malformed("nothing", b"")])
    assert not isinstance(empty, Heard)
    assert empty.size == 4


def test_what_no_registry_sends() -> None:
    """A body over every size is an alarm, and each target hears of it once; nothing of it says what came."""
    planner = Planner(KEYS, (), alarm_targets=("hook", "pager"))
    (entry,), (again,) = (planner.plan([too_large(NOTIFICATION)], {}, now_ms=now_ms) for now_ms in (5, 6))
    assert (entry.alarm, entry.record.kind, entry.record.event_id) == ("too_large", RecordKind.QUARANTINE, "")
    assert [(one.rule, one.target) for one in entry.on_alarm] == [("alarm", "hook"), ("alarm", "pager")]
    assert entry.on_alarm == again.on_alarm
    assert len({one.id for one in entry.on_alarm}) == 2
    assert (unreadable(NOTIFICATION, "not JSON", b"{").alarm, planner.plan(heard(b"{"), {}, now_ms=5)[0].on_alarm) == ("", ())


def test_issuances_and_refusals() -> None:
    """Both are records too; an issuance brings its row."""
    refusal = Refusal(
        id="ref_1", reason="wrong_password", account=Account("zoe"), network="10.0.0.0/24", count=3, since=7, until=9
    )
    issued, refused = PLANNER.plan([ISSUANCE, refusal], {}, now_ms=5)
    assert (issued.record.kind, issued.issuance, issued.record.event_id) == (RecordKind.ISSUANCE, ISSUANCE, JTI)
    assert json.loads(issued.record.detail)["rules"] == [2]
    assert (refused.record.kind, refused.record.reason) == (RecordKind.REFUSAL, "wrong_password")
    assert json.loads(refused.record.detail)["count"] == 3
    assert refused.record.personal.client_addr == "10.0.0.0/24"


INFERRING = Planner(KEYS, (), infers=True)
ZOE = Account("zoe")


def plain(**changes: object) -> tuple[Reading, ...]:
    """An event whose subject names no token."""
    return heard(event(actor={"name": "zoe"}, **changes))


def test_plain_subjects_are_inferred_when_tokens_carry_them() -> None:
    """From the account's tokens; the record names the one, or those, that fit."""
    (one,) = INFERRING.plan(plain(), {}, {ZOE: [ISSUANCE]}, now_ms=5)
    assert (one.record.verdict, one.record.jti, one.record.credential_id) == ("inferred", JTI, "c1")
    (several,) = INFERRING.plan(plain(), {}, {ZOE: [ISSUANCE, ISSUANCE]}, now_ms=5)
    assert (several.record.verdict, json.loads(several.record.detail)) == ("ambiguous", {"candidates": [JTI, JTI]})
    (none,) = INFERRING.plan(plain(), {}, now_ms=5)
    assert (none.record.verdict, none.record.reason) == ("unattributed", "no_id")


def test_a_token_id_is_verified_also_where_others_are_inferred() -> None:
    """Older tokens still carry one."""
    (one,) = INFERRING.plan(heard(event()), {JTI: ISSUANCE}, now_ms=5)
    assert one.record.verdict == "exact"


def test_whose_tokens_are_wanted() -> None:
    """The accounts that events name without an id; tokens of the same batch are candidates too."""
    readings = [*plain(), *heard(event()), ISSUANCE]
    assert accounts_to_infer(readings) == {ZOE}
    assert with_new({}, readings) == {ZOE: [ISSUANCE]}
    assert with_new({ZOE: (ISSUANCE,)}, readings) == {ZOE: [ISSUANCE, ISSUANCE]}


AT = 1_795_477_894_830


@pytest.mark.parametrize(("since", "alarm"), [(None, ""), (AT + 1, ""), (AT - 1, "no_id")])
def test_an_event_without_an_id_is_an_alarm_from_then_on(since: int | None, alarm: str) -> None:
    """Before, tokens without one were about; a violation always is one."""
    planner = Planner(KEYS, (), ("pager",), ids_since_ms=since)
    forged = heard(event(id="e2", actor={"name": f"yan#{JTI}"}))
    first, second = planner.plan([*plain(), *forged], {}, now_ms=5)
    assert (first.alarm, second.alarm) == (alarm, "forged")
    assert [(one.rule, one.target) for one in first.on_alarm] == [("alarm", "pager")]


def test_a_record_that_is_lacking() -> None:
    """Only an authentic id whose record was not found: settle may wait for that one."""
    (found,) = heard(event())
    (forged,) = heard(event(actor={"name": f"yan#{JTI}"}))
    (nobody,) = plain()
    assert isinstance(found, Heard)
    assert isinstance(forged, Heard)
    assert isinstance(nobody, Heard)
    assert PLANNER.lacks_record(found, {})
    assert not any(PLANNER.lacks_record(one, {}) for one in (forged, nobody))
    assert not PLANNER.lacks_record(found, {JTI: ISSUANCE})
