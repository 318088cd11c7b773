"""Notifications: their stream form, the golden file of schema 1, and damage to bodies."""

import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wharfinger.wire.codec import UnreadableRecord, decode, encode
from wharfinger.wire.notification import (
    MAX_BODY,
    Notification,
    StoredNotification,
    compress,
    decompress,
    from_fields,
    to_fields,
)

GOLDEN = Path(__file__).parents[2] / "samples/wire/notification-1.json"
RECORD = Notification(
    source="main",
    peer="10.0.0.7",
    received_at=1_795_477_894_873,
    size=1_042,
    sha256="ab" * 32,
    content_type="application/vnd.docker.distribution.events.v1+json",
)


@given(st.binary(max_size=2_000))
def test_stream_form(body: bytes) -> None:
    """A body comes back byte for byte."""
    stored = StoredNotification(RECORD, compress(body))
    found = from_fields({name.encode(): value for name, value in to_fields(stored).items()})
    assert found == stored
    assert decompress(found.compressed) == body


def test_golden() -> None:
    """Records written today are read for ever, and written the same."""
    golden = GOLDEN.read_bytes().rstrip(b"\n")
    assert decode(Notification, golden) == RECORD
    assert encode(RECORD) == golden


@pytest.mark.parametrize("data", [b"", b"xxxx", compress(b"x" * 99)[:-3]])
def test_damage(data: bytes) -> None:
    """Cut off or overwritten: told, not guessed."""
    with pytest.raises(UnreadableRecord, match="stored body"):
        decompress(data)


def test_a_bomb() -> None:
    """A body that expands beyond what a registry can send is not expanded further."""
    deflater = zlib.compressobj(9)
    bomb = b"".join(deflater.compress(bytes(1 << 20)) for _ in range((MAX_BODY >> 20) + 1)) + deflater.flush()
    with pytest.raises(UnreadableRecord, match="too large"):
        decompress(bomb)


def test_an_entry_without_a_record() -> None:
    """Somebody else wrote into the stream."""
    with pytest.raises(UnreadableRecord):
        from_fields({b"body": b"x"})
