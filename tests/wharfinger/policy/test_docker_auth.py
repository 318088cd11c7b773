"""More of docker_auth's semantics, rule by rule of what was seen of it: one request, its list, and the answer.

The cases that were run on the original itself are in acl-cases.json; these are of the same kind. None: no rule matches.
"""

from ipaddress import ip_address
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.wharfinger.policy.rules import OPTIONS
from wharfinger.policy import Options, Policy, Request, RuleText, compile_acl

Rules = list[tuple[dict[str, Any], list[str]]]
Asked = dict[str, Any]

ALL = ["*"]
TABLE: list[tuple[str, Rules, Asked, list[str] | None]] = [
    # order, and what an answer is
    ("later rules are not looked at", [({"account": "zoe"}, ["pull"]), ({"account": "zoe"}, ALL)], {"actions": ["pull", "push"]}, ["pull"]),
    ("an empty match is everybody", [({}, ["pull"])], {"account": ""}, ["pull"]),
    ("an empty grant is final", [({"name": "shop/*"}, []), ({}, ALL)], {}, []),
    ("an empty list denies", [], {}, None),
    ("all conditions of a rule", [({"account": "zoe", "type": "registry"}, ALL)], {}, None),
    ("the star alone keeps the request's order", [({}, ALL)], {"actions": ["push", "pull", "push"]}, ["push", "pull", "push"]),
    ("other actions are sorted, once each", [({}, ["push", "pull", "pull"])], {"actions": ["push", "pull", "pull"]}, ["pull", "push"]),
    ("the star beside others is one of them", [({}, ["pull", "*"])], {"actions": ["delete", "pull"]}, ["pull"]),
    ("two stars are not the star alone", [({}, ["*", "*"])], {"actions": ["pull"]}, []),
    ("an asked star is no wildcard", [({}, ["pull", "push"])], {"actions": ["*"]}, []),
    ("actions keep their letters", [({}, ["PULL"])], {"actions": ["pull"]}, []),
    ("nothing asked, nothing granted", [({}, ["pull"])], {"actions": []}, []),
    ("nothing asked of everything", [({}, ALL)], {"actions": []}, []),
    # globs
    ("a star stops at a slash", [({"name": "*"}, ALL)], {"name": "a/b"}, None),
    ("a star may be empty", [({"name": "a*"}, ALL)], {"name": "a"}, ["pull"]),
    ("a slash behind a star", [({"name": "*/*"}, ALL)], {"name": "/"}, ["pull"]),
    ("stars do not cross in the middle", [({"name": "a/*/c"}, ALL)], {"name": "a/b/x/c"}, None),
    ("a leading dot is nothing special", [({"name": "*"}, ALL)], {"name": ".hidden"}, ["pull"]),
    ("a question mark is one character", [({"name": "a?c"}, ALL)], {"name": "ac"}, None),
    ("a question mark is one rune", [({"account": "?"}, ALL)], {"account": "ü"}, ["pull"]),
    ("a class holds a slash", [({"name": "a[/]b"}, ALL)], {"name": "a/b"}, ["pull"]),
    ("a range of characters", [({"account": "ci-[0-9]"}, ALL)], {"account": "ci-7"}, ["pull"]),
    ("a negated range", [({"account": "ci-[^0-9]"}, ALL)], {"account": "ci-7"}, None),
    ("a bang is no negation", [({"account": "[!z]oe"}, ALL)], {"account": "zoe"}, ["pull"]),
    ("braces are themselves", [({"account": "{zoe,yan}"}, ALL)], {"account": "zoe"}, None),
    ("an escaped star is a star", [({"account": r"\*"}, ALL)], {"account": "*"}, ["pull"]),
    ("a class that is not closed", [({"account": "[z"}, ALL)], {"account": "[z"}, None),
    ("a backslash at the end", [({"account": "zoe\\"}, ALL)], {"account": "zoe\\"}, None),
    ("two stars are one", [({"name": "shop/**"}, ALL)], {"name": "shop/eu/cart"}, None),
    ("letters keep their case", [({"name": "Shop/*"}, ALL)], {}, None),
    ("a glob is the whole text", [({"account": "zo"}, ALL)], {}, None),
    # what is a regular expression
    ("two slashes are a glob", [({"account": "//"}, ALL)], {"account": ""}, None),
    ("two slashes match themselves", [({"account": "//"}, ALL)], {"account": "//"}, ["pull"]),
    ("a slash at one end is a glob", [({"account": "/zoe"}, ALL)], {"account": "zoe"}, None),
    ("a search is not anchored", [({"account": "/o/"}, ALL)], {}, ["pull"]),
    ("an anchored search", [({"account": "/^o/"}, ALL)], {}, None),
    ("an alternative is not anchored by its neighbours", [({"account": "/^yan|zo/"}, ALL)], {}, ["pull"]),
    ("the end is the end", [({"account": "/^zoe$/"}, ALL)], {"account": "zoe\n"}, None),
    ("a dot is no newline", [({"account": "/^a.c$/"}, ALL)], {"account": "a\nc"}, None),
    ("a dot with a flag is", [({"account": "/(?s)^a.c$/"}, ALL)], {"account": "a\nc"}, ["pull"]),
    ("letters of any case", [({"account": "/(?i)^ZOE$/"}, ALL)], {}, ["pull"]),
    ("digits are ASCII", [({"account": r"/^\d$/"}, ALL)], {"account": "٣"}, None),
    ("a POSIX class", [({"account": "/^[[:alpha:]]+$/"}, ALL)], {}, ["pull"]),
    ("a Unicode class", [({"account": r"/^\pL+$/"}, ALL)], {"account": "zoë"}, ["pull"]),
    ("a quoted stretch", [({"account": r"/^\Qa.b\E$/"}, ALL)], {"account": "axb"}, None),
    ("whoever logged in", [({"account": "/.+/"}, ALL)], {"account": ""}, None),
    ("a slash within", [({"name": "/^shop/.+$/"}, ALL)], {}, ["pull"]),
    ("a star is anonymous too", [({"account": "*"}, ALL)], {"account": ""}, ["pull"]),
    ("a star is no account with a slash", [({"account": "*"}, ALL)], {"account": "a/b"}, None),
    ("the empty account", [({"account": ""}, ALL)], {}, None),
    # what is put in
    ("the account, quoted in a glob", [({"name": "${account}/*"}, ALL)], {"account": "a.b*", "name": "a.b*/x"}, ["pull"]),
    ("a quoted star is a star", [({"name": "${account}/*"}, ALL)], {"account": "*", "name": "shop/x"}, None),
    ("a quoted class", [({"name": "${account}"}, ALL)], {"account": "[ab]", "name": "a"}, None),
    ("quoted in a regular expression", [({"name": "/^${account}$/"}, ALL)], {"account": "a.b", "name": "axb"}, None),
    ("nested names are not covered", [({"name": "${account}/*"}, ALL)], {"name": "zoe/a/b"}, None),
    ("the same text twice", [({"name": "${account}/${account}"}, ALL)], {"name": "zoe/zoe"}, ["pull"]),
    ("the name into the account", [({"account": "${name}"}, ALL)], {"name": "zoe"}, ["pull"]),
    ("the service into the name", [({"name": "${service}/*"}, ALL)], {"name": "s/x"}, ["pull"]),
    ("the type into the name", [({"name": "${type}"}, ALL)], {"name": "repository"}, ["pull"]),
    ("an unknown placeholder is text", [({"name": "${user}"}, ALL)], {"name": "${user}"}, ["pull"]),
    ("one pass only", [({"name": "${account}"}, ALL)], {"account": "${name}", "name": "x"}, None),
    ("slashes around a value make it a search", [({"name": "${account}"}, ALL)], {"account": "/oo/", "name": "food"}, ["pull"]),
    ("two values make one too", [({"name": "${account}${service}"}, ALL)], {"account": "/a", "service": "b/", "name": "xaby"}, ["pull"]),
    ("a placeholder in capitals is text", [({"name": "${Account}"}, ALL)], {"name": "zoe"}, None),
    # capture groups
    ("a group", [({"account": "/^(.+)@x$/", "name": "${account:1}/*"}, ALL)], {"account": "ann@x", "name": "ann/a"}, ["pull"]),
    ("two groups, the other way round", [({"account": "/^(.+)@(.+)$/", "name": "${account:2}/${account:1}"}, ALL)], {"account": "a@b", "name": "b/a"}, ["pull"]),
    ("a group is not quoted", [({"account": "/^(.+)@x$/", "name": "${account:1}"}, ALL)], {"account": "*@x", "name": "any"}, ["pull"]),
    ("nor in a regular expression", [({"account": "/^(.+)@x$/", "name": "/^${account:1}$/"}, ALL)], {"account": ".*@x", "name": "any"}, ["pull"]),
    ("a group that makes nonsense", [({"account": "/^(.+)@x$/", "name": "/^${account:1}$/"}, ALL)], {"account": "(@x", "name": "("}, None),
    ("a group that took no part is empty", [({"account": "/^z(a)?oe$/", "name": "${account:1}x"}, ALL)], {"name": "x"}, ["pull"]),
    ("group nought is text", [({"account": "/^zoe$/", "name": "${account:0}"}, ALL)], {"name": "zoe"}, None),
    ("a group too many is text", [({"account": "/^(z)oe$/", "name": "${account:2}"}, ALL)], {"name": "${account:2}"}, ["pull"]),
    ("a group of a glob is text", [({"account": "zoe", "name": "${account:1}"}, ALL)], {"name": "${account:1}"}, ["pull"]),
    ("a group of a field without condition", [({"name": "${account:1}"}, ALL)], {"name": "${account:1}"}, ["pull"]),
    ("with a capital", [({"account": "/^(.+)$/", "name": "${Account:1}"}, ALL)], {"name": "zoe"}, ["pull"]),
    ("not all in capitals", [({"account": "/^(.+)$/", "name": "${ACCOUNT:1}"}, ALL)], {"name": "zoe"}, None),
    ("of the name into the account", [({"name": "/^([^/]+)/.*$/", "account": "${name:1}"}, ALL)], {"name": "zoe/a/b"}, ["pull"]),
    ("of a regular expression as it stands", [({"name": "/^${account}-(.+)$/", "service": "${name:1}"}, ALL)], {"name": "zoe-s"}, None),
    ("of the service", [({"service": "/^(.).*$/", "name": "${service:1}"}, ALL)], {"service": "s9", "name": "s"}, ["pull"]),
    ("the address has none", [({"ip": "10.0.0.0/8", "name": "${ip:1}"}, ALL)], {"ip": "10.0.0.1", "name": "x"}, None),
    ("a group in labels alone is text", [({"account": "/^(.+)$/", "labels": {"g": "${account:1}"}}, ALL)], {"labels": {"g": ["zoe"]}}, None),
    ("with another text that names it", [({"account": "/^(.+)$/", "name": "${account:1}", "labels": {"g": "${account:1}"}}, ALL)], {"name": "zoe", "labels": {"g": ["zoe"]}}, ["pull"]),
    # labels
    ("some value of a label", [({"labels": {"g": "b"}}, ALL)], {"labels": {"g": ["a", "b"]}}, ["pull"]),
    ("no value of a label", [({"labels": {"g": "*"}}, ALL)], {"labels": {"g": []}}, None),
    ("a label that is not there", [({"labels": {"g": ""}}, ALL)], {}, None),
    ("an empty value", [({"labels": {"g": ""}}, ALL)], {"labels": {"g": [""]}}, ["pull"]),
    ("no labels asked", [({"labels": {}}, ALL)], {}, ["pull"]),
    ("every label", [({"labels": {"g": "a", "h": "b"}}, ALL)], {"labels": {"g": ["a"], "h": ["a"]}}, None),
    ("a regular expression on a label", [({"labels": {"g": "/^t/"}}, ALL)], {"labels": {"g": ["team"]}}, ["pull"]),
    ("the account into a label", [({"labels": {"owner": "${account}"}}, ALL)], {"labels": {"owner": ["zoe"]}}, ["pull"]),
    ("a label's name has its case", [({"labels": {"Team": "*"}}, ALL)], {"labels": {"team": ["a"]}}, None),
    ("a label into the name", [({"name": "${labels:g}/*"}, ALL)], {"name": "b/x", "labels": {"g": ["a", "b"]}}, ["pull"]),
    ("the same label twice is one value", [({"name": "${labels:g}/${labels:g}"}, ALL)], {"name": "a/b", "labels": {"g": ["a", "b"]}}, None),
    ("two labels are every pair", [({"name": "${labels:g}/${labels:h}"}, ALL)], {"name": "b/c", "labels": {"g": ["a", "b"], "h": ["c"]}}, ["pull"]),
    ("fields choose their values alone", [({"name": "${labels:g}", "service": "${labels:g}"}, ALL)], {"name": "a", "service": "b", "labels": {"g": ["a", "b"]}}, ["pull"]),
    ("one of two labels is missing", [({"name": "${labels:g}/${labels:h}"}, ALL)], {"name": "a/${labels:h}", "labels": {"g": ["a"]}}, ["pull"]),
    ("a label without values", [({"name": "${labels:g}"}, ALL)], {"name": "a", "labels": {"g": []}}, None),
    ("a label is a pattern", [({"name": "${labels:full}"}, ALL)], {"name": "attic/x", "labels": {"full": ["attic/*"]}}, ["pull"]),
    ("a label is a regular expression", [({"name": "${labels:full}"}, ALL)], {"name": "attic/x/y", "labels": {"full": ["/^attic/"]}}, ["pull"]),
    ("a dot of a label is any character", [({"name": "/^${labels:g}$/"}, ALL)], {"name": "axb", "labels": {"g": ["a.b"]}}, ["pull"]),
    ("a label into a label is text", [({"labels": {"g": "${labels:h}"}}, ALL)], {"labels": {"g": ["x"], "h": ["x"]}}, None),
    ("a label's value is looked at once", [({"name": "${labels:g}"}, ALL)], {"name": "zoe", "labels": {"g": ["${labels:g}"]}}, None),
    ("a label and a group", [({"account": "/^(.)oe$/", "name": "${labels:g}/${account:1}"}, ALL)], {"name": "a/z", "labels": {"g": ["a"]}}, ["pull"]),
    # addresses
    ("one address", [({"ip": "10.1.2.3"}, ALL)], {"ip": "10.1.2.3"}, ["pull"]),
    ("a block with host bits", [({"ip": "192.168.7.9/16"}, ALL)], {"ip": "192.168.200.1"}, ["pull"]),
    ("outside of the block", [({"ip": "192.168.0.0/16"}, ALL)], {"ip": "192.169.0.1"}, None),
    ("a mapped block", [({"ip": "::ffff:10.0.0.0/104"}, ALL)], {"ip": "10.9.9.9"}, ["pull"]),
    ("a mapped address", [({"ip": "10.0.0.0/8"}, ALL)], {"ip": "::ffff:10.9.9.9"}, ["pull"]),
    ("families do not cross", [({"ip": "::/0"}, ALL)], {"ip": "10.9.9.9"}, None),
    ("nor the other way", [({"ip": "0.0.0.0/0"}, ALL)], {"ip": "2001:db8::1"}, None),
    ("no address", [({"ip": "0.0.0.0/0"}, ALL)], {}, None),
    ("an IPv6 block", [({"ip": "2001:db8::/32"}, ALL)], {"ip": "2001:db8:7::1"}, ["pull"]),
    # the other fields
    ("the catalog needs the star", [({"type": "registry", "name": "catalog"}, ["pull"])], {"type": "registry", "name": "catalog", "actions": ["*"]}, []),
    ("and has it", [({"type": "registry", "name": "catalog"}, ALL)], {"type": "registry", "name": "catalog", "actions": ["*"]}, ["*"]),
    ("a name with a host and a port", [({"name": "/^registry:5000/"}, ALL)], {"name": "registry:5000/app"}, ["pull"]),
    ("a service", [({"service": "registry.*"}, ALL)], {"service": "registry.example"}, ["pull"]),
    ("another service", [({"service": "registry.*"}, ALL)], {"service": "notary"}, None),
    ("no service", [({"service": ""}, ALL)], {"service": ""}, ["pull"]),
]  # fmt: skip


