"""Decides what a batch of stream entries becomes in the ledger: values in, ledger entries out. Looks nothing up."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final, assert_never

from wharfinger.ledger.issued import scope_texts, to_record
from wharfinger.ledger.raw import pack_raw
from wharfinger.ledger.record import AuditRecord, Personal, RecordKind, canonical_json
from wharfinger.ledger.values import ALARM_RULE, Entry, NewDelivery
from wharfinger.wire.event import Malformed, RegistryEvent
from wharfinger.wire.issuance import Issuance, Refusal
from wharfinger.wire.jti import JtiKeys, Proof, verify
from wharfinger.wire.names import Account, Jti
from wharfinger.wire.notification import Notification
from wharfinger.wire.subject import TokenSubject, parse_subject
from workers.decide.attribution import VIOLATIONS, Attribution, Reason, attribute
from workers.decide.inference import Candidates, infer
from workers.decide.rules import CompiledRule, alarm_deliveries, deliveries, id_of

_METHODS: Final = frozenset({"GET", "HEAD", "PUT", "POST", "PATCH", "DELETE"})
"""What a registry says of a method; anything else stands in the raw event alone."""
NO_CANDIDATES: Final[Mapping[Account, Sequence[Issuance]]] = MappingProxyType({})
MAX_RAW: Final = 64 * 1024
"""Bytes, compressed, of an event that the ledger keeps whole; of a bigger one it keeps the hash."""

TOO_LARGE: Final = "too_large"
"""Why a notification over every size is an alarm."""

LATE_RECORD_MS: Final = 10_000
"""A token service that could give tokens without Redis sends their records on when it is back; an event may be quicker.

It looks twice a second, gives up a try after two, and is started again within five if it was killed.
"""


@dataclass(frozen=True, slots=True)
class Heard:
    """One event with the envelope it came in."""

    notification: Notification
    event: RegistryEvent


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Something in a stream that is no record or no event; it is kept as a quarantine record.

    ``alarm``: why it is one; empty for what a registry may send by a mistake of its own.
    """

    problem: str
    source: str
    peer: str
    received_at: int
    size: int
    sha256: str
    raw: bytes
    alarm: str = ""


Reading = Heard | Unreadable | Issuance | Refusal


def hear(
    notification: Notification, body: bytes, events: Sequence[RegistryEvent | Malformed]
) -> tuple[Heard | Unreadable, ...]:
    """The readings of one notification's events; a body that says nothing gives none."""
    readings: list[Heard | Unreadable] = []
    for event in events:
        if isinstance(event, Malformed):
            readings.append(unreadable(notification, event.problem, event.raw or body, _kept(event.raw)))
        else:
            readings.append(Heard(notification, event))
    return tuple(readings)


def unreadable(notification: Notification, problem: str, content: bytes, raw: bytes = b"") -> Unreadable:
    """A quarantine reading of one notification, or of a part of it."""
    return Unreadable(
        problem=problem,
        source=notification.source,
        peer=notification.peer,
        received_at=notification.received_at,
        size=len(content) or notification.size,
        sha256=hashlib.sha256(content).hexdigest() if content else notification.sha256,
        raw=raw,
    )


def mistaken(notification: Notification, body: bytes, kind: str) -> Unreadable:
    """A quarantine reading of a whole notification that we failed on, with its body, for whoever mends that."""
    return unreadable(notification, f"a mistake of ours: {kind}", body, _kept(body))


def too_large(notification: Notification) -> Unreadable:
    """The reading of a body that was not kept. No registry sends such: somebody else has its secret."""
    return replace(unreadable(notification, "larger than any registry's notification", b""), alarm=TOO_LARGE)


def heard_just_now(heard: Heard, *, now_ms: int) -> bool:
    """Whether an event came within LATE_RECORD_MS, by a clock that may differ from this one."""
    return abs(now_ms - heard.notification.received_at) < LATE_RECORD_MS


