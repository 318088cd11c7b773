"""The bad inputs that a notification endpoint must survive, one by one: which tests show the answer to each, and those of no room.

The answers: a registry is never blocked and no genuine event refused; what cannot be read is kept beside its good neighbours;
what is wrong is told. The number of a test here is that of its input in the list.
"""

import ast
import asyncio
import hashlib
import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import fakeredis
import pytest

from tests.notifier.test_endpoints import AUTH, HEAD, Service, serve
from tests.wharfinger.ledger.logs import KEYS as LOG_KEYS
from tests.wharfinger.ledger.logs import sign
from tests.workers.fakes import Entries, Told
from tests.workers.test_settle import ISSUANCE, KEYS, MANIFEST, NOW_MS, event
from wharfinger.ledger.database import Database
from wharfinger.ledger.log import read_tree
from wharfinger.ledger.reading import read_range
from wharfinger.ledger.record import PUBLIC_FIELDS, AuditRecord, RecordKind
from wharfinger.ledger.verification.whole import verify_whole
from wharfinger.runtime.log import discard
from wharfinger.wire.event import MAX_TEXT, RegistryEvent, parse_envelope, parse_event
from wharfinger.wire.notification import Notification, StoredNotification, compress
from workers.adapters.bodies import SpilledBodies
from workers.adapters.issuances import StoredIssuances
from workers.adapters.ledger import LedgerOfBatches
from workers.decide.plan import Planner
from workers.settle import Settle

ROOT: Final = Path(__file__).parents[1]
ENDPOINTS: Final = "tests/notifier/test_endpoints.py"
SMUGGLING: Final = "tests/notifier/test_smuggling.py"
EVENT: Final = "tests/wharfinger/wire/test_event.py"
SETTLE: Final = "tests/workers/test_settle.py"
VERDICTS: Final = "tests/workers/decide/test_attribution.py"
CROWD: Final = "tests/attribution/test_attribution.py"
DELIVER: Final = "tests/workers/test_deliver.py"
HERE: Final = "tests/test_bad_inputs.py"

