"""Explanations: the same decision, and every reason for it."""

from ipaddress import ip_address

from hypothesis import given, settings

from tests.wharfinger.policy.rules import OPTIONS, requests, rules
from wharfinger.policy import DOCKER_AUTH, Options, Policy, Request, RuleText, compile_acl
from wharfinger.policy.explain import MAX_SHOWN, Explanation, explain

ZOE = Request("zoe", "repository", "zoe/app", "s", None, ("pull", "push"), {"team": ("core", "web")})


def explained(*texts: RuleText, request: Request = ZOE, options: Options = DOCKER_AUTH) -> Explanation:
    """The explanation of one request."""
    policy = compile_acl(texts, options)
    assert isinstance(policy, Policy)
    return explain(policy, request)


@given(rules(), OPTIONS, requests())
@settings(max_examples=300, deadline=None)
def test_it_explains_what_is_decided(texts: list[RuleText], options: Options, request: Request) -> None:
    """Going through the rules one by one finds the rules that decide, and only these."""
    policy = compile_acl(texts, options)
    assert isinstance(policy, Policy)
    found = explain(policy, request)
    assert found.decision == policy.decide(request)
    matching = [rule.index for rule in policy.matching(request)]
    assert [one.index for one in found.matching()] == (matching if options.union else matching[:1])
    assert all(one.failed() and not any(tried.holds for tried in one.failed()) for one in found.passed_over())


def test_each_earlier_rule_says_why_it_did_not_match() -> None:
    """The first condition that does not hold, its pattern with everything put in, and the value."""
    found = explained(
        RuleText(line=3, account="yan", actions=("*",)),
        RuleText(line=6, name="${account}-*/*", actions=("*",), comment="own"),
        RuleText(line=9, labels={"team": "/^ops/"}, actions=("*",)),
        RuleText(line=12, ip="10.0.0.0/8", actions=("*",)),
        RuleText(line=15, name="${account}/*", actions=("pull",), comment="her own"),
        RuleText(line=18, actions=("*",)),
    )
    assert [
        (one.index, [(tried.field, tried.pattern, tried.became, tried.value) for tried in one.failed()])
        for one in found.passed_over()
    ] == [
        (1, [("account", "yan", "yan", "zoe")]),
        (2, [("name", "${account}-*/*", "zoe-*/*", "zoe/app")]),
        (3, [("labels.team", "/^ops/", "/^ops/", "core, web")]),
        (4, [("ip", "10.0.0.0/8", "10.0.0.0/8", "")]),
    ]
    assert (found.decision.index, found.decision.comment, found.decision.granted) == (5, "her own", ("pull",))
    (put,) = found.matching()[0].substitutions()
    assert (put.field, put.pattern, put.became) == ("name", "${account}/*", "zoe/*")
    assert found.why == "rule 5 (line 15) matches by name and allows pull; asked was pull, push"


def test_the_conditions_before_the_one_that_fails_are_shown() -> None:
    """What held is among what was tried, but is no reason."""
    (one,) = explained(RuleText(account="zoe", name="shop/*")).passed_over()
    assert [(tried.field, tried.holds) for tried in one.tried] == [("account", True), ("name", False)]
    assert [tried.field for tried in one.failed()] == ["name"]


def test_labels_and_groups_that_are_put_in() -> None:
    """Of the combinations, the one that holds is shown; when none does, each that was tried, up to a bound."""
    rule = RuleText(account="/^(z)oe$/", name="${labels:team}/${account:1}", actions=("*",))
    held = explained(rule, request=Request("zoe", "repository", "web/z", "s", None, ("pull",), ZOE.labels))
    assert [tried.became for tried in held.matching()[0].substitutions()] == ["web/z"]
    (failed,) = explained(rule).passed_over()
    assert [tried.became for tried in failed.failed()] == ["${labels:team}/z", "core/z", "web/z"]
    many = {"team": tuple(f"team{at}" for at in range(100))}
    (bounded,) = explained(rule, request=Request("zoe", "repository", "x", "s", None, ("pull",), many)).passed_over()
    assert len(bounded.failed()) == MAX_SHOWN
    last = explained(rule, request=Request("zoe", "repository", "team99/z", "s", None, ("pull",), many))
    assert [tried.became for tried in last.matching()[0].substitutions()] == ["team99/z"]


def test_lists_of_accounts() -> None:
    """Each account of the list is a reason; so is an empty list."""
    found = explained(RuleText(accounts=("yan", "ann")), RuleText(accounts=()), options=Options(account_lists=True))
    assert [[tried.pattern for tried in one.failed()] for one in found.passed_over()] == [["yan", "ann"], ["[]"]]


def test_union_shows_every_rule() -> None:
    """All that match, with what each adds, and why the others do not."""
    texts = [RuleText(line=1, account="zoe", actions=("pull",)), RuleText(line=2, account="yan"), RuleText(line=3, actions=())]
    found = explained(*texts, options=Options(union=True))
    assert [(one.index, one.adds) for one in found.matching()] == [(1, ("pull",)), (3, ())]
    assert [one.index for one in found.passed_over()] == [2]
    assert found.why == (
        "rule 1 (line 1) matches by account and allows pull; "
        "rule 3 (line 3) matches by having no conditions and allows nothing; asked was pull, push"
    )


def test_nothing_matches() -> None:
    """Who, on what, and how many rules there were."""
    found = explained(RuleText(account="yan"), request=Request("", "repository", "a", "s", ip_address("::1"), ()))
    assert found.why == "none of the 1 rules matches anonymous on repository:a"
    assert not found.decision.matched
    assert explained().examined == ()


def test_a_rule_without_a_line() -> None:
    """It has its number."""
    assert explained(RuleText(ip="::/0"), request=Request("", "repository", "a", "s", ip_address("::1"), ())).why == (
        "rule 1 matches by ip and allows nothing; asked was nothing"
    )
