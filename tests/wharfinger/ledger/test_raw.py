"""Stored events: byte for byte what came, beside their record, and small."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wharfinger.ledger.raw import MAX_RAW, pack_raw, unpack_raw
from wharfinger.ledger.record import AuditRecord, Personal, RecordKind
from wharfinger.wire.event import RegistryEvent, parse_envelope
from wharfinger.wire.jti import JtiKeys
from wharfinger.wire.notification import Notification
from workers.decide.plan import Heard, Planner

SAMPLES: Final = sorted((Path(__file__).parents[2] / "samples").glob("registry-*.jsonl"))
TEXTS: Final = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
RECORD: Final = AuditRecord(kind=RecordKind.EVENT, recorded_at=1, event_id="e-1234", repository="shop/cart")


@given(st.binary(max_size=500))
def test_any_bytes(raw: bytes) -> None:
    """Also those that are no JSON, with a record beside them or without; or the hash of them would not hold."""
    assert unpack_raw(pack_raw(raw)) == raw
    assert unpack_raw(pack_raw(raw, RECORD), RECORD) == raw


@given(TEXTS, TEXTS, TEXTS, TEXTS)
def test_any_texts(event_id: str, repository: str, agent: str, actor: str) -> None:
    """Quotes, backslashes, control characters, texts that are parts of others."""
    sent: dict[str, Any] = {
        "id": event_id, "action": "pull", "target": {"repository": repository, "url": f"http://r/{repository}"},
        "request": {"useragent": agent}, "actor": {"name": actor},
    }  # fmt: skip
    for ensure_ascii in (True, False):
        raw = json.dumps(sent, ensure_ascii=ensure_ascii, separators=(",", ":")).encode()
        personal = Personal(actor=actor, user_agent=agent)
        record = replace(RECORD, event_id=event_id, repository=repository, personal=personal)
        assert unpack_raw(pack_raw(raw, record), record) == raw


def recorded() -> list[Heard]:
    """What registries sent."""
    bodies = [json.loads(line)["body"].encode() for path in SAMPLES for line in path.read_text().splitlines()]
    envelope = Notification(source="main", peer="10.0.0.1", received_at=1, size=1, sha256="0" * 64)
    return [Heard(envelope, one) for body in bodies for one in parse_envelope(body) if isinstance(one, RegistryEvent)]


def test_what_registries_send() -> None:
    """Each comes back by its record alone, and takes an eighth of what came."""
    heard = recorded()
    entries = Planner(JtiKeys((b"k" * 32,)), (), ()).plan(heard, {}, now_ms=1)
    came = [unpack_raw(entry.raw, entry.record) for entry in entries]
    assert came == [one.event.raw for one in heard]
    assert 8 * sum(len(entry.raw) for entry in entries) < sum(map(len, came))


def test_beside_another_record_it_is_another_event() -> None:
    """What was changed in a record shows in its event."""
    (heard, *_) = recorded()
    packed = pack_raw(heard.event.raw, replace(RECORD, digest=heard.event.digest))
    assert unpack_raw(packed, replace(RECORD, digest="sha256:" + "ab" * 32)) != heard.event.raw
    with pytest.raises(ValueError, match="damaged"):
        unpack_raw(packed)


def test_it_is_not_unfolded_without_end() -> None:
    """A few kilobytes that claim to be more than any notification are damaged; so are those that name a long text often."""
    with pytest.raises(ValueError, match="damaged"):
        unpack_raw(pack_raw(bytes(MAX_RAW + 1)))
    assert len(unpack_raw(pack_raw(bytes(MAX_RAW)))) == MAX_RAW
    agent = replace(RECORD, personal=Personal(user_agent="x" * 1_024))
    often = pack_raw(b"x" * 1_024 * (MAX_RAW // 1_024 + 1), agent)
    assert len(often) < 1_000
    with pytest.raises(ValueError, match="damaged"):
        unpack_raw(often, agent)