SHOWN: Final[dict[int, tuple[str, tuple[tuple[str, tuple[str, ...]], ...]]]] = {
    1: ("no, another, two secrets; one that was", ((ENDPOINTS, ("test_not_authorised", "test_two_secrets_in_one_post", "test_sources")),)),
    2: ("another method", ((ENDPOINTS, ("test_other_methods",)),)),
    3: ("any content type", ((ENDPOINTS, ("test_content_types",)), (HERE, ("test_03_any_content_type",)))),
    4: ("over every size", (
        (ENDPOINTS, ("test_a_body_over_every_size", "test_the_biggest_event_that_was_ever_seen")), (SETTLE, ("test_quarantine",)),
        ("tests/workers/decide/test_plan.py", ("test_what_no_registry_sends",)), (HERE, ("test_04_over_every_size",)),
    )),
    5: ("cut off", ((ENDPOINTS, ("test_a_body_that_breaks_off", "test_a_big_body_that_breaks_off")), (SMUGGLING, ("test_a_body_that_ends_early",)))),
    6: ("in chunks, packed, slow, expecting", (
        (ENDPOINTS, ("test_a_body_in_chunks", "test_a_packed_body_is_not_unpacked", "test_a_slow_body")),
        (SMUGGLING, ("test_a_body_that_trickles", "test_100_continue")),
    )),
    7: ("thousands at once", ((ENDPOINTS, ("test_many_at_once",)), (HERE, ("test_07_a_thousand_connections",)))),
    8: ("nothing, or JSON that is no envelope", ((ENDPOINTS, ("test_what_is_no_event",)), (EVENT, ("test_malformed", "test_empty_envelopes")))),
    9: ("JSON that is none, or odd", ((EVENT, ("test_malformed", "test_texts_are_bounded_and_storable", "test_no_bytes_raise")), (HERE, ("test_09_odd_json",)))),
    10: ("one bad among good", ((EVENT, ("test_one_bad_event_does_not_sink_the_others",)), (SETTLE, ("test_several_events_of_one_body",)), (HERE, ("test_10_one_bad_among_good",)))),
    11: ("what a later registry may say", ((EVENT, ("test_operations",)), (HERE, ("test_11_what_a_later_registry_may_say",)))),
    12: ("fields of another type", ((EVENT, ("test_wrong_types_are_not_said", "test_sizes", "test_times")), (HERE, ("test_12_fields_of_another_type",)))),
    13: ("absent, empty, null", ((EVENT, ("test_both_versions_say_the_same", "test_operations")), (HERE, ("test_13_absent_empty_and_null_are_one",)))),
    14: ("odd digests, tags, repositories", ((HERE, ("test_14_odd_digests_tags_and_repositories",)),)),
    15: ("no id, an odd id, a long id", ((HERE, ("test_15_no_id_or_an_odd_one",)), ("tests/wharfinger/ledger/test_erasure.py", ("test_an_event_without_an_id_is_erased_alike",)))),
    16: ("long and malicious texts", (
        (ENDPOINTS, ("test_many_long_agents_do_not_fill_the_store", "test_many_long_agents_that_compress")),
        ("tests/wharfinger/ledger/test_formats.py", ("test_a_record_is_one_line", "test_a_spreadsheet_runs_nothing")),
        ("tests/wharfinger/cli/test_texts.py", ("test_what_is_not_printable_is_written_out", "test_any_text_can_be_shown")),
    )),
    17: ("the same again; the same id with another body", (
        ("tests/wharfinger/ledger/test_settlement.py", ("test_a_batch_is_written_once", "test_the_same_id_with_another_body_is_kept_and_flagged")),
        ("tests/wharfinger/ledger/test_alarms.py", ("test_another_body_under_a_known_id_raises_one",)), (HERE, ("test_17_ten_thousand_duplicates",)),
    )),
    18: ("out of order", ((CROWD, ("test_settled_into_a_ledger",)), (HERE, ("test_18_out_of_order",)))),
    19: ("very old", ((VERDICTS, ("test_remarks_change_no_verdict",)), (HERE, ("test_19_20_clocks_that_are_years_off",)))),
    20: ("of the future", ((VERDICTS, ("test_remarks_change_no_verdict",)), (HERE, ("test_19_20_clocks_that_are_years_off",)))),
    21: ("replayed by who has the secret", ((CROWD, ("test_settled_into_a_ledger",)), ("tests/wharfinger/ledger/test_settlement.py", ("test_a_batch_is_written_once",)))),
    22: ("an actor that is none, or not that one", ((VERDICTS, ("test_other_verdicts", "test_a_plain_actor_names_no_token", "test_grants")), (CROWD, ("test_every_verdict_is_right",)))),
    23: ("of a push that failed", ((DELIVER, ("test_a_tag_that_comes_a_little_later", "test_a_tag_that_never_comes")), ("tests/workers/decide/test_guard.py", ("test_after_looking",)))),
    24: ("one digest, many tags, or again", ((DELIVER, ("test_the_same_bytes_again", "test_a_later_push_of_another_tag")), (HERE, ("test_24_one_digest_under_many_tags",)))),
    25: ("two registries with the same ids", (("tests/wharfinger/ledger/test_record.py", ("test_an_event_is_known_within_its_source",)), (HERE, ("test_25_two_registries_with_the_same_ids",)))),
    26: ("another process of a registry", (("tests/wharfinger/ledger/test_instances.py", ("test_a_new_process_may_mean_lost_events", "test_the_first_process_is_no_gap")),)),
    27: ("a URL of somebody else", ((HERE, ("test_27_a_url_is_never_followed",)),)),
    28: ("the store gone, full, silent", (
        ("tests/notifier/test_app.py", ("test_the_store_goes_and_comes_back", "test_a_store_that_hangs", "test_a_full_store")),
        ("tests/faults/test_dependencies.py", ("test_redis_gone", "test_redis_out_of_memory", "test_the_ledger_is_locked_by_somebody_else")),
        ("tests/faults/test_order.py", ("test_an_event_is_on_disk_before_202",)),
    )),
    29: ("shut down in the middle", (
        ("tests/wharfinger/runtime/test_serving.py", ("test_it_stops_in_order",)), ("tests/faults/test_crash_points.py", ("test_ingest_after_the_entry", "test_ingest_before_the_entry")),
        (HERE, ("test_29_shut_down_in_the_middle",)),
    )),
}  # fmt: skip
"""Each input: what it is, and the tests that show its answer."""


