"""Explains a decision: the deciding rule, what was put into its patterns, and why each earlier rule did not match.

Goes through the rules one by one and condition by condition, not by the index; that both agree is a property test.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from wharfinger.policy.acl import Decision, Policy
from wharfinger.policy.address import within
from wharfinger.policy.condition import Condition, Label
from wharfinger.policy.rule import Request, Rule

MAX_SHOWN: Final = 20
"""Patterns of one condition that are shown: labels of many values make thousands."""


@dataclass(frozen=True, slots=True)
class Tried:
    """One pattern held against a value of the request. ``became``: the pattern with everything put in."""

    field: str
    pattern: str
    became: str
    value: str
    holds: bool

    def substituted(self) -> bool:
        """Whether anything was put into the pattern."""
        return self.pattern != self.became


@dataclass(frozen=True, slots=True)
class Examined:
    """A rule held against a request: each condition up to the first that does not hold, with every pattern it tried."""

    index: int
    line: int
    comment: str
    actions: tuple[str, ...]
    matched: bool
    adds: tuple[str, ...]
    tried: tuple[Tried, ...]

    def failed(self) -> tuple[Tried, ...]:
        """What kept it from matching: all patterns of the condition that does not hold."""
        return () if self.matched else tuple(one for one in self.tried if one.field == self.tried[-1].field)

    def substitutions(self) -> tuple[Tried, ...]:
        """The patterns that hold, and in which something was put."""
        return tuple(one for one in self.tried if one.holds and one.substituted())


@dataclass(frozen=True, slots=True)
class Explanation:
    """A decision with its reasons. ``examined``: the rules up to the deciding one; with ``union`` all."""

    request: Request
    decision: Decision
    why: str
    examined: tuple[Examined, ...]

    def passed_over(self) -> tuple[Examined, ...]:
        """The rules that did not match."""
        return tuple(one for one in self.examined if not one.matched)

    def matching(self) -> tuple[Examined, ...]:
        """The rules that matched: the deciding one; with ``union`` maybe more."""
        return tuple(one for one in self.examined if one.matched)


def explain(policy: Policy, request: Request) -> Explanation:
    """Decide, and say why."""
    examined = []
    for rule in policy.rules:
        examined.append(examine(rule, request))
        if examined[-1].matched and not policy.options.union:
            break
    decision = policy.decide(request)
    return Explanation(request, decision, _why(policy, request, tuple(one for one in examined if one.matched)), tuple(examined))


def examine(rule: Rule, request: Request) -> Examined:
    """Hold one rule against a request."""
    tried: list[Tried] = []
    matched = True
    for attempts in _conditions(rule, request):
        shown = list(itertools.islice(attempts, MAX_SHOWN))
        # Only what is shown is limited: whether it holds is told by all.
        held = next((one for one in itertools.chain(shown, attempts) if one.holds), None)
        tried += [held] if held is not None else shown
        if held is None:
            matched = False
            break
    source = rule.source
    adds = rule.grants(request.actions) if matched else ()
    return Examined(rule.index, source.line, source.comment, source.actions, matched, adds, tuple(tried))


def _conditions(rule: Rule, request: Request) -> Iterator[Iterator[Tried]]:
    for condition in rule.conditions:
        yield _texts(rule, condition, request)
    for label in rule.labels:
        yield _label(rule, label, request)
    if rule.block is not None:
        value = "" if request.ip is None else str(request.ip)
        block = rule.source.ip or ""
        yield iter([Tried("ip", block, block, value, within(rule.block, request.ip))])


def _texts(rule: Rule, condition: Condition, request: Request) -> Iterator[Tried]:
    value = str(getattr(request, condition.field))
    group = lambda name, number: rule.group(request, name, number)  # noqa: E731 - the shortest group
    for pattern in condition.patterns:
        for became in pattern.substituted(request, group):
            yield Tried(condition.field, pattern.text, became, value, pattern.meets(became, value))
    if not condition.patterns:
        yield Tried(condition.field, "[]", "[]", value, holds=False)


def _label(rule: Rule, label: Label, request: Request) -> Iterator[Tried]:
    group = lambda name, number: rule.group(request, name, number)  # noqa: E731 - the shortest group
    became = label.substituted(request, group)
    values = ", ".join(request.labels.get(label.name, ()))
    yield Tried(f"labels.{label.name}", label.pattern, became, values, label.holds(request, group))


def _why(policy: Policy, request: Request, matching: tuple[Examined, ...]) -> str:
    asked = ", ".join(request.actions) or "nothing"
    if not matching:
        who, what = request.account or "anonymous", f"{request.type}:{request.name}"
        return f"none of the {len(policy.rules)} rules matches {who} on {what}"
    parts = [_by(one) for one in matching]
    return f"{'; '.join(parts)}; asked was {asked}"


def _by(one: Examined) -> str:
    fields = dict.fromkeys(tried.field for tried in one.tried)
    where = f"rule {one.index} (line {one.line})" if one.line else f"rule {one.index}"
    return f"{where} matches by {', '.join(fields) or 'having no conditions'} and allows {', '.join(one.actions) or 'nothing'}"
