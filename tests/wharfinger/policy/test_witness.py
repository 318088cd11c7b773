"""Witnesses: a request that a rule matches, as a client could send it."""

from ipaddress import ip_address

import pytest
from hypothesis import given, settings

from tests.wharfinger.policy.rules import OPTIONS, rules
from wharfinger.policy import Options, Policy, Request, RuleText, compile_acl
from wharfinger.policy.language import Languages
from wharfinger.policy.witness import REPOSITORY, witness

TEXT = RuleText
LANGUAGES = Languages()


def of(text: RuleText, account: str | None = None) -> Request | None:
    """The witness of a rule."""
    policy = compile_acl([text])
    assert isinstance(policy, Policy)
    return witness(policy.rules[0], LANGUAGES, account=account)


@given(rules(), OPTIONS)
@settings(max_examples=200, deadline=None)
def test_a_witness_is_matched(texts: list[RuleText], options: Options) -> None:
    """Whatever the rule: what is found is a request that it matches."""
    policy = compile_acl(texts, options)
    assert isinstance(policy, Policy)
    found = [(rule, witness(rule, Languages(double_star=options.double_star))) for rule in policy.rules]
    assert all(request is None or rule.matches(request) for rule, request in found)


@pytest.mark.parametrize(
    ("rule", "account", "name"),
    [
        (RuleText(), "", "some/repository"),
        (RuleText(account="zoe", name="shop/*"), "zoe", "shop/a"),
        (RuleText(account="/^ci-[0-9]+$/", name="/^(.+)/base$/"), "ci-0", "a/base"),
        (RuleText(account="zoe", name="${account}/*"), "zoe", "zoe/a"),
        (RuleText(account="/^(.+)@x$/", name="${account:1}/[b-c]?"), "a@x", "a/ba"),
        (RuleText(account="${name:1}", name="/^([a-z]+)/app$/"), "a", "a/app"),
        (RuleText(name="${labels:team}/*"), "", "label/a"),
        (RuleText(name="Shop/*"), "", "Shop/a"),
    ],
)
def test_it_is_short_and_plain(rule: RuleText, account: str, name: str) -> None:
    """Names are such as a repository can have, where the pattern allows it."""
    found = of(rule)
    assert found is not None
    assert (found.account, found.name) == (account, name)


def test_what_else_a_rule_asks_for() -> None:
    """Type, service, address and labels."""
    found = of(RuleText(type="registry", service="reg*", ip="10.0.0.0/8", labels={"g": "/^a+$/", "h": "x", "i": "*"}))
    assert found is not None
    assert (found.type, found.service, found.ip) == ("registry", "rega", ip_address("10.0.0.0"))
    assert dict(found.labels) == {"g": ("a",), "h": ("x",), "i": ("a",)}


@pytest.mark.parametrize(
    "rule", [RuleText(name="[bat"), RuleText(account="[c-a]"), RuleText(name="/(?i)shop/"), RuleText(labels={"g": "/a^b/"})]
)
def test_none(rule: RuleText) -> None:
    """No text meets the pattern, or none was found."""
    assert of(rule) is None


def test_for_a_given_account() -> None:
    """Somebody else's request, if the rule is for them at all."""
    own = of(RuleText(name="${account}/*"), account="zoe")
    assert own is not None
    assert own.name == "zoe/a"
    assert of(RuleText(account="yan"), account="zoe") is None


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("nginx", True), ("library/nginx", True), ("a.b_c__d---e/f", True), ("reg.example:5000/app", True), ("reg:5000/app", True),
        ("Reg.example/app", True), ("Shop/app", False), ("shop/", False), ("/shop", False), ("a//b", False), ("a..b", False), ("-a", False),
    ],
)  # fmt: skip
def test_names_of_repositories(name: str, *, expected: bool) -> None:
    """The grammar of distribution, a host only where it shows."""
    assert (LANGUAGES.find([REPOSITORY, f"/^{name.replace('.', '[.]')}$/"]) is not None) is expected
