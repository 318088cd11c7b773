"""Doubtful patterns: each trap is found, and what is sound is left alone."""

import pytest

from wharfinger.policy import Options, Policy, RuleText, compile_acl
from wharfinger.policy.language import Languages
from wharfinger.policy.lint_patterns import doubtful_patterns


def found(*, nested: bool = False, double_star: bool = False, **conditions: object) -> list[tuple[str, str, str]]:
    """Keys, problems and remedies of one rule."""
    rule = RuleText(actions=("pull",), **conditions)  # type: ignore[arg-type]  # of its fields
    policy = compile_acl([rule], Options(double_star=double_star, account_lists=True))
    assert isinstance(policy, Policy)
    faults = doubtful_patterns(policy.rules[0], Languages(double_star=double_star), nested=nested)
    return [(fault.key.removeprefix("acl[0].match."), fault.problem, fault.remedy) for fault in faults]


CORRECT = "correct the pattern, or remove the rule"
NEVER = [
    ({"name": "[bat"}, "name", "'[bat' never matches: a class, opened by [, is not closed", CORRECT),
    ({"account": "zoe\\"}, "account", "'zoe\\\\' never matches: its last character is a backslash, which escapes nothing", CORRECT),
    ({"account": "[c-a]"}, "account", "'[c-a]' never matches: there is no text that would", CORRECT),
    ({"account": "/a^b/"}, "account", "'/a^b/' never matches: there is no text that would", CORRECT),
    ({"labels": {"g": "[a-]"}}, "labels.g", "'[a-]' never matches: a class holds ] where a character must stand; write \\]", CORRECT),
    ({"name": "Shop/*"}, "name", "'Shop/*' never matches: no repository can have such a name", "names are of small letters: shop/*"),
    ({"name": "/shop"}, "name", "'/shop' never matches: no repository can have such a name", "leave the slash out: shop; a regular expression stands between two"),
    ({"name": "shop//cart"}, "name", "'shop//cart' never matches: no repository can have such a name", "names are like team/app: small letters, digits, and . _ - between them"),
    ({"name": "//"}, "name", "'//' never matches: no repository can have such a name", "leave the slash out: ; a regular expression stands between two"),
    ({"name": "{web,api}/*"}, "name", "'{web,api}/*' never matches: no repository can have such a name", "a glob has no {a,b}: write a rule for each, or /^(a|b)$/"),
    ({"name": "^shop/.+$"}, "name", "'^shop/.+$' never matches: no repository can have such a name", "a regular expression stands between slashes: /^shop/.+$/"),
    ({"name": "/^/shop/"}, "name", "'/^/shop/' never matches: no repository can have such a name", "names are like team/app: small letters, digits, and . _ - between them"),
    ({"name": "Shop/*", "type": "repository"}, "name", "'Shop/*' never matches: no repository can have such a name", "names are of small letters: shop/*"),
    ({"name": "shop/*", "type": "registry"}, "name", "'shop/*' never matches: of type registry there is only catalog", "write catalog"),
    ({"type": "Repository"}, "type", "'Repository' never matches: a type is small letters and digits", "write repository or registry"),
    ({"accounts": ()}, "account", "is an empty list, in which nobody is", "name accounts, or remove the rule"),
]  # fmt: skip


@pytest.mark.parametrize(("conditions", "key", "problem", "remedy"), NEVER)
def test_never_matching(conditions: dict[str, object], key: str, problem: str, remedy: str) -> None:
    """What no request can meet, and nothing else of it."""
    assert found(**conditions) == [(key, problem, remedy)]


