"""The access list against docker_auth's own answers; what is ours beside it; its hash and faults."""

import json
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from wharfinger.policy import CompileError, Options, Policy, Request, RuleText, compile_acl

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
    """All rules are read before any is refused, and each fault knows its place."""
    places = {"name": (4, 7)}
    result = compile_acl(
        [RuleText(line=3, ip="010.1.1.1", name="/(/", places=places), RuleText(line=9, labels={"team": "/[/"})]
    )
    assert isinstance(result, CompileError)
    found = [(fault.line, fault.column, fault.key) for fault in result.faults]
    assert found == [(4, 7, "acl[0].match.name"), (3, 0, "acl[0].match.ip"), (9, 0, "acl[1].match.labels.team")]


def test_a_glob_that_never_matches_is_loaded() -> None:
    """docker_auth loads it, so do we; lint tells the operator."""
    policy = compiled(RuleText(name="[bat", actions=("pull",)), RuleText(actions=("push",)))
    assert policy.decide(ask("bat", actions=("pull", "push"))).granted == ("push",)


def test_a_decision_names_its_rule() -> None:
    """By number, line and comment; so is the absence of one told."""
    policy = compiled(RuleText(line=7, account="zoe", actions=("pull",), comment="readers"))
    yes, no = policy.decide(ask()), policy.decide(ask(account=""))
    assert (yes.index, yes.line, yes.comment, yes.matched) == (1, 7, "readers", True)
    assert (no.index, no.line, no.granted, no.matched) == (None, None, (), False)


UNION = [
    # rules as (conditions, actions), what is asked, what is granted, the rule that is named
    ([({"account": "zoe"}, ["pull"]), ({"name": "shop/*"}, ["push"])], ["delete", "pull", "push"], ["pull", "push"], 1),
    ([({"account": "yan"}, ["pull"]), ({"name": "shop/*"}, ["push"])], ["pull", "push"], ["push"], 2),
    ([({}, []), ({"account": "zoe"}, ["pull"])], ["pull"], ["pull"], 2),
    ([({}, []), ({}, [])], ["pull"], [], 1),
    ([({}, ["pull"]), ({}, ["*"])], ["push", "pull", "pull"], ["push", "pull", "pull"], 1),
    ([({}, ["push"]), ({}, ["*"])], ["pull"], ["pull"], 2),
    ([({}, ["*", "pull"]), ({}, ["push"])], ["*", "pull", "push"], ["*", "pull", "push"], 1),
    ([({"account": "yan"}, ["*"])], ["pull"], [], None),
    ([], ["pull"], [], None),
]


@pytest.mark.parametrize(("rules", "asked", "granted", "index"), UNION)
def test_union(rules: list[tuple[dict[str, str], list[str]]], asked: list[str], granted: list[str], index: int | None) -> None:
    """Every rule that matches adds its actions; one that adds nothing denies nothing; only who meets none is denied."""
    texts = [RuleText(**conditions, actions=tuple(actions)) for conditions, actions in rules]
    policy = compile_acl(texts, Options(union=True))
    assert isinstance(policy, Policy)
    decision = policy.decide(ask(actions=tuple(asked)))
    assert (list(decision.granted), decision.index, decision.matched) == (granted, index, index is not None)


def test_lists_of_accounts_only_when_asked_for() -> None:
    """Any of them may match; without the option a list is a fault, as docker_auth could not read it."""
    rule = RuleText(accounts=("zoe", "/^ci-/", "${name}"), actions=("pull",))
    assert isinstance(compile_acl([rule]), CompileError)
    policy = compile_acl([rule], Options(account_lists=True))
    assert isinstance(policy, Policy)
    matched = [policy.decide(ask("own", account=account)).matched for account in ("zoe", "ci-7", "own", "yan", "")]
    assert matched == [True, True, True, False, False]


def test_a_group_of_a_list() -> None:
    """The regular expression of the list that occurs lends its groups."""
    rule = RuleText(accounts=("/^(.+)@x$/", "/^(.+)@y$/"), name="${account:1}/*", actions=("*",))
    policy = compile_acl([rule], Options(account_lists=True))
    assert isinstance(policy, Policy)
    assert policy.decide(ask("ann/app", account="ann@y")).matched
    assert not policy.decide(ask("bob/app", account="ann@y")).matched


def test_double_stars_only_when_asked_for() -> None:
    """In texts, in labels, and in what a label's value brings; never in what a request brings."""
    rules = [
        RuleText(name="team/**", actions=("a",)),
        RuleText(name="x", labels={"path": "p/**"}, actions=("b",)),
        RuleText(name="${labels:path}", actions=("c",)),
        RuleText(name="${account}/end", actions=("d",)),
    ]
    asked = [
        ask("team/a/b"),
        ask("x", labels={"path": ("p/q/r",)}),
        ask("own/a/b", labels={"path": ("own/**",)}),
        ask("any/thing/end", account="**"),
    ]
    with_stars = compile_acl(rules, Options(double_star=True))
    assert isinstance(with_stars, Policy)
    assert [compiled(*rules).decide(one).index for one in asked] == [None, None, None, None]
    assert [with_stars.decide(one).index for one in asked] == [1, 2, 3, None]


def test_the_hash_is_of_the_content() -> None:
    """Lines and comments do not change it; conditions, actions and order do."""
    one, two = RuleText(account="a", actions=("pull",)), RuleText(account="b", actions=("pull",))
    moved = RuleText(line=9, comment="c", account="a", actions=("pull",))
    assert compiled(one).hash == compiled(moved).hash
    assert len({compiled(one).hash, compiled(two).hash, compiled(one, two).hash, compiled(two, one).hash}) == 4


def test_the_hash_is_of_how_the_list_is_read() -> None:
    """What changes a decision changes it; that lists are allowed changes none where there is none, but a list does."""

    def hashed(options: Options, **conditions: Any) -> str:
        policy = compile_acl([RuleText(**conditions, actions=("pull",))], options)
        assert isinstance(policy, Policy)
        return policy.hash

    lists = Options(account_lists=True)
    assert hashed(lists, account="a") == hashed(Options(), account="a")
    different = [
        hashed(Options(), account="a"), hashed(Options(union=True), account="a"), hashed(Options(double_star=True), account="a"),
        hashed(Options(union=True, double_star=True), account="a"), hashed(lists, accounts=("a",)), hashed(lists, accounts=("a", "b")),
    ]  # fmt: skip
    assert len(set(different)) == len(different)


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
