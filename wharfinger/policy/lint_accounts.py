"""Looks at who the rules are for: accounts that nobody has, users that no rule lets in, and rules that let in more than users.

Told is only what is certain of the users that stand in the file; when others know accounts too, little is.
"""

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from wharfinger.policy.acl import Policy
from wharfinger.policy.condition import Label, Pattern
from wharfinger.policy.language import Languages
from wharfinger.policy.rule import Fault, Request, Rule
from wharfinger.policy.substitution import has_placeholder
from wharfinger.policy.witness import witness

Labels = Mapping[str, tuple[str, ...]]

HARMLESS: Final = frozenset({"pull"})
"""What everybody may be meant to do."""


def unknown_accounts(policy: Policy, users: Mapping[str, Labels], languages: Languages) -> Iterator[Fault]:
    """Rules for accounts that are none of all users."""
    for rule in policy.rules:
        condition = rule.condition("account")
        if condition is not None:
            for pattern in condition.patterns:
                yield from _unknown(policy, rule, pattern, users, languages)
        for label in rule.labels:
            if not any(_label_may_hold(label, labels) for labels in users.values()):
                problem = f"{label.pattern!r} is met by no user of this file, so the rule matches nobody"
                yield rule.fault(
                    f"match.labels.{label.name}", problem, f"give a user that label: labels: {{{label.name}: [...]}}"
                )


def _unknown(
    policy: Policy, rule: Rule, pattern: Pattern, users: Mapping[str, Labels], languages: Languages
) -> Iterator[Fault]:
    if pattern.fixed is None or any(map(pattern.fixed, users)):
        return
    literal = pattern.literal()
    if literal is None:
        yield rule.fault("match.account", f"{pattern.text!r} matches no user of this file", "correct it, or add the user")
    elif not literal:
        problem = "'' is the anonymous client, whom this file does not let in: the rule matches nobody"
        yield rule.fault("match.account", problem, 'add "": {} to users, or remove the rule')
    else:
        near = difflib.get_close_matches(literal, [user for user in users if user], n=1)
        problem = f"{literal!r} is no user of this file, so the rule gives nobody anything"
        if near:
            problem += _left_to(policy, rule, near[0], users[near[0]], languages)
        yield rule.fault("match.account", problem, f"did you mean {near[0]}?" if near else "correct it, or add the user")


def _left_to(policy: Policy, rule: Rule, user: str, labels: Labels, languages: Languages) -> str:
    # What the user who was probably meant gets now, shown on one request that the rule was written for.
    request = witness(rule, languages)
    if request is None:
        return ""
    decision = policy.decide(replace(request, account=user, labels={**request.labels, **labels}))
    what = f"{request.type}:{request.name}"
    if decision.index is None:
        return f", and no rule matches {user} on {what}"
    allowed = ", ".join(policy.rules[decision.index - 1].source.actions) or "nothing"
    return f", and {user} on {what} is left to {policy.rules[decision.index - 1]}, which allows {allowed}"


def shut_out(policy: Policy, users: Mapping[str, Labels], places: Mapping[str, tuple[int, int]]) -> Iterator[Fault]:
    """Users whom no rule lets in."""
    for user, labels in users.items():
        if not _let_in(policy, user, labels):
            line, column = places[user]
            problem = "gets nothing: no rule that allows something matches this user"
            yield Fault(line, column, f"users.{user}" if user else 'users.""', problem, "add a rule, or remove the user")


def _let_in(policy: Policy, user: str, labels: Labels) -> bool:
    for rule in policy.rules:
        if not rule.may_be_for(user) or not all(_label_may_hold(label, labels) for label in rule.labels):
            continue
        if rule.source.actions:
            return True
        if not policy.options.union and _asks_only_who(rule):
            return False  # whatever this user asks for ends here
    return False


def _asks_only_who(rule: Rule) -> bool:
    return not rule.labels and rule.block is None and all(one.field == "account" and one.is_fixed() for one in rule.conditions)


def _label_may_hold(label: Label, labels: Labels) -> bool:
    values = labels.get(label.name, ())
    if has_placeholder(label.pattern):
        return bool(values)
    return any(Pattern.compile(label.pattern, double_star=label.double_star).meets(label.pattern, one) for one in values)


def open_to_anonymous(policy: Policy, languages: Languages) -> Iterator[Fault]:
    """Rules by which clients that do not log in may do more than pull. Only asked where they are let in at all."""
    for rule in policy.rules:
        account = rule.condition("account")
        named = [] if account is None else [one.text for one in account.patterns]
        if set(rule.source.actions) <= HARMLESS or (named and "*" not in named):
            continue
        request = witness(rule, languages, account="")
        if request is not None and _decides(policy, rule, request):
            allowed = ", ".join(rule.source.actions)
            problem = f"lets clients that did not log in do this too: {allowed}"
            key = "match" if account is None else "match.account"
            yield rule.fault(key, problem, "write account: /.+/ for everybody who did, or name them")


def _decides(policy: Policy, rule: Rule, request: Request) -> bool:
    matching: Sequence[Rule] = list(policy.matching(request))
    return rule in matching if policy.options.union else matching[0] is rule