def functions(file: str) -> set[str]:
    """The tests of a module."""
    tree = ast.parse((ROOT / file).read_text())
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


@pytest.mark.parametrize("number", range(1, 30))
def test_every_input_is_shown(number: int) -> None:
    """By tests that are there."""
    _, shown = SHOWN[number]
    assert shown
    assert [f"{file}::{name}" for file, names in shown for name in names if name not in functions(file)] == []


def test_every_test_here_is_named() -> None:
    """So that none of them is forgotten in the list."""
    named = {name for _, shown in SHOWN.values() for file, names in shown if file == HERE for name in names}
    assert {name for name in functions(HERE) if name.startswith("test_") and name[5].isdigit()} == named


@dataclass
class Trail:
    """Settle as it is, over a real ledger: what comes in becomes what is there."""

    database: Database
    settle: Settle
    streams: Entries
    alarms: list[str] = field(default_factory=list)

    def post(self, body: bytes, *, source: str = "main", received_at: int = NOW_MS, **record: Any) -> None:
        """A notification that the notifier stored."""
        fields: dict[str, Any] = {
            "source": source, "peer": "10.0.0.1", "received_at": received_at, "size": len(body), "sha256": hashlib.sha256(body).hexdigest(),
        } | record  # fmt: skip
        self.streams.add(StoredNotification(Notification(**fields), compress(body)))

    def tell(self, *events: object, **record: Any) -> list[AuditRecord]:
        """Events in one notification, settled; all records of what came."""
        self.post(json.dumps({"events": events}).encode(), **record)
        return self.settled()

    def settled(self) -> list[AuditRecord]:
        """Settle; what came so far, in its order."""
        self.settle.run()
        with self.database.reading() as connection:
            stored = list(read_range(connection, self.database.words, 0, read_tree(connection).size))
        self.alarms = [one.record.reason for one in stored if one.record.kind is RecordKind.ALARM]
        return [one.record for one in stored if one.record.kind in {RecordKind.EVENT, RecordKind.QUARANTINE}]

    def proved(self) -> bool:
        """Whether the log holds with all of it."""
        sign(self.database)
        return verify_whole(self.database, LOG_KEYS).proved


@pytest.fixture
def trail(ledger_url: str, tmp_path: Path) -> Iterator[Trail]:
    """With the record of one token."""
    with closing(Database(ledger_url)) as database:
        streams = Entries()
        settle = Settle(
            streams=streams, bodies=SpilledBodies(tmp_path), issuances=StoredIssuances(fakeredis.FakeRedis(), database),
            ledger=LedgerOfBatches(database), wake_ups=Told(), planner=Planner(KEYS, (), alarm_targets=("hook",)), clock=lambda: NOW_MS, log=discard,
        )  # fmt: skip
        streams.add(ISSUANCE)
        yield Trail(database, settle, streams)


def changed(**target: object) -> dict[str, Any]:
    """An event whose target says something else; None: nothing."""
    one = event()
    one["target"] = {name: value for name, value in (one["target"] | target).items() if value is not None}
    return one


@pytest.mark.real
@pytest.mark.parametrize(
    "content_type",
    [
        "application/vnd.docker.distribution.events.v1+json", "application/vnd.docker.distribution.events.v2+json", "application/json",
        "application/json; charset=utf-8", "text/html", "nonsense", "multipart/form-data; boundary=x",
    ],
)  # fmt: skip
async def test_03_any_content_type(content_type: str) -> None:
    """202, and the body as it came: nothing depends on what it is called."""
    async for service in serve():
        assert await service.post(b'{"events": []}', headers=AUTH | {"Content-Type": content_type}) == 202
        assert service.body() == b'{"events": []}'


def test_04_over_every_size(trail: Trail) -> None:
    """A tombstone with size and hash, and an alarm: no registry sends such."""
    trail.post(b"", dropped=True, size=40_000_000, sha256="cd" * 32)
    (record,) = trail.settled()
    assert (record.kind, record.size, record.event_sha) == (RecordKind.QUARANTINE, 40_000_000, "cd" * 32)
    assert trail.alarms == ["too_large"]
    assert trail.proved()


