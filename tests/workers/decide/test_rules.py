"""Which deliveries a push brings."""

from dataclasses import replace

import pytest

from wharfinger.ledger.values import DeliveryState
from wharfinger.runtime.settings import DeploySettings, Match, Rule
from wharfinger.wire.event import Action, Kind, RegistryEvent
from wharfinger.wire.names import Digest, EventId, Repository
from workers.decide.attribution import Attribution, Reason, Verdict
from workers.decide.rules import compile_rules, deliveries, delivery_id, starts_deployments

EVENT = RegistryEvent(
    event_id=EventId("e1"), sha256="ab", occurred_at=1, action=Action.PUSH, action_said="push", kind=Kind.MANIFEST,
    repository=Repository("shop/cart"), from_repository=Repository(""), tag="v1", digest=Digest("sha256:ab"), media_type="m", size=1,
    unverified_actor="", actor_is_text=True, method="PUT", request_id="", client_addr="", user_agent="", registry_host="",
    instance_id="", raw=b"",
)  # fmt: skip
EXACT = Attribution(Verdict.EXACT)
KEY = b"k" * 32


def rule(name: str, repository: str | None, tag: str | None, *targets: str) -> Rule:
    """A rule of the configuration."""
    return Rule(name, Match(repository, tag), "exact", targets, 1)


RULES = compile_rules(
    DeploySettings(
        (
            rule("shop", "shop/*", "v*", "prod", "hook"),
            rule("all", None, None, "hook", "hook"),
            rule("dev", "shop/*", "dev", "x"),
        )
    )
)


def test_one_for_each_target_of_each_matching_rule() -> None:
    """A target named twice in a rule is told once."""
    found = deliveries(RULES, source="main", event=EVENT, attribution=EXACT, key=KEY)
    assert [(one.rule, one.target, one.state) for one in found] == [
        ("shop", "prod", DeliveryState.WAITING),
        ("shop", "hook", DeliveryState.WAITING),
        ("all", "hook", DeliveryState.WAITING),
    ]


def test_ids_follow_from_the_push() -> None:
    """The same push brings the same ids; another push, rule or target another, of letters and digits only."""
    first = delivery_id(KEY, "main", EVENT, "shop", "prod")
    others = [
        delivery_id(KEY, "edge", EVENT, "shop", "prod"),
        delivery_id(KEY, "main", replace(EVENT, sha256="cd"), "shop", "prod"),
        delivery_id(KEY, "main", EVENT, "all", "prod"),
        delivery_id(KEY, "main", EVENT, "shop", "hook"),
    ]
    assert first == delivery_id(KEY, "main", EVENT, "shop", "prod")
    # Without the key nobody can see whether a push that he guesses was that one.
    others.append(delivery_id(b"another key", "main", EVENT, "shop", "prod"))
    assert len({first, *others}) == 6
    assert first.startswith("dlv_")
    assert first.removeprefix("dlv_").isalnum()


@pytest.mark.parametrize(
    "change",
    [
        {"action": Action.PULL},
        {"action": Action.PROBE},
        {"kind": Kind.BLOB},
        {"tag": ""},
        {"digest": ""},
        {"action": Action.MOUNT},
    ],
)
def test_what_starts_nothing(change: dict[str, object]) -> None:
    """Reads, blobs, and children pushed by digest."""
    event = replace(EVENT, **change)  # type: ignore[arg-type]  # a column of the table
    assert not starts_deployments(event)
    assert deliveries(RULES, source="main", event=event, attribution=EXACT, key=KEY) == ()


def test_what_is_not_accounted_for_is_refused() -> None:
    """The delivery is there, refused with its reason, so that it can be told why nothing was deployed."""
    lost = Attribution(Verdict.UNATTRIBUTED, Reason.RECORD_LOST)
    found = deliveries(RULES, source="main", event=EVENT, attribution=lost, key=KEY)
    assert {(one.state, one.reason) for one in found} == {
        (DeliveryState.REFUSED, "the push is not tied to a token: unattributed/record_lost")
    }
