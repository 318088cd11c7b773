"""Who the rules are for: accounts nobody has, users nobody lets in, and clients that did not log in."""

from collections.abc import Mapping

import pytest

from wharfinger.policy import DOCKER_AUTH, Options, Policy, RuleText, compile_acl
from wharfinger.policy.language import Languages
from wharfinger.policy.lint_accounts import open_to_anonymous, shut_out, unknown_accounts

Users = Mapping[str, Mapping[str, tuple[str, ...]]]
USERS: Users = {"admin": {}, "hussein": {"team": ("web",)}, "": {}}

LISTS = Options(account_lists=True)


def compiled(*rules: RuleText, options: Options = LISTS) -> Policy:
    """A list without faults."""
    policy = compile_acl(rules, options)
    assert isinstance(policy, Policy)
    return policy


def unknown(*rules: RuleText, users: Users = USERS) -> list[tuple[str, str, str]]:
    """Keys, problems and remedies."""
    return [(fault.key, fault.problem, fault.remedy) for fault in unknown_accounts(compiled(*rules), users, Languages())]


NOBODY = "is no user of this file, so the rule gives nobody anything"
UNKNOWN = [
    ({"account": "test"}, "acl[0].match.account", f"'test' {NOBODY}", "correct it, or add the user"),
    ({"account": "hussien"}, "acl[0].match.account", f"'hussien' {NOBODY}, and no rule matches hussein on repository:some/repository", "did you mean hussein?"),
    ({"account": "Admin"}, "acl[0].match.account", f"'Admin' {NOBODY}, and no rule matches admin on repository:some/repository", "did you mean admin?"),
    ({"account": "hussien", "name": "[bat"}, "acl[0].match.account", f"'hussien' {NOBODY}", "did you mean hussein?"),
    ({"accounts": ("admin", "test")}, "acl[0].match.account", f"'test' {NOBODY}", "correct it, or add the user"),
    ({"account": "/^svc-/"}, "acl[0].match.account", "'/^svc-/' matches no user of this file", "correct it, or add the user"),
    ({"account": "svc-*"}, "acl[0].match.account", "'svc-*' matches no user of this file", "correct it, or add the user"),
    ({"labels": {"team": "ops"}}, "acl[0].match.labels.team", "'ops' is met by no user of this file, so the rule matches nobody", "give a user that label: labels: {team: [...]}"),
    ({"labels": {"tier": "${account}"}}, "acl[0].match.labels.tier", "'${account}' is met by no user of this file, so the rule matches nobody", "give a user that label: labels: {tier: [...]}"),
]  # fmt: skip


@pytest.mark.parametrize(("conditions", "key", "problem", "remedy"), UNKNOWN)
def test_rules_for_nobody(conditions: dict[str, object], key: str, problem: str, remedy: str) -> None:
    """Names that no user has, patterns that no name meets, labels that nobody has; with the name that was likely meant."""
    assert unknown(RuleText(**conditions, actions=("pull",))) == [(key, problem, remedy)]  # type: ignore[arg-type]  # of its fields


@pytest.mark.parametrize(
    "conditions",
    [
        {},
        {"account": "admin"},
        {"account": ""},
        {"account": "hus*"},
        {"account": "${name}"},
        {"labels": {"team": "w*"}},
        {"labels": {"team": "${account}"}},
    ],
)
def test_rules_for_somebody(conditions: dict[str, object]) -> None:
    """Some user may meet them."""
    assert unknown(RuleText(**conditions)) == []  # type: ignore[arg-type]  # of its fields


def test_the_anonymous_client_that_is_not_let_in() -> None:
    """A rule for it wants a user without a name."""
    assert unknown(RuleText(account=""), users={"admin": {}}) == [
        (
            "acl[0].match.account",
            "'' is the anonymous client, whom this file does not let in: the rule matches nobody",
            'add "": {} to users, or remove the rule',
        )
    ]


def test_what_was_meant_and_what_comes_of_it() -> None:
    """The rule that the user who was meant falls to, and what that allows."""
    rules = [
        RuleText(line=3, account="hussien", name="ubuntu", actions=("*",)),
        RuleText(line=6, account="/.+/", actions=("pull",)),
    ]
    (found,) = unknown(*rules)
    assert found[1] == f"'hussien' {NOBODY}, and hussein on repository:ubuntu is left to rule 2 (line 6), which allows pull"
    (denied,) = unknown(rules[0], RuleText(line=6, account="/.+/"))
    assert denied[1].endswith("is left to rule 2 (line 6), which allows nothing")


def out(*rules: RuleText, users: Users = USERS, options: Options = DOCKER_AUTH) -> list[tuple[int, int, str]]:
    """Places and keys of users whom nothing lets in."""
    places = {name: (at, 3) for at, name in enumerate(users, start=10)}
    return [(fault.line, fault.column, fault.key) for fault in shut_out(compiled(*rules, options=options), users, places)]


def test_users_whom_no_rule_lets_in() -> None:
    """None matches, or all that do allow nothing; labels count, and what depends on the request may always match."""
    pull = ("pull",)
    assert out(RuleText(account="admin", actions=pull)) == [(11, 3, "users.hussein"), (12, 3, 'users.""')]
    assert out(RuleText(account="/.+/", actions=pull)) == [(12, 3, 'users.""')]
    assert out(RuleText(labels={"team": "web"}, actions=pull)) == [(10, 3, "users.admin"), (12, 3, 'users.""')]
    assert out(RuleText(account="${name}", actions=pull)) == []
    assert out(RuleText(actions=()), RuleText(account="admin", actions=pull)) == [
        (10, 3, "users.admin"),
        (11, 3, "users.hussein"),
        (12, 3, 'users.""'),
    ]
    assert out(RuleText(name="secret", actions=()), RuleText(actions=pull)) == []
    assert out(RuleText(actions=()), RuleText(actions=pull), options=Options(union=True)) == []
    assert out(users={}) == []


def opened(*rules: RuleText, options: Options = LISTS) -> list[tuple[str, str]]:
    """Keys and problems."""
    return [(fault.key, fault.problem) for fault in open_to_anonymous(compiled(*rules, options=options), Languages())]


def test_rules_that_let_anonymous_clients_do_more_than_pull() -> None:
    """Those without a condition on the account, and the star; unless an earlier rule takes such clients away."""
    wide, star = RuleText(name="public/*", actions=("pull", "push")), RuleText(account="*", actions=("*",))
    assert opened(wide) == [("acl[0].match", "lets clients that did not log in do this too: pull, push")]
    assert opened(star) == [("acl[0].match.account", "lets clients that did not log in do this too: *")]
    assert opened(RuleText(accounts=("zoe", "*"), actions=("push",)))[0][0] == "acl[0].match.account"
    assert opened(RuleText(account="", actions=()), wide, star) == []
    assert opened(RuleText(account="", actions=()), wide, options=Options(union=True)) != []
    sound = [
        RuleText(actions=("pull",)),
        RuleText(account="/.*/", actions=("*",)),
        RuleText(account="", actions=("push",)),
        RuleText(actions=()),
    ]
    assert [opened(rule) for rule in sound] == [[], [], [], []]
    assert opened(RuleText(name="[bat", actions=("*",))) == []