@pytest.mark.real
async def test_07_a_thousand_connections() -> None:
    """As a registry empties its queue after an outage: a connection each, all 202, each event there once."""

    async def post(service: Service, number: int) -> bytes:
        body = b'{"n": %d}' % number
        return await service.at.raw(HEAD + b"Connection: close\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))

    async for service in serve():
        answers: list[bytes] = []
        for start in range(0, 1_000, 250):
            answers += await asyncio.gather(*(post(service, number) for number in range(start, start + 250)))
        assert {answer[:13] for answer in answers} == {b"HTTP/1.1 202 "}
        assert len({entry.compressed for entry in service.house.stream.entries}) == 1_000


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b'{"events":[{"id":"a","id":"b","action":"pull","action":"push","target":{"repository":"x"}}]}', "event"),
        (b'{"events":[{"id":"\\u0000","action":"push","target":{"repository":"\\ud800\\u0000x"}}]}', "event"),
        (b'{"events":[{"id":"a","action":"push","target":{"repository":"x","size":' + b"9" * 4_000 + b"}}]}", "event"),
        (b'{"events":[{"id":"a","action":"push","target":{"repository":"x","size":1e400}}]}', "event"),
        (b'{"events":[{"id":"a","action":"push","target":{"repository":"x","size":Infinity}}]}', "quarantine"),
        (b'{"events":[{"id":"a","action":"push","target":{"repository":"x","extra":' + b"[" * 5_000 + b"]" * 5_000 + b"}}]}", "quarantine"),
        (b'\xef\xbb\xbf{"events":[]}', "quarantine"),
        (b'{"events":[]} {"events":[]}', "quarantine"),
    ],
    ids=["twice the same key", "no text", "4,000 digits", "beyond a float", "no number", "5,000 deep", "a mark before it", "something after it"],
)  # fmt: skip
def test_09_odd_json(trail: Trail, body: bytes, kind: str) -> None:
    """Read, or kept as what could not be; once, and nothing that a database or a log cannot hold."""
    trail.post(body)
    trail.settled()
    trail.post(body)
    (record,) = trail.settled()
    assert record.kind == kind
    assert "\x00" not in repr(record.repository + record.event_id)
    assert trail.proved()


def test_10_one_bad_among_good(trail: Trail) -> None:
    """Each stands for itself, in the order in which they were told."""
    records = trail.tell(event("e1"), {"action": "push"}, 7, event("e2"), None)
    assert [(one.kind.value, one.verdict) for one in records] == [
        ("event", "exact"), ("quarantine", ""), ("quarantine", ""), ("event", "exact"), ("quarantine", ""),
    ]  # fmt: skip
    assert trail.alarms == []


def test_11_what_a_later_registry_may_say(trail: Trail) -> None:
    """Fields and media types that we do not know change nothing; an action that we do not know is kept, and no grant covers it."""
    known, unknown = event("e1"), event("e2") | {"action": "promote"}
    known |= {"meta": {"a": [1]}, "actor": known["actor"] | {"user": {"name": "yan"}}}
    known["target"] |= {"mediaType": "application/vnd.tomorrow+json", "platform": "wasm"}
    records = trail.tell(known, unknown)
    assert [(one.action, one.verdict) for one in records] == [("push", "exact"), ("other", "outside_grant")]
    assert records[0].media_type == "application/vnd.tomorrow+json"


@pytest.mark.parametrize(
    ("odd", "kind", "verdict"),
    [
        (event() | {"target": None}, "quarantine", ""),
        (event() | {"target": [event()["target"]]}, "quarantine", ""),
        (event() | {"action": ["push"]}, "quarantine", ""),
        (event() | {"actor": None}, "event", "unattributed"),
        (event() | {"actor": {"name": 7}}, "event", "unattributed"),
        (event() | {"timestamp": None}, "event", "exact"),
        (event() | {"timestamp": 1_795_477_900}, "event", "exact"),
        (event() | {"request": "PUT", "source": []}, "event", "exact"),
        (changed(digest=7), "event", "exact"),
        (changed(size="135", length=-1), "event", "exact"),
        (changed(size=1 << 63), "event", "exact"),
        (changed(tag={"a": 1}, mediaType=[]), "event", "exact"),
    ],
)  # fmt: skip
def test_12_fields_of_another_type(trail: Trail, odd: object, kind: str, verdict: str) -> None:
    """As good as not said; an event it is as long as something was done to some repository."""
    (record,) = trail.tell(odd)
    assert (record.kind, record.verdict) == (kind, verdict)
    assert trail.proved()


