"""Shadowed rules: only what is certain is told, shown against every request that can be made."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.wharfinger.policy.rules import OPTIONS, requests, rules
from wharfinger.policy import Options, Policy, Request, RuleText, compile_acl
from wharfinger.policy.language import Languages
from wharfinger.policy.shadowing import shadows

LISTS = Options(account_lists=True)


def found(*texts: RuleText, options: Options = LISTS, accounts: list[str] | None = None) -> dict[int, int]:
    """For each shadowed rule, which one shadows it."""
    policy = compile_acl(texts, options)
    assert isinstance(policy, Policy)
    languages = Languages(double_star=options.double_star)
    return {index: earlier.index for index, earlier in shadows(policy, languages, accounts).items()}


SHADOWED = [
    ({}, {"account": "zoe"}),
    ({"account": "/.+/"}, {"account": "zoe"}),
    ({"account": "zoe"}, {"account": "zoe", "name": "a"}),
    ({"name": "shop/*"}, {"name": "shop/[a-c]*"}),
    ({"name": "shop/*"}, {"name": "shop/cart", "type": "repository"}),
    ({"name": "/^shop/"}, {"name": "shop/*"}),
    ({"name": "/.*/"}, {}),
    ({"name": "${account}/*"}, {"name": "${account}/*", "account": "zoe"}),
    ({"account": "/^(.+)@x$/", "name": "${account:1}/*"}, {"account": "/^(.+)@x$/", "name": "${account:1}/*", "ip": "::1"}),
    ({"ip": "10.0.0.0/8"}, {"ip": "10.1.0.0/16"}),
    ({"ip": "10.0.0.0/8"}, {"ip": "10.1.2.3", "account": "zoe"}),
    ({"labels": {"g": "*"}}, {"labels": {"g": "core", "h": "x"}}),
    ({"labels": {"g": "${account}"}}, {"labels": {"g": "${account}"}, "name": "a"}),
    ({"accounts": ("zoe", "y*")}, {"accounts": ("yan", "zoe")}),
    ({"accounts": ("zoe", "/^ci-/")}, {"account": "ci-*"}),
    ({"account": "zoe"}, {"accounts": ()}),
]


@pytest.mark.parametrize(("earlier", "later"), SHADOWED)
def test_shadowed(earlier: dict[str, object], later: dict[str, object]) -> None:
    """Every request of the later rule is one of the earlier's."""
    texts = [RuleText(**earlier, actions=("pull",)), RuleText(**later, actions=("push",))]  # type: ignore[arg-type]  # of its fields
    assert found(*texts) == {2: 1}


NOT_SHADOWED = [
    ({"account": "zoe"}, {}),
    ({"account": "*"}, {"account": "/.+/"}),  # a/b
    ({"name": "*"}, {"type": "repository"}),
    ({"name": "shop/[a-c]*"}, {"name": "shop/*"}),
    ({"name": "${account}/*"}, {"name": "zoe/*", "account": "zoe"}),
    ({"account": "/^(.+)@x$/", "name": "${account:1}/*"}, {"account": "/^(.+)@(x)$/", "name": "${account:1}/*"}),
    ({"account": "/(?i)^zoe$/"}, {"account": "/^zoe$/"}),
    ({"ip": "10.0.0.0/8"}, {"ip": "11.0.0.0/8"}),
    ({"ip": "10.0.0.0/8"}, {"ip": "8.0.0.0/6"}),
    ({"ip": "0.0.0.0/0"}, {"ip": "::/0"}),
    ({"ip": "10.0.0.0/8"}, {}),
    ({"ip": "::/0"}, {"ip": "10.0.0.0/8", "account": "/(?i)zoe/"}),
    ({"labels": {"g": "core"}}, {"labels": {"g": "*"}}),
    ({"labels": {"g": "core"}}, {}),
    ({"labels": {"g": "${account}"}}, {"labels": {"g": "zoe"}, "account": "zoe"}),
    (
        {"account": "/^(.+)$/", "name": "${account:1}", "labels": {"g": "${account:1}"}},
        {"account": "/^(.+)$/", "name": "${account:1}", "labels": {"g": "${account:1}"}},
    ),
    ({"accounts": ("zoe", "yan")}, {"account": "/^.*$/"}),
    ({"accounts": ()}, {"account": "zoe"}),
    ({"name": "[bat"}, {"name": "bat"}),
]


@pytest.mark.parametrize(("earlier", "later"), NOT_SHADOWED)
def test_not_shadowed(earlier: dict[str, object], later: dict[str, object]) -> None:
    """Something is left to the later rule, or it cannot be told."""
    texts = [RuleText(**earlier, actions=("pull",)), RuleText(**later, actions=("push",))]  # type: ignore[arg-type]  # of its fields
    assert found(*texts) == {}


def test_with_every_account_known() -> None:
    """What is left to nobody who can come is left to nobody."""
    texts = [RuleText(account="*"), RuleText(account="/.+/"), RuleText(name="a")]
    assert found(*texts) == {}
    assert found(*texts, accounts=["zoe", ""]) == {2: 1, 3: 1}
    assert found(RuleText(account="/.+/"), RuleText(account="*"), accounts=["zoe"]) == {2: 1}
    assert found(RuleText(account="/.+/"), RuleText(account="*"), accounts=["zoe", ""]) == {}


def test_union() -> None:
    """A rule adds nothing where an earlier one allows as much."""
    wide, narrow = RuleText(actions=("pull", "push")), RuleText(account="zoe", actions=("pull",))
    everything, more = RuleText(actions=("*",)), RuleText(account="zoe", actions=("delete",))
    assert found(wide, narrow, options=Options(union=True)) == {2: 1}
    assert found(wide, more, options=Options(union=True)) == {}
    assert found(everything, more, options=Options(union=True)) == {2: 1}
    assert found(narrow, wide, options=Options(union=True)) == {}


def test_the_first_that_shadows_is_named() -> None:
    """Of several, the earliest."""
    assert found(RuleText(name="a"), RuleText(account="zoe"), RuleText(), RuleText(account="zoe", name="b")) == {4: 2}


def test_what_is_past_the_bound_is_not_found() -> None:
    """A list that nobody would write by hand does not keep everything waiting."""
    policy = compile_acl([RuleText(), RuleText(account="zoe"), RuleText(account="yan")])
    assert isinstance(policy, Policy)
    assert set(shadows(policy, Languages(), max_pairs=1)) == {2}


@given(rules(), OPTIONS, st.lists(requests(), min_size=1, max_size=12), st.booleans())
@settings(max_examples=200, deadline=None)
def test_only_what_is_certain(texts: list[RuleText], options: Options, asked: list[Request], known: bool) -> None:  # noqa: FBT001 - hypothesis gives it so
    """No request that a shadowed rule matches is passed over by the rule that shadows it."""
    policy = compile_acl(texts, options)
    assert isinstance(policy, Policy)
    accounts = sorted({request.account for request in asked}) if known else None
    for index, earlier in shadows(policy, Languages(double_star=options.double_star), accounts).items():
        later = policy.rules[index - 1]
        assert all(earlier.matches(request) for request in asked if later.matches(request))
