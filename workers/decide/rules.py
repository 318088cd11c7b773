"""Decides which deliveries a push brings: tagged manifests only, one for each rule's target. Sends nothing.

The delivery's id follows from the push, the rule and the target, so settling the same push again brings the same delivery. It
is kept for ever, and what the push said of a person may be erased: so its hash goes into the id by a key, without which no
guess at it can be tried.
"""

import hashlib
import hmac
from collections.abc import Sequence
from typing import Final

from wharfinger.ledger.record import AuditRecord, event_key
from wharfinger.ledger.values import ALARM_RULE, Decision, DeliveryState, NewDelivery, Said
from wharfinger.runtime.settings import DeploySettings, Rule
from wharfinger.wire.event import Action, Kind, RegistryEvent
from wharfinger.wire.jti import ALPHABET
from wharfinger.wire.names import DeliveryId
from workers.decide.attribution import Attribution
from workers.decide.matching import Matcher, Push, any_of, good_enough
from workers.decide.times import span

_ID_LETTERS: Final = ALPHABET.replace("-", "").replace("_", "")
_ID_LENGTH: Final = 26


class CompiledRule:
    """A rule with its patterns ready. Raises MalformedPattern for one that cannot be read (``check`` says so before)."""

    __slots__ = ("_pushers", "matcher", "rule")

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.matcher = Matcher(rule.match)
        self._pushers = any_of(rule.pushers)

    def pusher_problem(self, pusher: str | None) -> str:
        """Why a push of somebody is not to be deployed; empty when it may be. None: nobody is known to have pushed."""
        if not self.rule.pushers:
            return ""
        if pusher is None:
            return "nobody is known to have pushed it, and the rule names its pushers"
        return "" if self._pushers(pusher) else f"pushed by {pusher}, who is none of the rule's pushers"


def compile_rules(deploy: DeploySettings) -> tuple[CompiledRule, ...]:
    """The rules in their order."""
    return tuple(CompiledRule(rule) for rule in deploy.rules)


def starts_deployments(event: RegistryEvent) -> bool:
    """Whether an event can start a deployment: a tagged manifest's push. Children, blobs and probes cannot."""
    return bool(event.action is Action.PUSH and event.kind in {Kind.MANIFEST, Kind.INDEX} and event.tag and event.digest)


def push_of(source: str, event: RegistryEvent, attribution: Attribution) -> Push:
    """What rules look at of an event."""
    credential = None if attribution.issuance is None else attribution.issuance.credential
    return Push(
        source=source,
        repository=event.repository,
        tag=event.tag,
        digest=event.digest,
        media_type=event.media_type,
        verdict=attribution.verdict.value,
        account=attribution.account,
        credential="" if credential is None else f"{credential.kind}/{credential.id}",
    )


def push_in_trail(record: AuditRecord, *, erased: bool) -> Push:
    """The same of a push that was settled before. ``erased``: what told of a person is gone from it."""
    return Push(
        source=record.source,
        repository=record.repository,
        tag=record.tag,
        digest=record.digest,
        media_type=record.media_type,
        verdict=record.verdict,
        account=None if erased else record.personal.account,
        credential=f"{record.credential_kind}/{record.credential_id}" if record.credential_kind else "",
    )


def deliveries(
    rules: Sequence[CompiledRule], *, source: str, event: RegistryEvent, attribution: Attribution, key: bytes
) -> tuple[NewDelivery, ...]:
    """The deliveries of one event.

    Returns:
        one for each target of each matching rule: waiting; held as long as the rule lets any wait; or refused from the start,
        with the reason, if a guard that needs to see nothing else says no, so that ``why`` can tell.
    """
    if not rules or not starts_deployments(event):
        return ()
    push = push_of(source, event, attribution)
    found: dict[tuple[str, str], NewDelivery] = {}
    for compiled in rules:
        if not compiled.matcher.matches(push):
            continue
        conditions = compiled.matcher.conditions(push)
        matched = Decision("match", Said.GO, "; ".join(one.why for one in conditions) or "the rule takes every push")
        tie = "/".join(filter(None, (attribution.verdict, attribution.reason)))
        state, reason, wait_ms, decisions = beginning(compiled, push, tie)
        for target in compiled.rule.targets:
            ident = delivery_id(key, source, event, compiled.rule.name, target)
            found[compiled.rule.name, target] = NewDelivery(
                ident, compiled.rule.name, target, state, reason, wait_ms, (matched, *decisions)
            )
    return tuple(found.values())


def beginning(compiled: CompiledRule, push: Push, tie: str) -> tuple[DeliveryState, str, int, tuple[Decision, ...]]:
    """How a push's delivery begins: state, reason, milliseconds to wait, what was said. ``tie``: how the push's is called."""
    rule = compiled.rule
    if not good_enough(push.verdict, rule.require):
        why = f"the push is not tied to a token: {tie}"
        return DeliveryState.REFUSED, why, 0, (Decision("attribution", Said.STOP, why),)
    problem = compiled.pusher_problem(push.pusher)
    if problem:
        return DeliveryState.REFUSED, problem, 0, (Decision("pusher", Said.STOP, problem),)
    # What is certain to wait is not even looked at before.
    guard, wait_s = max((("cooldown", rule.cooldown_s), ("debounce", rule.debounce_s)), key=lambda one: one[1])
    if wait_s:
        return DeliveryState.HELD, guard, int(wait_s * 1_000), (Decision(guard, Said.WAIT, f"{span(wait_s)} from the push on"),)
    return DeliveryState.WAITING, "", 0, ()


def alarm_deliveries(targets: Sequence[str], *, source: str, event: RegistryEvent, key: bytes) -> tuple[NewDelivery, ...]:
    """The deliveries that an alarm about an event brings: one for each target that wants to hear of them."""
    return tuple(NewDelivery(delivery_id(key, source, event, ALARM_RULE, target), ALARM_RULE, target) for target in targets)


def delivery_id(key: bytes, source: str, event: RegistryEvent, rule: str, target: str) -> DeliveryId:
    """The delivery's id, for one event, rule and target."""
    blinded = hmac.digest(key, b"delivery" + event.sha256.encode(), hashlib.sha256).hex()
    return id_of(event_key(source, event.event_id).hex(), blinded, rule, target)


def id_of(*parts: str) -> DeliveryId:
    """A delivery's id of what makes it one: ``dlv_`` and 26 letters or digits, 154 bits of a hash."""
    number = int.from_bytes(hashlib.sha256("\x00".join(parts).encode()).digest())
    letters = []
    for _ in range(_ID_LENGTH):
        number, at = divmod(number, len(_ID_LETTERS))
        letters.append(_ID_LETTERS[at])
    return DeliveryId("dlv_" + "".join(letters))