SLASHES = "leave name out to cover every repository, or ask for policy: {double_star: true} and write **"
SEEMING = [
    ({"name": "*"}, "name", "'*' covers nginx but not library/nginx: * stops at a slash", SLASHES),
    ({"name": "*", "type": "repository"}, "name", "'*' covers nginx but not library/nginx: * stops at a slash", SLASHES),
    ({"name": "shop/**"}, "name", "'shop/**': ** is as *, it stops at a slash", "ask for policy: {double_star: true}, or write *"),
    ({"account": "{zoe,yan}"}, "account", "'{zoe,yan}' takes its braces as they stand: a glob has no {a,b}", "write a rule for each, or /^(a|b)$/"),
    ({"account": "[!z]oe"}, "account", "'[!z]oe': [!a] is the character ! or a", "write [^a] for any but a"),
    ({"labels": {"g": "[!z]*"}}, "labels.g", "'[!z]*': [!a] is the character ! or a", "write [^a] for any but a"),
    ({"account": "^zoe$"}, "account", "'^zoe$' looks like a regular expression, and is a glob", "write it between slashes: /^zoe$/"),
    ({"account": ".+"}, "account", "'.+' looks like a regular expression, and is a glob", "write it between slashes: /.+/"),
    ({"account": "(zoe|yan)"}, "account", "'(zoe|yan)' looks like a regular expression, and is a glob", "write it between slashes: /(zoe|yan)/"),
    ({"account": "/zoe"}, "account", "'/zoe' looks like a regular expression, and is a glob", "write it between slashes: /zoe/"),
    ({"name": "^${account}/.*"}, "name", "'^${account}/.*' looks like a regular expression, and is a glob", "write it between slashes: /^${account}/.*/"),
    ({"type": "repositry"}, "type", "'repositry' is no type that a registry asks for", "did you mean repository?"),
]  # fmt: skip


@pytest.mark.parametrize(("conditions", "key", "problem", "remedy"), SEEMING)
def test_other_than_it_seems(conditions: dict[str, object], key: str, problem: str, remedy: str) -> None:
    """What matches, but hardly what was meant."""
    assert found(**conditions) == [(key, problem, remedy)]


UNANCHORED = [
    ("/adm/", "aadm"),
    ("/^adm/", "adma"),
    ("/adm$/", "aadm"),
    ("/^adm|ops$/", "adma"),
    ("/^a.c/", "aaca"),
]


@pytest.mark.parametrize(("pattern", "other"), UNANCHORED)
def test_unanchored(pattern: str, other: str) -> None:
    """A regular expression on the account that lets in who only contains it, with somebody as an example."""
    remedy = f"write /^(?:{pattern[1:-1]})$/ for the whole account, with .* where anything may stand"
    assert found(account=pattern) == [("account", f"{pattern!r} is searched for anywhere: it lets {other!r} in too", remedy)]
    assert len(found(accounts=("zoe", pattern))) == 1


@pytest.mark.parametrize("pattern", ["/(?i)adm/", "/^${name}/", r"/^\badm$|x/"])
def test_unanchored_and_not_understood(pattern: str) -> None:
    """What cannot be reasoned about is judged by its ends."""
    assert [problem for _, problem, _ in found(account=pattern)] == [f"{pattern!r} is searched for anywhere in the account"]


@pytest.mark.parametrize(
    "conditions",
    [
        {},
        {"name": "shop/*"}, {"name": "*/*"}, {"name": "${account}/*"}, {"name": "/^shop/"}, {"name": "reg.example:5000/App".lower()},
        {"name": "*", "type": "registry"}, {"name": "catalog", "type": "registry"}, {"name": "*", "type": "plugin"},
        {"name": "Anything", "type": "/^x$/"}, {"name": "Anything", "type": "plugin"}, {"name": "/(?i)^SHOP/"},
        {"account": "zoe"}, {"account": "*"}, {"account": ""}, {"account": "/.+/"}, {"account": "/.*/"}, {"account": "/./"}, {"account": "/^adm$/"},
        {"account": "/^(adm|ops)$/"}, {"account": "/^team-.*$/"}, {"account": "/^team-.*/"}, {"account": "/(?i)^adm$/"}, {"account": "/^${name}$/"},
        {"account": r"\[!a"}, {"account": "a.b@c"}, {"account": "price$list"}, {"type": "repository"}, {"type": "plugin"}, {"service": "/reg/"},
        {"labels": {"g": "*", "h": "/x/"}},
    ],
)  # fmt: skip
def test_sound(conditions: dict[str, object]) -> None:
    """What says what it means."""
    assert found(**conditions) == []


def test_what_was_thought_of() -> None:
    """Another rule for nested names beside the star, and double stars that were asked for."""
    assert found(name="*", nested=True) == []
    assert found(name="shop/**", double_star=True) == []
    assert found(name="**", double_star=True) == []
