"""The access list against docker_auth's own answers, and its hash, faults and warnings."""

import json
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from wharfinger.policy import CompileError, Policy, Request, RuleText, compile_acl

CASES = json.loads((Path(__file__).parents[2] / "samples/acl-cases.json").read_text())


def compiled(*rules: RuleText) -> Policy:
    """A list that has no fault."""
    policy = compile_acl(rules)
    assert isinstance(policy, Policy)
    return policy


def ask(name: str = "shop/cart", *, account: str = "zoe", actions: tuple[str, ...] = ("pull",), **more: Any) -> Request:
    """A request for one repository."""
    values = {"type": "repository", "service": "s", "ip": None} | more
    return Request(account=account, name=name, actions=actions, **values)


@pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
def test_the_answers_of_docker_auth(case: dict[str, Any]) -> None:
    """What the original decides, for every case that was run on it."""
    rules = [RuleText(**(entry.get("match", {}) | {"actions": tuple(entry["actions"])})) for entry in case["acl"]]
    policy = compile_acl(rules)
    if "load_error" in case["expect"]:
        assert isinstance(policy, CompileError)
        return
    assert isinstance(policy, Policy)
    asked = case["req"]
    decision = policy.decide(
        ask(
            asked.get("name", ""),
            account=asked.get("account", ""),
            actions=tuple(asked["actions"]),
            type=asked.get("type", "repository"),
            service=asked.get("service", "s"),
            ip=ip_address(asked["ip"]) if "ip" in asked else None,
            labels={name: tuple(values) for name, values in asked.get("labels", {}).items()},
        )
    )
    if "no_match" in case["expect"]:
        assert not decision.matched
    else:
        assert (decision.matched, list(decision.granted)) == (True, case["expect"]["actions"])


def test_every_fault_at_once() -> None:
    """All rules are read before any is refused, and each fault knows its line."""
    result = compile_acl([RuleText(line=3, ip="010.1.1.1", name="/(/"), RuleText(line=9, labels={"team": "/[/"})])
    assert isinstance(result, CompileError)
    assert [(fault.line, fault.field) for fault in result.faults] == [(3, "name"), (3, "ip"), (9, "labels.team")]


def test_a_glob_that_never_matches_is_a_warning() -> None:
    """docker_auth loads it, so do we; but the operator is told."""
    policy = compiled(RuleText(line=4, name="[bat", actions=("pull",)), RuleText(line=5, actions=("push",)))
    assert [(warning.line, warning.field) for warning in policy.warnings] == [(4, "name")]
    assert policy.decide(ask("bat", actions=("pull", "push"))).granted == ("push",)


def test_a_decision_says_why() -> None:
    """The deciding rule is named by number, line and condition; so is its absence."""
    policy = compiled(RuleText(line=7, account="zoe", actions=("pull",), comment="readers"))
    yes, no = policy.decide(ask()), policy.decide(ask(account=""))
    assert (yes.index, yes.line, yes.comment) == (1, 7, "readers")
    assert "rule 1 (line 7) matches by account" in yes.why
    assert (no.index, no.line, no.granted) == (None, None, ())
    assert "none of the 1 rules matches anonymous" in no.why


def test_the_hash_is_of_the_content() -> None:
    """Lines and comments do not change it; conditions, actions and order do."""
    one, two = RuleText(account="a", actions=("pull",)), RuleText(account="b", actions=("pull",))
    moved = RuleText(line=9, comment="c", account="a", actions=("pull",))
    assert compiled(one).hash == compiled(moved).hash
    assert len({compiled(one).hash, compiled(two).hash, compiled(one, two).hash, compiled(two, one).hash}) == 4


def test_a_label_placeholder_does_not_swallow_a_group() -> None:
    """Where docker_auth loses the group behind a label, the rule means what it says."""
    rule = RuleText(account="/^(.+)@x$/", name="${labels:proj}/${account:1}", actions=("*",))
    assert compiled(rule).decide(ask("web/ann", account="ann@x", labels={"proj": ("web",)})).matched


def test_addresses_and_labels_that_do_not_hold() -> None:
    """A block and a label each rule a request out."""
    policy = compiled(RuleText(ip="10.0.0.0/8", actions=("*",)), RuleText(labels={"team": "core"}, actions=("*",)))
    assert policy.decide(ask(ip=ip_address("10.9.9.9"))).index == 1
    assert not policy.decide(ask(ip=ip_address("11.9.9.9"))).matched
    assert policy.decide(ask(labels={"team": ("core",)})).index == 2


def test_a_group_of_a_field_without_a_regex_stays_text() -> None:
    """Out of range, or of a condition that is no regular expression: the placeholder is literal."""
    outside = RuleText(account="/^(.+)$/", name="${account:7}", actions=("*",))
    nowhere = RuleText(account="zoe", name="${account:1}", actions=("*",))
    assert not compiled(outside, nowhere).decide(ask("zoe")).matched


def test_a_regex_made_by_substitution_may_be_broken() -> None:
    """A value that makes an invalid pattern matches nothing, and is no error."""
    rule = RuleText(account="/^(.+)$/", name="/^${account:1}/", actions=("*",))
    assert not compiled(rule).decide(ask("(", account="(")).matched
