"""Doubtful placeholders: those in which nothing is put, and those whose value can act as a pattern."""

from collections.abc import Mapping

import pytest

from wharfinger.policy import Options, Policy, RuleText, compile_acl
from wharfinger.policy.lint_placeholders import acting_as_patterns, empty_placeholders
from wharfinger.policy.rule import Rule


def rule(**conditions: object) -> Rule:
    """One rule."""
    policy = compile_acl([RuleText(**conditions)], Options(account_lists=True))  # type: ignore[arg-type]  # of its fields
    assert isinstance(policy, Policy)
    return policy.rules[0]


def empty(**conditions: object) -> list[tuple[str, str]]:
    """Keys and problems."""
    return [(fault.key.removeprefix("acl[0].match."), fault.problem) for fault in empty_placeholders(rule(**conditions))]


EMPTY = [
    ({"name": "${account:1}"}, "name", "${account:1} stays as it stands: this rule has no /regex/ on account"),
    ({"account": "zoe", "name": "${account:1}"}, "name", "${account:1} stays as it stands: this rule has no /regex/ on account"),
    ({"account": "/^(.)(.)/", "name": "${account:3}"}, "name", "${account:3} stays as it stands: the /regex/ on account has 2 groups"),
    ({"account": "/^(.)/", "name": "${account:0}"}, "name", "${account:0} stays as it stands: the /regex/ on account has 1 groups"),
    ({"name": "${ip:1}"}, "name", "${ip:1} stays as it stands: there is no ip to take it from"),
    ({"name": "${acount}/*"}, "name", "${acount} is no placeholder, and stays as it stands"),
    ({"name": "${user}/*"}, "name", "${user} is no placeholder, and stays as it stands"),
    ({"labels": {"g": "${acount}"}}, "labels.g", "${acount} is no placeholder, and stays as it stands"),
    ({"name": "${name}"}, "name", "${name} on itself holds for nearly every request"),
    ({"account": "/^(.)/", "labels": {"g": "${account:1}"}}, "labels.g", "${account:1} is not put in here"),
    ({"labels": {"g": "${labels:h}"}}, "labels.g", "${labels:h} is not put in here: labels are put into the other conditions only"),
]  # fmt: skip


@pytest.mark.parametrize(("conditions", "key", "problem"), EMPTY)
def test_nothing_is_put_in(conditions: dict[str, object], key: str, problem: str) -> None:
    """What looks like a placeholder and stays text; and one that asks nothing."""
    assert empty(**conditions) == [(key, problem)]


def test_a_remedy_for_a_slip() -> None:
    """The name that was likely meant; else all there are."""
    remedies = [fault.remedy for fault in empty_placeholders(rule(name="${acount}", service="${who}"))]
    assert remedies == ["did you mean ${account}?", "there are ${account}, ${type}, ${name}, ${service}, ${labels:NAME}"]


FILLED: list[dict[str, object]] = [
    {"name": "${account}/${type}/${service}"},
    {"account": "/^(.)(.)$/", "name": "${account:2}", "labels": {"g": "${account:2}"}},
    {"accounts": ("/^(.)@x$/", "/^(.)@(y)$/"), "name": "${account:2}"},
    {"name": "${labels:team}/*", "labels": {"owner": "${account}"}},
    {"name": "a$b{c}"},
]


@pytest.mark.parametrize("conditions", FILLED)
def test_something_is_put_in(conditions: dict[str, object]) -> None:
    """Placeholders that work, and what only looks a little like one."""
    assert empty(**conditions) == []


Users = Mapping[str, Mapping[str, tuple[str, ...]]]


def acting(users: Users | None, **conditions: object) -> list[str]:
    """Problems."""
    return [fault.problem for fault in acting_as_patterns(rule(**conditions), users)]


