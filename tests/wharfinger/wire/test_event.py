"""Registry events: both versions' samples, every shape of an operation, and everything that is no event."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wharfinger.wire.event import (
    MAX_EVENTS,
    MAX_TEXT,
    Action,
    Kind,
    Malformed,
    RegistryEvent,
    parse_envelope,
    parse_event,
)

SAMPLES = sorted((Path(__file__).parents[2] / "samples").glob("registry-*.jsonl"))
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
BLOB = "application/octet-stream"
DIGEST = "sha256:" + "ab" * 32


def event(action: str = "push", method: str = "PUT", **target: Any) -> dict[str, Any]:
    """An event as a registry sends it."""
    return {
        "id": "e1",
        "timestamp": "2026-11-23T23:51:34.830824979Z",
        "action": action,
        "target": {"repository": "team/app"} | target,
        "request": {"id": "r1", "addr": "127.0.0.1:40314", "host": "127.0.0.1:5000", "method": method, "useragent": "skopeo"},
        "actor": {"name": "alice"},
        "source": {"addr": "vm:5000", "instanceID": "i1"},
    }


def read(value: object) -> RegistryEvent:
    """An event that can be read."""
    found = parse_event(value)
    assert isinstance(found, RegistryEvent)
    return found


@pytest.mark.parametrize("sample", SAMPLES, ids=[path.stem for path in SAMPLES])
def test_every_recorded_notification_is_one_event(sample: Path) -> None:
    """What real registries sent is read, whole."""
    for line in sample.read_text().splitlines():
        (found,) = parse_envelope(json.loads(line)["body"].encode())
        assert isinstance(found, RegistryEvent)
        assert found.actor_is_text
        assert found.occurred_at > 0
        assert found.client_addr == "127.0.0.1"


def test_both_versions_say_the_same() -> None:
    """Absent in 2.8 and empty in 3.x mean the same: the same operations give the same events."""
    told = []
    for sample in SAMPLES:
        bodies = [json.loads(line)["body"].encode() for line in sample.read_text().splitlines()]
        events = [found for body in bodies for found in parse_envelope(body) if isinstance(found, RegistryEvent)]
        told.append([(found.action, found.kind, found.repository, found.tag) for found in events])
    assert told[0] == told[1]
    assert (Action.UNTAG, Kind.TAG, "team/app", "v1") in told[0]


@pytest.mark.parametrize(
    ("value", "action", "kind"),
    [
        (event(mediaType=BLOB, digest=DIGEST), Action.PUSH, Kind.BLOB),
        (event(mediaType=MANIFEST, digest=DIGEST, tag="v1"), Action.PUSH, Kind.MANIFEST),
        (event(mediaType=INDEX, digest=DIGEST), Action.PUSH, Kind.INDEX),
        (event("pull", "HEAD", mediaType=BLOB, digest=DIGEST), Action.PROBE, Kind.BLOB),
        (event("pull", "GET", mediaType=MANIFEST, digest=DIGEST), Action.PULL, Kind.MANIFEST),
        (event("pull", "GET", digest=DIGEST, tag="v1"), Action.PULL, Kind.MANIFEST),
        (event("pull", "GET", digest=DIGEST), Action.PULL, Kind.UNKNOWN),
        (event("mount", "POST", mediaType=BLOB, digest=DIGEST, fromRepository="x"), Action.MOUNT, Kind.BLOB),
        (event("delete", "DELETE", digest=DIGEST), Action.DELETE, Kind.UNKNOWN),
        (event("delete", "DELETE", digest=DIGEST, mediaType="", size=0), Action.DELETE, Kind.UNKNOWN),
        (event("delete", "DELETE", tag="v1"), Action.UNTAG, Kind.TAG),
        (event("delete", "DELETE", tag="v1", digest="", size=0), Action.UNTAG, Kind.TAG),
        (event("delete", "DELETE"), Action.DELETE, Kind.REPOSITORY),
        (event("import", "PUT", digest=DIGEST), Action.OTHER, Kind.UNKNOWN),
    ],
)
def test_operations(value: object, action: Action, kind: Kind) -> None:
    """What each operation's event means."""
    found = read(value)
    assert (found.action, found.kind) == (action, kind)


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"", "not JSON"), (b"null", "not a JSON object"), (b"[]", "not a JSON object"), (b'"x"', "not a JSON object"),
        (b'{"events":{}}', "not a list"), (b'{"events":[1]}', "not a JSON object"), (b'{"events":[{}]}', "without an action"),
        (b'{"events":[{"action":"push"}]}', "without a repository"), (b"\xff", "not UTF-8"), (b"{} x", "not JSON"),
        (b'{"events":[', "not JSON"), (b'{"a":NaN}', "not JSON"), (b"[" * 100_000, "nested too deeply"), (b'{"a":' * 3_000, "nested too deeply"),
        (b'{"events":[{"action":"push","target":{"repository":"a","digest":"sha256:x"}}]}', "digest"),
        (b'{"a":' + b"9" * 100_000 + b"}", "not JSON"), (b"\xef\xbb\xbf{}", "not JSON"),
        (json.dumps({"events": [{}] * (MAX_EVENTS + 1)}).encode(), "more than"),
    ],
)  # fmt: skip
def test_malformed(body: bytes, problem: str) -> None:
    """Whatever is no event is told as such, and raises nothing."""
    (found,) = parse_envelope(body)
    assert isinstance(found, Malformed)
    assert problem in found.problem


