"""Which deliveries a push brings."""

from dataclasses import replace

import pytest

from wharfinger.ledger.record import AuditRecord, Personal, RecordKind
from wharfinger.ledger.values import DeliveryState
from wharfinger.runtime.settings import DeploySettings, Match, Require, Rule
from wharfinger.wire.event import Action, Kind, RegistryEvent
from wharfinger.wire.issuance import Credential, Issuance
from wharfinger.wire.names import Account, Digest, EventId, Jti, Repository
from workers.decide.attribution import Attribution, Reason, Verdict
from workers.decide.rules import (
    CompiledRule,
    compile_rules,
    deliveries,
    delivery_id,
    push_in_trail,
    push_of,
    starts_deployments,
)

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
    return Rule(name, Match(repository, tag), Require.EXACT, targets, 1)


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


def test_a_weaker_tie_is_taken_when_the_rule_asks() -> None:
    """Then the delivery waits; the same push is refused by the others."""
    rules = compile_rules(
        DeploySettings((rule("shop", None, None, "prod"), replace(rule("any", None, None, "hook"), require=Require.INFERRED)))
    )
    found = deliveries(rules, source="main", event=EVENT, attribution=Attribution(Verdict.INFERRED), key=KEY)
    assert [(one.rule, one.state) for one in found] == [("shop", DeliveryState.REFUSED), ("any", DeliveryState.WAITING)]


@pytest.mark.parametrize(("account", "state"), [("zoe", DeliveryState.WAITING), ("yan", DeliveryState.REFUSED)])
def test_who_may_push(account: str, state: DeliveryState) -> None:
    """Somebody else's push matches, and is refused: it is told."""
    compiled = [CompiledRule(replace(rule("web", None, None, "prod"), pushers=("zoe",)))]
    attribution = Attribution(Verdict.EXACT, account=Account(account))
    (found,) = deliveries(compiled, source="main", event=EVENT, attribution=attribution, key=KEY)
    assert found.state is state
    assert found.reason == ("" if account == "zoe" else "pushed by yan, who is none of the rule's pushers")


@pytest.mark.parametrize(
    ("cooldown_s", "debounce_s", "expected"),
    [
        (0.0, 0.0, (DeliveryState.WAITING, "", 0)),
        (0.0, 2.0, (DeliveryState.HELD, "debounce", 2_000)),
        (60.0, 2.0, (DeliveryState.HELD, "cooldown", 60_000)),
    ],
)
def test_what_is_certain_to_wait(cooldown_s: float, debounce_s: float, expected: tuple[DeliveryState, str, int]) -> None:
    """Is not even looked at before."""
    compiled = [CompiledRule(replace(rule("web", None, None, "prod"), cooldown_s=cooldown_s, debounce_s=debounce_s))]
    (found,) = deliveries(compiled, source="main", event=EVENT, attribution=EXACT, key=KEY)
    assert (found.state, found.reason, found.wait_ms) == expected


def test_why_it_matched() -> None:
    """Each condition says so; a rule without any takes everything."""
    found = deliveries(RULES, source="main", event=EVENT, attribution=EXACT, key=KEY)
    assert [[(line.guard, line.said.value, line.why) for line in one.decisions] for one in found[1:]] == [
        [("match", "go", "repository shop/cart matches shop/*; tag v1 matches v*")],
        [("match", "go", "the rule takes every push")],
    ]


def test_which_credential_it_was() -> None:
    """As the token's record has it; unknown without one."""
    issuance = Issuance(
        jti=Jti("j" * 26), account=Account("zoe"), credential=Credential(kind="static", id="c1"), authenticated_by="basic", client_addr="", issued_at=1,
        not_before=1, expires_at=2,
    )  # fmt: skip
    assert push_of("main", EVENT, replace(EXACT, issuance=issuance)).credential == "static/c1"
    assert push_of("main", EVENT, EXACT).credential == ""


@pytest.mark.parametrize(("erased", "pusher"), [(False, "zoe"), (True, None)])
def test_a_push_of_the_trail(erased: bool, pusher: str | None) -> None:  # noqa: FBT001 - a column
    """Says what it said when it was settled; whom it told of before that was erased is nobody now, not the anonymous client."""
    record = AuditRecord(
        kind=RecordKind.EVENT, recorded_at=1, source="main", repository="shop/cart", tag="v1", digest="sha256:ab", media_type="m",
        verdict="exact", credential_kind="static", credential_id="c1", personal=Personal(account="" if erased else "zoe"),
    )  # fmt: skip
    found = push_in_trail(record, erased=erased)
    assert (found.source, found.repository, found.tag, found.digest) == ("main", "shop/cart", "v1", "sha256:ab")
    assert (found.media_type, found.credential, found.pusher) == ("m", "static/c1", pusher)


def test_what_is_not_accounted_for_is_refused() -> None:
    """The delivery is there, refused with its reason, so that it can be told why nothing was deployed."""
    lost = Attribution(Verdict.UNATTRIBUTED, Reason.RECORD_LOST)
    found = deliveries(RULES, source="main", event=EVENT, attribution=lost, key=KEY)
    assert {(one.state, one.reason) for one in found} == {
        (DeliveryState.REFUSED, "the push is not tied to a token: unattributed/record_lost")
    }