def request(asked: Asked) -> Request:
    """A request, zoe's for shop/cart unless it says otherwise."""
    values = {"account": "zoe", "type": "repository", "name": "shop/cart", "service": "s", "actions": ["pull"]} | asked
    return Request(
        account=values["account"],
        type=values["type"],
        name=values["name"],
        service=values["service"],
        ip=ip_address(values["ip"]) if "ip" in values else None,
        actions=tuple(values["actions"]),
        labels={name: tuple(given) for name, given in values.get("labels", {}).items()},
    )


@pytest.mark.parametrize(("rules", "asked", "expected"), [case[1:] for case in TABLE], ids=[case[0] for case in TABLE])
def test_its_semantics(rules: Rules, asked: Asked, expected: list[str] | None) -> None:
    """What it decides, or that nothing matches."""
    policy = compile_acl([RuleText(**conditions, actions=tuple(actions)) for conditions, actions in rules])
    assert isinstance(policy, Policy)
    decision = policy.decide(request(asked))
    assert (list(decision.granted) if decision.matched else None) == expected


HOSTILE = (
    st.text(max_size=40)
    | st.text(alphabet="(){}[]*+?\\^$|/.:ab\ud800", max_size=40)
    | st.sampled_from(["(a+)+$" * 20, "a" * 1_000, "/(((/", "x{1000}" * 30])
)
LABELS = st.dictionaries(st.sampled_from(["g", "h"]), st.lists(HOSTILE, max_size=3).map(tuple), max_size=2)
TRUSTING = [
    RuleText(account="/^(.*)(.*)$/", name="${account:1}", service="/${account:2}/", actions=("a",)),
    RuleText(name="/^(.+)$/", account="/${name:1}/", actions=("b",)),
    RuleText(name="${labels:g}/${labels:h}", actions=("c",)),
    RuleText(name="/${labels:g}${labels:h}/", labels={"g": "${account}"}, actions=("d",)),
    RuleText(name="${account}${service}${type}", actions=("e",)),
    RuleText(account="/(a|aa)+$/", name="/^(([a-z])+.)+[A-Z]([a-z])+$/", actions=("f",)),
]


@given(st.builds(Request, HOSTILE, st.just("repository"), HOSTILE, HOSTILE, st.none(), st.just(("a", "b")), LABELS), OPTIONS)
@settings(max_examples=300, deadline=None)
def test_no_request_raises_or_hangs(asked: Request, options: Options) -> None:
    """Whatever a client sends, and whatever its labels are: rules that trust every bit of it answer."""
    policy = compile_acl(TRUSTING, options)
    assert isinstance(policy, Policy)
    decision = policy.decide(asked)
    assert decision.matched is any(rule.matches(asked) for rule in policy.rules)
    assert set(decision.granted) <= {"a", "b"}


def test_many_labels_are_tried_up_to_a_bound() -> None:
    """Combinations that would take for ever are cut off, which denies."""
    many = {name: tuple(f"{name}{at}" for at in range(200)) for name in ("g", "h", "i", "j")}
    policy = compile_acl([RuleText(name="${labels:g}${labels:h}${labels:i}${labels:j}", actions=("*",))])
    assert isinstance(policy, Policy)
    assert policy.decide(request({"name": "g0h0i0j9", "labels": many})).matched
    assert not policy.decide(request({"name": "g199h199i199j199", "labels": many})).matched