@dataclass(frozen=True, slots=True)
class Planner:
    """What deciding needs to know for as long as a worker runs."""

    keys: JtiKeys
    rules: tuple[CompiledRule, ...]
    alarm_targets: tuple[str, ...] = ()
    infers: bool = False
    """Tokens carry plain subjects: what names no token is inferred."""
    ids_since_ms: int | None = None
    """From then on every token has an id: an event without one is an alarm."""

    def plan(
        self,
        readings: Sequence[Reading],
        issuances: Mapping[Jti, Issuance],
        candidates: Mapping[Account, Sequence[Issuance]] = NO_CANDIDATES,
        *,
        now_ms: int,
    ) -> list[Entry]:
        """The ledger's entries for a batch, in its order.

        Args:
            readings: what the batch holds.
            issuances: the records of the token ids that its events name, as far as they were found.
            candidates: recent issuances of the accounts that its events name without a token id.
            now_ms: milliseconds since the epoch.
        """
        known = Known(issuances, Candidates(candidates))
        return [self._entry(reading, known, now_ms) for reading in readings]

    def lacks_record(self, heard: Heard, issuances: Mapping[Jti, Issuance]) -> bool:
        """Whether an event names a token of ours, authentic, whose record was not found."""
        subject = parse_subject(heard.event.unverified_actor)
        if not isinstance(subject, TokenSubject) or subject.unverified_jti in issuances:
            return False
        proof = verify(self.keys, unverified_jti=subject.unverified_jti, account=subject.unverified_account)
        return proof is Proof.AUTHENTIC

    def _entry(self, reading: Reading, known: "Known", now_ms: int) -> Entry:
        match reading:
            case Heard():
                return self._event(reading, known, now_ms)
            case Issuance():
                return Entry(to_record(reading, now_ms=now_ms), issuance=reading)
            case Refusal():
                return Entry(_refusal_record(reading, now_ms))
            case Unreadable():
                return Entry(
                    _quarantine_record(reading, now_ms),
                    raw=reading.raw,
                    alarm=reading.alarm,
                    on_alarm=self._alarm_about(reading) if reading.alarm else (),
                )
            case _ as never:
                assert_never(never)

    def _event(self, heard: Heard, known: "Known", now_ms: int) -> Entry:
        event, source = heard.event, heard.notification.source
        attribution, key = self._attribute(heard, known), self.keys.keys[0]
        record = _event_record(heard, attribution, now_ms)
        return Entry(
            record,
            raw=_kept(event.raw, record),
            deliveries=deliveries(self.rules, source=source, event=event, attribution=attribution, key=key),
            alarm=self._alarm(event, attribution),
            on_alarm=alarm_deliveries(self.alarm_targets, source=source, event=event, key=key),
        )

    def _alarm_about(self, reading: Unreadable) -> tuple[NewDelivery, ...]:
        # Not by its hash, which must not outlive the record's erasure.
        about = (reading.alarm, reading.source, str(reading.received_at), str(reading.size))
        return tuple(NewDelivery(id_of(*about, target), ALARM_RULE, target) for target in self.alarm_targets)

    def _attribute(self, heard: Heard, known: "Known") -> Attribution:
        event = heard.event
        subject = parse_subject(event.unverified_actor)
        if isinstance(subject, TokenSubject):
            issuance = known.issuances.get(subject.unverified_jti)
            proof = known.proof(self.keys, event.unverified_actor, subject)
            return attribute(event, issuance, proof, received_ms=heard.notification.received_at)
        if self.infers:
            return infer(event, known.candidates.for_event(event))
        return attribute(event, None, Proof.MALFORMED, received_ms=heard.notification.received_at)

    def _alarm(self, event: RegistryEvent, attribution: Attribution) -> str:
        if attribution.verdict in VIOLATIONS:
            return attribution.verdict.value
        late = self.ids_since_ms is not None and event.occurred_at > self.ids_since_ms
        return attribution.reason.value if late and attribution.reason is Reason.NO_ID else ""


@dataclass(frozen=True, slots=True)
class Known:
    """What was found about a batch's tokens and accounts."""

    issuances: Mapping[Jti, Issuance]
    candidates: Candidates
    proofs: dict[str, Proof] = field(default_factory=dict)
    """By subject: a token's events come together."""

    def proof(self, keys: JtiKeys, actor: str, subject: TokenSubject) -> Proof:
        """What the id of a subject says of itself."""
        found = self.proofs.get(actor)
        if found is None:
            found = verify(keys, unverified_jti=subject.unverified_jti, account=subject.unverified_account)
            self.proofs[actor] = found
        return found


