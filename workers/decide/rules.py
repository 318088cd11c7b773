"""Decides which deliveries a push brings: tagged manifests only, one for each rule's target. Sends nothing.

The delivery's id follows from the push, the rule and the target, so settling the same push again brings the same delivery. It
is kept for ever, and what the push said of a person may be erased: so its hash goes into the id by a key, without which no
guess at it can be tried.
"""

import hashlib
import hmac
from collections.abc import Sequence
from typing import Final

from wharfinger.ledger.record import event_key
from wharfinger.ledger.values import ALARM_RULE, DeliveryState, NewDelivery
from wharfinger.policy.glob import Glob
from wharfinger.runtime.settings import DeploySettings, Rule
from wharfinger.wire.event import Action, Kind, RegistryEvent
from wharfinger.wire.jti import ALPHABET
from wharfinger.wire.names import DeliveryId
from workers.decide.attribution import Attribution, Verdict

_ID_LETTERS: Final = ALPHABET.replace("-", "").replace("_", "")
_ID_LENGTH: Final = 26


class CompiledRule:
    """A rule with its globs ready. Raises ValueError for a glob that cannot be read (``check`` says so before)."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self._repository = None if rule.match.repository is None else Glob(rule.match.repository)
        self._tag = None if rule.match.tag is None else Glob(rule.match.tag)

    def matches(self, event: RegistryEvent) -> bool:
        """Whether repository and tag meet the rule."""
        repository_fits = self._repository is None or self._repository.matches(event.repository)
        return repository_fits and (self._tag is None or self._tag.matches(event.tag))


def compile_rules(deploy: DeploySettings) -> tuple[CompiledRule, ...]:
    """The rules in their order."""
    return tuple(CompiledRule(rule) for rule in deploy.rules)


def starts_deployments(event: RegistryEvent) -> bool:
    """Whether an event can start a deployment: a tagged manifest's push. Children, blobs and probes cannot."""
    return bool(event.action is Action.PUSH and event.kind in {Kind.MANIFEST, Kind.INDEX} and event.tag and event.digest)


def deliveries(
    rules: Sequence[CompiledRule], *, source: str, event: RegistryEvent, attribution: Attribution, key: bytes
) -> tuple[NewDelivery, ...]:
    """The deliveries of one event.

    Returns:
        one for each target of each matching rule, waiting; refused from the start, with the reason, if the push is not
        accounted for as the rule requires, so that ``trace`` can tell why nothing was deployed.
    """
    if not starts_deployments(event):
        return ()
    state, reason = DeliveryState.WAITING, ""
    if attribution.verdict is not Verdict.EXACT:
        state = DeliveryState.REFUSED
        reason = "the push is not tied to a token: " + "/".join(filter(None, (attribution.verdict, attribution.reason)))
    triggers = {
        (compiled.rule.name, target): None for compiled in rules if compiled.matches(event) for target in compiled.rule.targets
    }
    return tuple(
        NewDelivery(delivery_id(key, source, event, rule, target), rule, target, state, reason) for rule, target in triggers
    )


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
