"""One registry event, read leniently out of a notification's body. Refuses nothing because of its content, trusts none of it.

Source: distribution's notifications/event.go, releases 2.8 and 3.x; the facts of both stand in docs/flow.md. In there ``""``,
``0``, null and absence all mean "not said". What cannot be read as an event becomes a :class:`Malformed`, beside its good
neighbours: one bad event never sinks the others.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

import msgspec

from wharfinger.wire.names import Digest, EventId, Repository

MAX_TEXT: Final = 1_024
"""Characters kept of any one text field; the whole stands in the raw body."""
MAX_EVENTS: Final = 1_000
"""Events read of one envelope. Every known registry sends one."""

_BLOB_TYPE: Final = "application/octet-stream"
_INDEX_TYPES: Final = frozenset(
    {"application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json"}
)
_encoder: Final = msgspec.json.Encoder(order="sorted")
_INT64: Final = 1 << 63
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_MS: Final = 253_402_300_799_999
"""The end of the year 9999: with an offset, a time of that year may lie in the next, which no calendar here can show."""
_DIGEST: Final = re.compile(r"[a-z0-9]+(?:[.+_-][a-z0-9]+)*:[0-9a-fA-F]{32,}", re.ASCII)


class Action(StrEnum):
    """What was done. A HEAD is a probe: an existence check, often part of a push."""

    PUSH = "push"
    PULL = "pull"
    PROBE = "probe"
    MOUNT = "mount"
    DELETE = "delete"
    UNTAG = "untag"
    OTHER = "other"


class Kind(StrEnum):
    """What it was done to."""

    MANIFEST = "manifest"
    INDEX = "index"
    BLOB = "blob"
    TAG = "tag"
    REPOSITORY = "repository"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryEvent:
    """One event as its registry told it. Texts are cut to MAX_TEXT; empty means not said."""

    event_id: EventId
    """As sent; empty when none was."""
    sha256: str
    """Hex, of the event's canonical JSON: the same id with another body is another event, and an alarm."""
    occurred_at: int
    """Milliseconds since the epoch by the registry's clock; 0 when not said."""
    action: Action
    action_said: str
    """The action's own word."""
    kind: Kind
    repository: Repository
    from_repository: Repository
    tag: str
    digest: Digest
    media_type: str
    size: int
    unverified_actor: str
    """``actor.name``: the token's subject, if the registry checks tokens."""
    actor_is_text: bool
    """False when the actor or its name is missing or of another type."""
    method: str
    request_id: str
    client_addr: str
    """Without its port; a proxy's word if there is one."""
    user_agent: str
    registry_host: str
    instance_id: str
    raw: bytes
    """The event's canonical JSON."""


@dataclass(frozen=True, slots=True)
class Malformed:
    """Bytes that are no event; ``problem`` says why in a phrase without their content."""

    problem: str
    raw: bytes


def parse_envelope(body: bytes) -> tuple[RegistryEvent | Malformed, ...]:
    """Read a notification's body.

    Args:
        body: ``{"events": [Event]}`` in JSON; an empty or absent list is legal and gives an empty tuple.

    Returns:
        each event in its order, read or malformed; one Malformed with the whole body when it is no envelope at all.
    """
    try:
        return _parse(body)
    except RecursionError:
        # Python's own limit, of a thousand levels or so; events have four.
        return (Malformed("nested too deeply", body),)


def _parse(body: bytes) -> tuple[RegistryEvent | Malformed, ...]:
    try:
        envelope = _load(body)
    except ValueError as fault:
        return (Malformed(str(fault), body),)
    if not isinstance(envelope, dict):
        return (Malformed("not a JSON object", body),)
    events = envelope.get("events")
    if events is None:
        return ()
    if not isinstance(events, list):
        return (Malformed("its events are not a list", body),)
    if len(events) > MAX_EVENTS:
        return (Malformed(f"more than {MAX_EVENTS} events in one envelope", body),)
    return tuple(parse_event(event) for event in events)