def accounts_to_infer(readings: Sequence[Reading]) -> frozenset[Account]:
    """The accounts that a batch's events name without a token."""
    actors = [reading.event.unverified_actor for reading in readings if isinstance(reading, Heard)]
    return frozenset(Account(actor) for actor in actors if not isinstance(parse_subject(actor), TokenSubject))


def with_new(candidates: Mapping[Account, Sequence[Issuance]], readings: Sequence[Reading]) -> dict[Account, list[Issuance]]:
    """The candidates that were found, and those that come in the same batch."""
    found = {account: list(issuances) for account, issuances in candidates.items()}
    for reading in readings:
        if isinstance(reading, Issuance):
            found.setdefault(reading.account, []).append(reading)
    return found


def _kept(raw: bytes, record: AuditRecord | None = None) -> bytes:
    compressed = pack_raw(raw, record)
    return compressed if len(compressed) <= MAX_RAW else b""


def _event_record(heard: Heard, attribution: Attribution, now_ms: int) -> AuditRecord:
    event, issuance = heard.event, attribution.issuance
    said = {"missing": attribution.missing, "candidates": list(attribution.candidates)}
    detail = {name: value for name, value in said.items() if value}
    return AuditRecord(
        kind=RecordKind.EVENT,
        recorded_at=now_ms,
        occurred_at=event.occurred_at or heard.notification.received_at,
        source=heard.notification.source,
        event_id=event.event_id,
        event_sha=event.sha256,
        action=event.action.value,
        object_kind=event.kind.value,
        repository=event.repository,
        from_repository=event.from_repository,
        tag=event.tag,
        digest=event.digest,
        media_type=event.media_type,
        size=event.size,
        method=event.method if event.method in _METHODS else "",
        request_id=event.request_id,
        instance_id=event.instance_id,
        registry_host=event.registry_host,
        verdict=attribution.verdict.value,
        reason=attribution.reason.value,
        flags=" ".join(sorted(attribution.flags)),
        jti=attribution.jti or "",
        credential_kind=issuance.credential.kind if issuance else "",
        credential_id=issuance.credential.id if issuance else "",
        detail=canonical_json(detail).decode() if detail else "",
        personal=Personal(
            account=attribution.account[:1_024],
            actor=event.unverified_actor[:1_024],
            client_addr=event.client_addr,
            user_agent=event.user_agent,
            raw_sha256=event.sha256,
        ),
    )


def _refusal_record(refusal: Refusal, now_ms: int) -> AuditRecord:
    detail = {
        "account_hash": refusal.account_hash,
        "service": refusal.service,
        "asked": scope_texts(refusal.asked),
        "count": refusal.count,
        "since": refusal.since,
        "until": refusal.until,
    }
    return AuditRecord(
        kind=RecordKind.REFUSAL,
        recorded_at=now_ms,
        occurred_at=refusal.since * 1_000,
        event_id=refusal.id,
        action="refuse",
        reason=refusal.reason,
        detail=canonical_json({name: value for name, value in detail.items() if value}).decode(),
        personal=Personal(
            account=refusal.account,
            client_addr=refusal.client_addr or refusal.network,
            user_agent=refusal.user_agent,
        ),
    )


def _quarantine_record(reading: Unreadable, now_ms: int) -> AuditRecord:
    return AuditRecord(
        kind=RecordKind.QUARANTINE,
        recorded_at=now_ms,
        occurred_at=reading.received_at,
        source=reading.source,
        # A registry repeats a notification byte for byte until it is taken: the content is the identity. But only as long as
        # it is kept: an id made of the content would outlive it, and whoever guesses the content could see that he is right.
        event_sha=reading.sha256,
        size=reading.size,
        reason=reading.problem,
        personal=Personal(client_addr=reading.peer, raw_sha256=reading.sha256),
    )
