"""The index leaves out only what does not match: shown against going through the rules one by one."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.wharfinger.policy.rules import OPTIONS, requests, rules
from wharfinger.policy import DOCKER_AUTH, Options, Policy, Request, RuleText, compile_acl
from wharfinger.policy.index import Index, certain


def compiled(texts: list[RuleText], options: Options = DOCKER_AUTH) -> Policy:
    """A list without faults."""
    policy = compile_acl(texts, options)
    assert isinstance(policy, Policy)
    return policy


@given(rules(), OPTIONS, st.lists(requests(), min_size=1, max_size=4))
@settings(max_examples=300, deadline=None)
def test_as_one_by_one(texts: list[RuleText], options: Options, asked: list[Request]) -> None:
    """With the index exactly those rules match that match without it, in the same order."""
    policy = compiled(texts, options)
    for request in asked:
        assert list(policy.matching(request)) == [rule for rule in policy.rules if rule.matches(request)]


@given(rules(), st.lists(requests(), min_size=1, max_size=4))
@settings(max_examples=100, deadline=None)
def test_without_memory(texts: list[RuleText], asked: list[Request]) -> None:
    """Where the automaton cannot be made, each pattern is asked, and the answer is the same."""
    policy = compiled(texts, Options(account_lists=True))
    for request in asked:
        assert Index(policy.rules, max_memory=1).left_by(request) == policy.index.left_by(request)


@pytest.mark.parametrize(("numbers", "expected"), [([2, 7, 0], [2, 0]), ([7], []), ([2], None), ([], None), (None, None)])
def test_an_answer_without_what_is_always_there_is_none(numbers: list[int] | None, expected: list[int] | None) -> None:
    """An automaton that ran out of memory finds nothing, not even what every text has: that is not believed."""
    assert certain(numbers, 7) == expected


def test_a_text_that_is_none() -> None:
    """A lone surrogate is met by the literal alone that it is."""
    policy = compiled([RuleText(account="/.*/"), RuleText(account="\ud800"), RuleText(account="*"), RuleText(name="x")])
    request = Request("\ud800", "repository", "y", "s", None, ())
    assert [rule.index for rule in policy.matching(request)] == [2]


def test_many_rules_are_told_apart() -> None:
    """Of a thousand, those of one account are found, whatever patterns they have."""
    texts = [RuleText(account=f"/^team{at}-[a-z]+$/", name=f"team{at}/*") for at in range(500)]
    texts += [RuleText(account=f"team{at}-bob", name="shared") for at in range(500)]
    policy = compiled(texts)
    found = {
        name: policy.index.left_by(Request("team7-bob", "repository", name, "s", None, ()))
        for name in ("team7/app", "shared", "x")
    }
    assert found == {"team7/app": 1 << 7, "shared": 1 << 507, "x": 0}
