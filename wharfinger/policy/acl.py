"""The access list: rules compiled with all their faults at once, then the first rule that matches decides.

Source: docker_auth's authz/acl.go. Kept: rules in order, all conditions of one hold; ``["*"]`` alone grants what was asked,
anything else the sorted intersection; a match that grants nothing is final; regex or glob is told after substitution.
Not kept: a label placeholder that swallows a capture group behind it.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from wharfinger.policy.address import Address, Network, parse_block, within
from wharfinger.policy.condition import TEXT_FIELDS, Condition, Label, labels_hold
from wharfinger.policy.glob import Glob, MalformedGlob
from wharfinger.policy.regex import MalformedRegex, Regex
from wharfinger.policy.substitution import has_placeholder, is_regex

HASH_CHARACTERS: Final = 32


class RuleSource(Protocol):
    """A rule as it stands in a file; None is an absent condition."""

    @property
    def line(self) -> int: ...  # noqa: D102
    @property
    def account(self) -> str | None: ...  # noqa: D102
    @property
    def type(self) -> str | None: ...  # noqa: D102
    @property
    def name(self) -> str | None: ...  # noqa: D102
    @property
    def service(self) -> str | None: ...  # noqa: D102
    @property
    def ip(self) -> str | None: ...  # noqa: D102
    @property
    def labels(self) -> Mapping[str, str] | None: ...  # noqa: D102
    @property
    def actions(self) -> tuple[str, ...]: ...  # noqa: D102
    @property
    def comment(self) -> str: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class RuleText:
    """A rule given as values."""

    line: int = 0
    account: str | None = None
    type: str | None = None
    name: str | None = None
    service: str | None = None
    ip: str | None = None
    labels: Mapping[str, str] | None = None
    actions: tuple[str, ...] = ()
    comment: str = ""


@dataclass(frozen=True, slots=True)
class Fault:
    """A condition that cannot be used, or that never matches."""

    line: int
    field: str
    problem: str
    remedy: str


@dataclass(frozen=True, slots=True)
class CompileError:
    """Every fault of a list."""

    faults: tuple[Fault, ...]


@dataclass(frozen=True, slots=True)
class Request:
    """Access that somebody asks for, to one resource."""

    account: str
    type: str
    name: str
    service: str
    ip: Address | None
    actions: tuple[str, ...]
    labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Decision:
    """What was granted, and why. ``index``: the deciding rule, from 1; None when no rule matched."""

    granted: tuple[str, ...]
    matched: bool
    index: int | None
    line: int | None
    comment: str
    why: str


@dataclass(frozen=True, slots=True)
class _Rule:
    source: RuleSource
    index: int
    conditions: tuple[Condition, ...]
    labels: tuple[Label, ...]
    block: Network | None

    def matches(self, request: Request) -> bool:
        if self.block is not None and not within(self.block, request.ip):
            return False
        groups: Callable[[str, int], str | None] = lambda name, number: self._group(request, name, number)  # noqa: E731
        if not all(condition.holds(request, groups) for condition in self.conditions):
            return False
        return not self.labels or labels_hold(self.labels, request, groups, self.conditions)

    def _group(self, request: Request, name: str, number: int) -> str | None:
        for condition in self.conditions:
            if condition.field == name.lower() and condition.raw_regex is not None:
                groups = condition.raw_regex.groups_in(str(getattr(request, condition.field)))
                return groups[number] if groups is not None and 0 < number < len(groups) else None
        return None


@dataclass(frozen=True, slots=True)
class Policy:
    """A compiled list. ``hash`` names its content; ``warnings`` are conditions that can never hold."""

    rules: tuple[_Rule, ...]
    hash: str
    warnings: tuple[Fault, ...]

    def decide(self, request: Request) -> Decision:
        """Grant by the first rule that matches, or nothing."""
        for rule in self.rules:
            if rule.matches(request):
                return _granted(rule, request)
        why = f"none of the {len(self.rules)} rules matches {request.account or 'anonymous'} on {request.type}:{request.name}"
        return Decision((), matched=False, index=None, line=None, comment="", why=why)


def compile_acl(rules: Sequence[RuleSource]) -> Policy | CompileError:
    """Compile a list, or tell every fault in it."""
    faults: list[Fault] = []
    warnings: list[Fault] = []
    compiled = tuple(_compile(rule, index, faults, warnings) for index, rule in enumerate(rules, start=1))
    if faults:
        return CompileError(tuple(faults))
    return Policy(compiled, _hash(rules), tuple(warnings))


def _granted(rule: _Rule, request: Request) -> Decision:
    actions = rule.source.actions
    # The star alone grants what was asked, as it was asked; beside others it is an action like them.
    granted = request.actions if actions == ("*",) else tuple(sorted(set(actions) & set(request.actions)))
    names = (
        [condition.field for condition in rule.conditions] + (["ip"] if rule.block else []) + [one.name for one in rule.labels]
    )
    by = f"rule {rule.index} (line {rule.source.line}) matches by {', '.join(names) or 'having no conditions'}"
    why = f"{by}; it allows {', '.join(actions) or 'nothing'}, asked was {', '.join(request.actions) or 'nothing'}"
    return Decision(granted, matched=True, index=rule.index, line=rule.source.line, comment=rule.source.comment, why=why)


def _compile(rule: RuleSource, index: int, faults: list[Fault], warnings: list[Fault]) -> _Rule:
    conditions = []
    for name in TEXT_FIELDS:
        pattern = getattr(rule, name)
        if pattern is not None and _usable(rule.line, name, pattern, faults, warnings):
            conditions.append(Condition.compile(name, pattern))
    labels = tuple(
        Label(name, pattern)
        for name, pattern in sorted((rule.labels or {}).items())
        if _usable(rule.line, f"labels.{name}", pattern, faults, warnings)
    )
    return _Rule(rule, index, tuple(conditions), labels, _block(rule, faults))


def _block(rule: RuleSource, faults: list[Fault]) -> Network | None:
    if rule.ip is None:
        return None
    try:
        return parse_block(rule.ip)
    except ValueError as error:
        faults.append(
            Fault(rule.line, "ip", f"{rule.ip!r} is no address or CIDR block ({error})", "write 10.0.0.7 or 10.0.0.0/8")
        )
        return None


def _usable(line: int, name: str, pattern: str, faults: list[Fault], warnings: list[Fault]) -> bool:
    if is_regex(pattern):
        try:
            Regex(pattern[1:-1])
        except MalformedRegex as error:
            faults.append(Fault(line, name, f"{pattern!r} is no regular expression of RE2: {error}", "see the RE2 syntax page"))
            return False
    elif not has_placeholder(pattern):
        try:
            Glob(pattern)
        except MalformedGlob as error:
            # docker_auth loads such a rule, and it never matches; a file may hold one for years.
            warnings.append(Fault(line, name, f"{pattern!r} never matches: {error}", "correct the pattern, or remove the rule"))
    return True


def _hash(rules: Sequence[RuleSource]) -> str:
    plain = [
        {name: getattr(rule, name) for name in (*TEXT_FIELDS, "ip")}
        | {"labels": dict(rule.labels or {}), "actions": list(rule.actions)}
        for rule in rules
    ]
    text = json.dumps(plain, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:HASH_CHARACTERS]