@pytest.mark.parametrize("name", ["id", "timestamp", "request", "actor", "source"])
@pytest.mark.parametrize("inner", ["tag", "digest", "mediaType", "size", "length", "url", "fromRepository"])
def test_13_absent_empty_and_null_are_one(name: str, inner: str) -> None:
    """2.8 leaves out what 3.x says empty: both mean the same, in every field that need not be there."""
    empty: object = {} if name in {"request", "actor", "source"} else ""
    told = []
    for said in ({}, {name: empty}, {name: None}):
        for target in ({}, {inner: 0 if inner in {"size", "length"} else ""}, {inner: None}):
            whole: dict[str, Any] = {key: value for key, value in event().items() if key != name} | said
            whole["target"] = {key: value for key, value in whole["target"].items() if key != inner} | target
            found = parse_event(whole)
            assert isinstance(found, RegistryEvent)
            told.append([getattr(found, key) for key in found.__slots__ if key not in {"raw", "sha256"}])
    assert all(one == told[0] for one in told)


@pytest.mark.parametrize(
    ("target", "kind"),
    [
        ({"digest": "sha512:" + "ab" * 64}, "event"),
        ({"digest": "blake3+x:" + "AB" * 32}, "event"),
        ({"digest": "sha256:../../etc/passwd"}, "quarantine"),
        ({"digest": "sha256:" + "zz" * 32}, "quarantine"),
        ({"digest": "latest"}, "quarantine"),
        ({"tag": "v" * 300}, "event"),
        ({"tag": "a b\n<script>"}, "event"),
        ({"repository": "r/" * 127 + "r"}, "event"),
        ({"repository": "registry.example:5000/shop/cart"}, "event"),
        ({"repository": "../../../etc/passwd"}, "event"),
        ({"repository": "wharfinger:issuance:x\r\nFLUSHALL"}, "event"),
    ],
)  # fmt: skip
def test_14_odd_digests_tags_and_repositories(trail: Trail, target: dict[str, str], kind: str) -> None:
    """A digest is one or none; the rest are texts that name nothing of ours, and no grant covers a name that is nearly its own."""
    (record,) = trail.tell(changed(**target))
    assert record.kind == kind
    if kind == "event":
        assert [getattr(record, name) for name in target] == list(target.values())
        assert record.verdict == ("outside_grant" if "repository" in target else "exact")
    assert trail.proved()


@pytest.mark.parametrize("ident", [None, "", 7, "not a UUID", "x" * 1_000_000, "\u202eevil\n", "sha256:" + "ab" * 32])
def test_15_no_id_or_an_odd_one(trail: Trail, ident: object) -> None:
    """Known by what it says when it has none; either way once, however often it comes, and another is another."""
    one, other = event() | {"id": ident}, event(tag="v2") | {"id": ident}
    trail.tell(one)
    (record,) = trail.tell(one)
    assert record.event_id == (ident[:MAX_TEXT] if isinstance(ident, str) else "")
    assert len(trail.tell(other)) == 2
    assert trail.alarms == (["id_reused"] if record.event_id else [])
    assert trail.proved()


def test_17_ten_thousand_duplicates(trail: Trail) -> None:
    """One record, and no alarm."""
    body = json.dumps({"events": [event()]}).encode()
    for _ in range(10_000):
        trail.post(body)
    assert [one.event_id for one in trail.settled()] == ["e1"]
    assert trail.alarms == []