GROUPS: list[tuple[dict[str, object], list[str]]] = [
    ({"account": "/^(.+)@x$/", "name": "${account:1}/*"}, ["${account:1} acts as a pattern here: the /regex/ on account lets * ? [ \\ through"]),
    ({"account": "/^([^?*]+)@x$/", "name": "${account:1}/*"}, ["${account:1} acts as a pattern here: the /regex/ on account lets [ \\ through"]),
    ({"account": "/^([a-z.]+)@x$/", "name": "/^${account:1}$/"}, ["${account:1} acts as a pattern here: the /regex/ on account lets . through"]),
    ({"account": "/^([a-z/]+)@x$/", "name": "${account:1}"}, ["${account:1} acts as a pattern here: the /regex/ on account lets / through"]),
    ({"account": "/(?i)^([a-z]+)@x$/", "name": "${account:1}/*"}, ["${account:1} acts as a pattern here: the /regex/ on account lets * ? [ \\ through"]),
    ({"name": "/^(.+)/app$/", "account": "${name:1}*"}, ["${name:1} acts as a pattern here: the /regex/ on name lets * ? [ \\ through"]),
    ({"account": "/^(.+)$/", "name": "/^${account:1}/", "labels": {"g": "${account:1}"}}, ["${account:1} acts as a pattern here: the /regex/ on account lets $ ( ) * + . ? [ \\ ] ^ { | } through", "${account:1} acts as a pattern here: the /regex/ on account lets * / ? [ \\ through"]),
    ({"accounts": ("zoe", "/^([a-z]+)@x$/", "/^([*])@y$/"), "name": "${account:1}/*"}, ["${account:1} acts as a pattern here: the /regex/ on account lets * through"]),
    ({"account": "/^([a-z0-9-]+)@x$/", "name": "${account:1}/*"}, []),
    ({"account": "/^([a-z.]+)@x$/", "name": "${account:1}/*"}, []),
    ({"account": "/^([a-z]+)@x$/", "name": "/^${account:1}/"}, []),
    ({"account": "/^(.+)$/", "name": "${account:2}"}, []),
    ({"account": "zoe", "name": "${account:1}"}, []),
    ({"name": "${ip:1}"}, []),
]  # fmt: skip


@pytest.mark.parametrize(("conditions", "expected"), GROUPS)
def test_groups(conditions: dict[str, object], expected: list[str]) -> None:
    """What the regular expression lets through decides: signs of a glob, of a regular expression, slashes around the whole."""
    assert acting(None, **conditions) == expected


def test_groups_of_known_accounts() -> None:
    """When every account is known, those are looked at that there are."""
    conditions = {"account": "/^(.+)@x$/", "name": "${account:1}/*"}
    assert acting({"ann@x": {}, "zoe*": {}}, **conditions) == []
    assert acting({"a*@x": {}}, **conditions) == ["${account:1} of a*@x, 'a*', acts as a pattern here"]
    lists = {"accounts": ("zoe", "/^(a.*)$/", "/^(.)(.+)@x$/"), "name": "${account:2}/*"}
    assert acting({"a*@x": {}, "b*@x": {}, "c": {}}, **lists) == ["${account:2} of b*@x, '*', acts as a pattern here"]


def test_labels() -> None:
    """Values of known users are looked at; what others give is not known."""
    users: Users = {"ann": {"team": ("web", "attic/*")}, "": {"team": ("?",)}, "zoe": {"other": ("*",)}}
    assert acting(users, name="${labels:team}/x") == [
        "${labels:team} of ann, 'attic/*', acts as a pattern here",
        "${labels:team} of anonymous, '?', acts as a pattern here",
    ]
    assert acting({"ann": {"team": ("a.b",)}}, name="${labels:team}/x") == []
    assert acting({"ann": {"team": ("a.b",)}}, name="/^${labels:team}$/") == [
        "${labels:team} of ann, 'a.b', acts as a pattern here"
    ]
    assert acting(None, name="${labels:team}/x") == [
        "${labels:team} acts as a pattern when its value has one of * ? [ \\, and others than this file give it"
    ]


WHOLE: list[tuple[Users | None, dict[str, object], list[str]]] = [
    (None, {"name": "${account}"}, ["${account}"]),
    (None, {"name": "${account}/${service}"}, ["${account}/${service}"]),
    ({"/a/": {}}, {"name": "${account}"}, ["${account}"]),
    ({"zoe": {}}, {"account": "${name}"}, ["${name}"]),
    ({"zoe": {}}, {"name": "${account}"}, []),
    (None, {"name": "${type}-${account}"}, []),
    (None, {"name": "${account}/*"}, []),
    (None, {"name": "/^${account}$/"}, []),
    (None, {"name": "${name}"}, []),
]


@pytest.mark.parametrize(("users", "conditions", "expected"), WHOLE)
def test_values_that_make_a_regular_expression(users: Users | None, conditions: dict[str, object], expected: list[str]) -> None:
    """A pattern that is nothing but values becomes a search when they bring slashes."""
    problem = " becomes a regular expression, searched for anywhere, when its value stands between slashes"
    assert acting(users, **conditions) == [text + problem for text in expected]
