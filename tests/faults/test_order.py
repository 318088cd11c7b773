"""What is promised is on disk before it is promised. kill -9 cannot show this, for the kernel keeps what was written; strace can.

Each test fails when the order is another: with ``appendfsync no`` or ``everysec`` for the store, with ``synchronous=OFF`` for
the ledger.
"""

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.conftest import Tell
from tests.faults.rooms import jti_of
from tests.faults.station import Station, station_in
from tests.faults.tracing import SYNCS, Call, calls_of, is_synced_before, the_call, traced
from tests.real.conftest import wait_until
from wharfinger.cli.pusher import make_image
from wharfinger.wire import keys
from workers.adapters.http import request
from workers.adapters.registry import endpoint_of
from workers.decide.challenge import basic

pytestmark = pytest.mark.real

TIMES = 10


@pytest.fixture(scope="module")
def station(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Station]:
    """One for all: nothing is done to it here."""
    with station_in(tmp_path_factory.mktemp("order") / "house") as built:
        yield built


SENDS = ("write", "writev", "sendto", "sendmsg")
AOF = ".incr.aof"
WAL = "ledger.db-wal"


def test_an_event_is_on_disk_before_202(station: Station, tmp_path: Path, tell: Tell) -> None:
    """The append-only file holds the notification, and is synced, before the registry is told."""
    bodies = [json.dumps({"events": [{"id": f"e{number}"}]}).encode() for number in range(TIMES)]
    headers = {"Authorization": f"Bearer {station.secret()}"}
    notifier = endpoint_of(f"http://127.0.0.1:{station.ports.notifier}")
    with traced([station.pid("store"), station.pid("notifier")], tmp_path) as output:
        for body in bodies:
            assert request(notifier, "POST", "/events", headers=headers, body=body).status == 202
        answers = answers_in(output, station.pid("notifier"), "HTTP/1.1 202", TIMES)
    calls = calls_of(output)
    for body, answer in zip(bodies, answers, strict=True):
        written = the_call(calls, hashlib.sha256(body).hexdigest(), "write", file=AOF)
        assert is_synced_before(calls, written, answer)
    tell(f"{TIMES} of {TIMES} synced first, among {len(calls)} calls")


def test_a_big_body_is_on_disk_before_its_entry(station: Station, tmp_path: Path) -> None:
    """It is synced before it has its name, and its name is synced before the entry that says it is written."""
    body = json.dumps({"events": [{"id": "big", "noise": os.urandom(100_000).hex()}]}).encode()
    headers = {"Authorization": f"Bearer {station.secret()}"}
    notifier = endpoint_of(f"http://127.0.0.1:{station.ports.notifier}")
    with traced([station.pid("store"), station.pid("notifier")], tmp_path) as output:
        assert request(notifier, "POST", "/events", headers=headers, body=body).status == 202
        (answer,) = answers_in(output, station.pid("notifier"), "HTTP/1.1 202", 1)
    calls = calls_of(output)
    named = the_call(calls, ".z.part", "rename")
    content = [call for call in calls if call.name == "write" and call.file.endswith(".z.part")]
    entry = the_call(calls, hashlib.sha256(body).hexdigest(), "write", file=AOF)
    assert is_synced_before(calls, content[-1], named)
    assert is_synced_before(calls, entry, answer)
    folder = the_call(calls, "", *SYNCS, file="/spill")
    assert named.ended < folder.began
    assert folder.ended < entry.began


def test_an_issuance_is_on_disk_before_its_token_leaves(station: Station, tmp_path: Path, tell: Tell) -> None:
    """The append-only file holds the record under the token's id, and is synced, before the client has the token."""
    auth = endpoint_of(f"http://127.0.0.1:{station.ports.auth}")
    headers = {"Authorization": basic("hussein", station.password("hussein").encode())}
    tokens = []
    with traced([station.pid("store"), station.pid("auth")], tmp_path) as output:
        for _ in range(TIMES):
            answer = request(auth, "GET", "/auth?service=registry&scope=repository:ubuntu:pull", headers=headers)
            tokens.append(json.loads(answer.body)["token"])
        answers = answers_in(output, station.pid("auth"), "HTTP/1.1 200", TIMES)
    calls = calls_of(output)
    for token, sent in zip(tokens, answers, strict=True):
        written = the_call(calls, keys.issuance(jti_of(token)), "write", file=AOF)
        assert is_synced_before(calls, written, sent)
    tell(f"{TIMES} of {TIMES} synced first, among {len(calls)} calls")


def test_the_ledger_is_on_disk_before_the_entries_are_acknowledged(station: Station, tmp_path: Path, tell: Tell) -> None:
    """Every XACK comes after a sync of the write-ahead log that came after the log's last write."""
    with traced([station.pid("settle")], tmp_path) as output:
        for number in range(TIMES):
            image = make_image(os.urandom(32))
            station.pusher().push(image, "ubuntu", f"v{number}")
            station.traced(image.digest, lambda found: found.events)
        wait_until("the acknowledgements", lambda: acknowledgements(calls_of(output)))
    calls = calls_of(output)
    writes = [call for call in calls if call.file.endswith(WAL) and "write" in call.name]
    before = -1
    for acknowledgement in acknowledgements(calls):
        written = [call for call in writes if before < call.began < acknowledgement.began]
        assert written, "nothing was written before an acknowledgement"
        assert is_synced_before(calls, written[-1], acknowledgement)
        before = acknowledgement.ended
    tell(f"{len(acknowledgements(calls))} acknowledgements, each synced first, among {len(calls)} calls")


def acknowledgements(calls: list[Call]) -> list[Call]:
    """What tells the store that entries are settled."""
    return [call for call in calls if call.name in SENDS and "XACK" in call.text]


def answers_in(output: Path, pid: int, what: str, count: int) -> list[Call]:
    """What one service answered, in the order in which it was asked. The tracer writes it down after the client has it."""

    def answers() -> list[Call]:
        found = [call for call in calls_of(output) if call.pid == pid and call.name in SENDS and what in call.text]
        return found if len(found) >= count else []

    return list(wait_until(f"{count} answers", answers))
