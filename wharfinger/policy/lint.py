"""Looks an access list over for what is legal and hardly meant. Pure; what it reports is certain, and what it does not is not.

Each finding knows its place and what to do. The parts: patterns, placeholders and actions of each rule alone; the rules against
each other (``shadowing``); the rules against the users.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from wharfinger.policy.acl import Policy
from wharfinger.policy.language import Languages
from wharfinger.policy.lint_accounts import open_to_anonymous, shut_out, unknown_accounts
from wharfinger.policy.lint_actions import doubtful_actions
from wharfinger.policy.lint_patterns import doubtful_patterns
from wharfinger.policy.lint_placeholders import acting_as_patterns, empty_placeholders
from wharfinger.policy.rule import Fault, Rule
from wharfinger.policy.shadowing import shadows

ANONYMOUS = ""
NESTED = frozenset({"*/*", "**"})
"""Names that, beside ``*``, show that names with a slash were thought of."""


class UserSource(Protocol):
    """A user as it stands in a file."""

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def line(self) -> int: ...  # noqa: D102
    @property
    def column(self) -> int: ...  # noqa: D102
    @property
    def labels(self) -> Mapping[str, tuple[str, ...]]: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Beside:
    """What stands beside the list.

    ``more_accounts``: others know accounts too. ``more_rules``: others are asked where no rule matches.
    """

    users: Sequence[UserSource] = ()
    more_accounts: bool = False
    more_rules: bool = False


def lint(policy: Policy, beside: Beside) -> tuple[Fault, ...]:
    """Everything that is found, in the file's order."""
    return tuple(sorted(set(_found(policy, beside))))


def _found(policy: Policy, beside: Beside) -> Iterator[Fault]:
    languages = Languages(double_star=policy.options.double_star)
    labels = {user.name: user.labels for user in beside.users}
    everybody = None if beside.more_accounts else labels
    nested = {_all_but_name(rule) for rule in policy.rules if rule.source.name in NESTED}
    for rule in policy.rules:
        yield from doubtful_patterns(rule, languages, nested=_all_but_name(rule) in nested)
        yield from empty_placeholders(rule)
        yield from acting_as_patterns(rule, everybody)
        yield from doubtful_actions(rule, union=policy.options.union)
    yield from _shadowed(policy, languages, None if everybody is None else tuple(everybody))
    if everybody is not None:
        yield from unknown_accounts(policy, everybody, languages)
    if not beside.more_rules:
        yield from shut_out(policy, labels, {user.name: (user.line, user.column) for user in beside.users})
    if ANONYMOUS in labels:
        yield from open_to_anonymous(policy, languages)


def _all_but_name(rule: Rule) -> tuple[object, ...]:
    one = rule.source
    return one.account, one.accounts, one.type, one.service, one.ip, tuple(sorted((one.labels or {}).items()))


def _shadowed(policy: Policy, languages: Languages, accounts: Sequence[str] | None) -> Iterator[Fault]:
    for index, earlier in shadows(policy, languages, accounts).items():
        rule = policy.rules[index - 1]
        if accounts is not None and not any(rule.may_be_for(account) for account in accounts):
            continue  # it matches nobody, and that is told
        if policy.options.union:
            yield rule.fault(
                "match", f"adds nothing: {earlier} matches all that it does, and allows as much", "remove one of them"
            )
        else:
            remedy = "move it above that one, or remove it"
            yield rule.fault("match", f"is never reached: {earlier} matches all that it does", remedy)
