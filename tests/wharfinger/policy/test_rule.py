"""A rule alone: what it matches and allows, and where its faults are."""

from ipaddress import ip_address

import pytest

from wharfinger.policy import Fault, Policy, Request, RuleText, compile_acl
from wharfinger.policy.rule import Rule

REQUEST = Request("zoe", "repository", "shop/cart", "s", ip_address("10.1.2.3"), ("pull",), {"team": ("core",)})


def rule(**conditions: object) -> Rule:
    """The only rule of a list."""
    policy = compile_acl([RuleText(**conditions)])  # type: ignore[arg-type]  # of its fields
    assert isinstance(policy, Policy)
    return policy.rules[0]


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ({}, True),
        ({"account": "zoe", "name": "shop/*", "type": "repository", "service": "s"}, True),
        ({"account": "zoe", "name": "shop"}, False),
        ({"ip": "10.0.0.0/8"}, True),
        ({"ip": "11.0.0.0/8", "account": "zoe"}, False),
        ({"labels": {"team": "c*"}}, True),
        ({"labels": {"team": "c*", "tier": "*"}}, False),
        ({"account": "/^(.)oe$/", "labels": {"team": "core"}, "name": "/^shop/"}, True),
    ],
)
def test_every_condition_must_hold(conditions: dict[str, object], *, expected: bool) -> None:
    """Texts, address and labels, all of them."""
    assert rule(**conditions).matches(REQUEST) is expected


@pytest.mark.parametrize(
    ("actions", "asked", "granted"),
    [
        (("*",), ("push", "pull", "pull"), ("push", "pull", "pull")),
        (("push", "pull"), ("pull", "pull", "push"), ("pull", "push")),
        (("*", "pull"), ("push", "pull"), ("pull",)),
        (("*", "pull"), ("*",), ("*",)),
        ((), ("pull",), ()),
        (("Pull",), ("pull",), ()),
    ],
)
def test_what_it_allows(actions: tuple[str, ...], asked: tuple[str, ...], granted: tuple[str, ...]) -> None:
    """The star alone gives what was asked as it was asked; anything else what is in both, sorted."""
    assert rule(actions=actions).grants(asked) == granted


@pytest.mark.parametrize(
    ("conditions", "account", "expected"),
    [
        ({}, "zoe", True),
        ({"account": "zoe"}, "yan", False),
        ({"account": "${name}"}, "yan", True),
        ({"account": "z*"}, "zoe", True),
    ],
)
def test_whom_it_may_be_for(conditions: dict[str, object], account: str, *, expected: bool) -> None:
    """What depends on the rest of the request may always be."""
    assert rule(**conditions).may_be_for(account) is expected


def test_faults_know_the_place_of_their_condition() -> None:
    """A label's stands where the labels do; what has no place of its own, at the rule."""
    one = rule(line=7, name="a", places={"name": (8, 5), "labels": (9, 5)})
    assert one.fault("match.name", "p", "r") == Fault(8, 5, "acl[0].match.name", "p", "r")
    assert one.fault("match.labels.team", "p", "r").line == 9
    assert (one.fault("actions", "p", "r").line, one.fault("actions", "p", "r").column) == (7, 0)


def test_its_name() -> None:
    """By number and line, where there is one."""
    assert (str(rule(line=7)), str(rule())) == ("rule 1 (line 7)", "rule 1")