def test_18_out_of_order(trail: Trail) -> None:
    """A manifest before its blob, a tag's removal before its push: kept as they come, with the times they tell."""
    untag = event("e1") | {
        "action": "delete",
        "target": {"repository": "shop/cart", "tag": "v1"},
        "timestamp": "2026-11-23T23:52:00Z",
    }
    push = event("e2") | {"timestamp": "2026-11-23T23:51:50Z"}
    blob = changed(mediaType="application/octet-stream", tag=None) | {"id": "e3", "timestamp": "2026-11-23T23:51:40Z"}
    records = trail.tell(untag, push, blob)
    assert [(one.action, one.object_kind) for one in records] == [("untag", "tag"), ("push", "manifest"), ("push", "blob")]
    assert [one.occurred_at for one in records] == sorted((one.occurred_at for one in records), reverse=True)
    assert [one.verdict for one in records] == ["outside_grant", "exact", "exact"]


@pytest.mark.parametrize(
    ("timestamp", "flags"),
    [
        ("2026-11-23T23:51:40Z", ""), ("1971-01-01T00:00:00Z", "before_issuance"), ("2016-11-24T00:00:00+14:00", "before_issuance"),
        ("2026-11-24T06:00:00Z", "clock_skew"), ("2038-01-20T00:00:00Z", "clock_skew long_after_expiry"),
        ("9999-12-31T23:59:59Z", "clock_skew long_after_expiry"), ("99999-01-01T00:00:00Z", ""),
    ],
)  # fmt: skip
def test_19_20_clocks_that_are_years_off(trail: Trail, timestamp: str, flags: str) -> None:
    """Nothing is refused for its time: the token is the right one all the same, when it came is kept, and what is odd is remarked."""
    (record,) = trail.tell(event() | {"timestamp": timestamp})
    assert (record.verdict, record.flags, record.recorded_at) == ("exact", flags, NOW_MS)
    assert trail.alarms == []
    assert trail.proved()


def test_24_one_digest_under_many_tags(trail: Trail) -> None:
    """Each push is one; a tag knows what it was before, also when it was the same."""
    pushes = [event(f"e{number}", tag=tag) for number, tag in enumerate(("v1", "v2", "latest", "v1"))]
    records = trail.tell(*pushes)
    assert [(one.tag, one.previous_digest) for one in records] == [
        ("v1", ""), ("v2", ""), ("latest", ""), ("v1", records[0].digest),
    ]  # fmt: skip


def test_25_two_registries_with_the_same_ids(trail: Trail) -> None:
    """Two events; one registry that posts to us twice tells one."""
    trail.tell(event("e1"), source="main")
    trail.tell(event("e1", tag="v2"), source="edge")
    records = trail.tell(event("e1"), source="main")
    assert [(one.source, one.tag, one.flags) for one in records] == [("main", "v1", ""), ("edge", "v2", "")]
    assert trail.alarms == []


@pytest.mark.parametrize(
    "url", ["http://169.254.169.254/latest/meta-data", "file:///etc/passwd", "../../v2/x", "//evil.example/x", "\x00"]
)
def test_27_a_url_is_never_followed(trail: Trail, url: str) -> None:
    """Nor even read: no field of an event or a record has it, so nobody can."""
    (found,) = parse_envelope(json.dumps({"events": [changed(url=url)]}).encode())
    assert isinstance(found, RegistryEvent)
    assert not [name for name in found.__slots__ if name != "raw" and getattr(found, name) == url]
    (record,) = trail.tell(changed(url=url))
    assert not [name for name in PUBLIC_FIELDS if getattr(record, name) == url]
    assert (record.verdict, record.media_type) == ("exact", MANIFEST)


@pytest.mark.real
@pytest.mark.parametrize("rest", [b'ts": []}', b""], ids=["the rest comes", "the rest does not come"])
async def test_29_shut_down_in_the_middle(rest: bytes) -> None:
    """Of a body that is still coming in: 202 if it is stored, and no answer that the registry could take for one if it is not."""
    serving = serve()
    service = await anext(serving)
    reader, writer = await asyncio.open_connection("127.0.0.1", service.at.port)
    writer.write(HEAD + b'Content-Length: 14\r\n\r\n{"even')
    await writer.drain()
    ending = asyncio.create_task(anext(serving, None))
    await asyncio.sleep(0)
    writer.write(rest)
    if not rest:
        writer.close()
    answered = await reader.read()
    await ending
    writer.close()
    assert len(service.house.stream.entries) == answered.startswith(b"HTTP/1.1 202 ")
    assert not answered.startswith((b"HTTP/1.1 2", b"HTTP/1.1 4")) or service.house.stream.entries