@pytest.mark.parametrize("body", [b"{}", b'{"events":null}', b'{"events":[]}'])
def test_empty_envelopes(body: bytes) -> None:
    """Legal, and nothing."""
    assert parse_envelope(body) == ()


def test_deep_text_is_not_deep() -> None:
    """Brackets inside strings are letters, also after an escaped quote."""
    value = event(mediaType=MANIFEST, tag='[\\"{' * 50)
    (found,) = parse_envelope(json.dumps({"events": [value]}).encode())
    assert isinstance(found, RegistryEvent)
    (flat,) = parse_envelope(json.dumps({"events": [event() | {"extra": [[]] * 64}]}).encode())
    assert isinstance(flat, RegistryEvent)


def test_one_bad_event_does_not_sink_the_others() -> None:
    """Each stands for itself."""
    first, second = parse_envelope(json.dumps({"events": [event(), {"action": "push"}]}).encode())
    assert isinstance(first, RegistryEvent)
    assert isinstance(second, Malformed)


def test_wrong_types_are_not_said() -> None:
    """A field of another type is as good as absent."""
    odd = event(size="big", length=-1, tag=7, mediaType=None, fromRepository=[]) | {
        "actor": None,
        "request": 1,
        "id": 5,
        "timestamp": 7,
    }
    found = read(odd)
    assert (found.size, found.tag, found.media_type, found.method, found.occurred_at) == (0, "", "", "", 0)
    assert not found.actor_is_text
    assert found.event_id == ""


@pytest.mark.parametrize(
    ("target", "size"), [({"size": 5}, 5), ({"length": 6}, 6), ({"size": True}, 0), ({"size": 1 << 63}, 0)]
)
def test_sizes(target: dict[str, Any], size: int) -> None:
    """A positive 64-bit number, from either field."""
    assert read(event(**target)).size == size


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-23T23:51:34.830824979Z", 1_795_477_894_830),
        ("2026-11-24T05:21:34.83+05:30", 1_795_477_894_830),
        ("2026-11-23T23:51:34", 1_795_477_894_000),
        ("0001-01-01T00:00:00Z", 0),
        ("0001-01-01T00:00:00+23:59", 0),
        ("9999-12-31T23:59:59.999Z", 253_402_300_799_999),
        ("9999-12-31T23:59:59-00:01", 0),
        ("yesterday", 0),
        ("", 0),
    ],
)
def test_times(text: str, expected: int) -> None:
    """Milliseconds of any offset; what is not said is 0."""
    assert read(event() | {"timestamp": text}).occurred_at == expected


@pytest.mark.parametrize(
    ("addr", "expected"),
    [("10.0.0.7:99", "10.0.0.7"), ("10.0.0.7", "10.0.0.7"), ("[::1]:99", "::1"), ("::1", "::1"), ("x:y", "x:y"), ("", "")],
)
def test_addresses(addr: str, expected: str) -> None:
    """With or without a port, which is nobody's."""
    value = event()
    value["request"]["addr"] = addr
    assert read(value).client_addr == expected


def test_texts_are_bounded_and_storable() -> None:
    """A megabyte of User-Agent, a lone surrogate and a NUL fit into what keeps them."""
    value = event()
    value["request"]["useragent"] = "x" * 1_000_000
    value["actor"]["name"] = "a\x00b\ud800"
    found = read(value)
    assert len(found.user_agent) == MAX_TEXT
    assert found.unverified_actor == "a\ufffdb?"


def test_the_hash_is_of_the_content() -> None:
    """A re-delivery has the same, whatever its spaces; another body has not."""
    spaced = json.dumps({"events": [event()]}, indent=3).encode()
    dense = json.dumps({"events": [event()]}).encode()
    other = json.dumps({"events": [event(tag="v2")]}).encode()
    hashes = [one.sha256 for body in (spaced, dense, other) for one in parse_envelope(body)]  # type: ignore[union-attr]  # all readable
    assert hashes[0] == hashes[1] != hashes[2]


@given(st.binary(max_size=300))
def test_no_bytes_raise(body: bytes) -> None:
    """Anything may be posted."""
    parse_envelope(body)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["action", "target", "repository", "id"]), inner)
    ),
    max_leaves=10,
)


@given(_JSON)
def test_no_json_raises(value: object) -> None:
    """Any JSON may stand where an event should."""
    parse_envelope(json.dumps({"events": [value]}).encode())