def parse_event(event: object) -> RegistryEvent | Malformed:
    """Read one decoded event: a JSON object with at least an action and a target with a repository."""
    raw = _canonical(event)
    if not isinstance(event, dict):
        return Malformed("an event is not a JSON object", raw)
    target, request = _object(event, "target"), _object(event, "request")
    action_said, repository = _text(event, "action"), _text(target, "repository")
    if not action_said:
        return Malformed("an event without an action", raw)
    if not repository:
        return Malformed("an event without a repository", raw)
    sha256 = hashlib.sha256(raw).hexdigest()
    tag, media_type, digest = _text(target, "tag"), _text(target, "mediaType"), _text(target, "digest")
    if digest and _DIGEST.fullmatch(digest) is None:
        return Malformed("its digest is not one", raw)
    method = _text(request, "method")
    action = _action(action_said, method, tag=tag, digest=digest)
    name = _object(event, "actor").get("name")
    return RegistryEvent(
        event_id=EventId(_text(event, "id")),
        sha256=sha256,
        occurred_at=_milliseconds(_text(event, "timestamp")),
        action=action,
        action_said=action_said,
        kind=_kind(action, media_type=media_type, tag=tag, digest=digest),
        repository=Repository(repository),
        from_repository=Repository(_text(target, "fromRepository")),
        tag=tag,
        digest=Digest(digest),
        media_type=media_type,
        size=_size(target),
        unverified_actor=_storable(name) if isinstance(name, str) else "",
        actor_is_text=isinstance(name, str) and bool(name),
        method=method,
        request_id=_text(request, "id"),
        client_addr=_without_port(_text(request, "addr")),
        user_agent=_text(request, "useragent"),
        registry_host=_text(request, "host"),
        instance_id=_text(_object(event, "source"), "instanceID"),
        raw=raw,
    )


def _load(body: bytes) -> object:
    try:
        # Four times as fast, and stricter: what it refuses is read the slow way.
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        pass
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        raise ValueError("not UTF-8") from None
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except ValueError:
        raise ValueError("not JSON") from None


def _refuse_constant(_name: str) -> object:
    raise ValueError("NaN and Infinity are not JSON")


def _canonical(value: object) -> bytes:
    try:
        return _encoder.encode(value)
    except (UnicodeEncodeError, ValueError, OverflowError):
        # Lone surrogates are no UTF-8; escaped they are still the same text.
        return json.dumps(value, ensure_ascii=True, sort_keys=True, separators=(",", ":")).encode("ascii")


def _object(parent: Mapping[str, object], key: str) -> Mapping[str, object]:
    value = parent.get(key)
    return value if isinstance(value, dict) else {}


def _text(parent: Mapping[str, object], key: str) -> str:
    value = parent.get(key)
    if not isinstance(value, str):
        return ""
    # Nearly all are so, and a dozen are read of each event.
    if len(value) <= MAX_TEXT and value.isascii() and "\x00" not in value:
        return value
    return _storable(value[:MAX_TEXT])


def _storable(text: str) -> str:
    if text.isascii() and "\x00" not in text:
        return text
    # A lone surrogate is legal JSON, and nothing that UTF-8 or SQL can hold; NUL is text that PostgreSQL refuses.
    return text.encode("utf-8", "replace").decode().replace("\x00", "\ufffd")


def _size(target: Mapping[str, object]) -> int:
    for key in ("size", "length"):
        value = target.get(key)
        if isinstance(value, int) and not isinstance(value, bool) and 0 < value < _INT64:
            return value
    return 0


def _milliseconds(text: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return 0
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    # Whole numbers only: a float loses milliseconds of far dates.
    delta = moment - _EPOCH
    found = delta.days * 86_400_000 + delta.seconds * 1_000 + delta.microseconds // 1_000
    return found if 0 < found <= _LAST_MS else 0


def _without_port(addr: str) -> str:
    if addr.startswith("["):
        return addr[1:].partition("]")[0]
    host, colon, port = addr.rpartition(":")
    return host if colon and ":" not in host and port.isdigit() else addr


def _action(said: str, method: str, *, tag: str, digest: str) -> Action:
    if said == "pull" and method == "HEAD":
        return Action.PROBE
    if said == "delete" and tag and not digest:
        return Action.UNTAG
    return Action(said) if said in {"push", "pull", "mount", "delete"} else Action.OTHER


def _kind(action: Action, *, media_type: str, tag: str, digest: str) -> Kind:
    match action:
        case Action.UNTAG:
            return Kind.TAG
        case Action.DELETE:
            # A deleted blob and a deleted manifest look the same; without either it was the whole repository.
            return Kind.UNKNOWN if digest else Kind.REPOSITORY
        case Action.OTHER:
            return Kind.UNKNOWN
        case _:
            return _content(media_type, tag)


def _content(media_type: str, tag: str) -> Kind:
    if media_type == _BLOB_TYPE:
        return Kind.BLOB
    if media_type in _INDEX_TYPES:
        return Kind.INDEX
    return Kind.MANIFEST if media_type or tag else Kind.UNKNOWN
