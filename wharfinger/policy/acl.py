"""The access list: rules compiled with all their faults at once, then the first rule that matches decides.

Source: docker_auth's authz/acl.go. Kept: rules in order, all conditions of one hold; ``["*"]`` alone grants what was asked,
anything else the sorted intersection; a match that grants nothing is final; regex or glob is told after substitution.
Not kept: a label placeholder that swallows a capture group behind it. Ours, when it is asked for: every rule that matches adds
its actions; ``**``; lists of accounts.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from wharfinger.policy.address import Network, parse_block
from wharfinger.policy.condition import TEXT_FIELDS, Condition, compile_labels
from wharfinger.policy.index import Index
from wharfinger.policy.regex import MalformedRegex, Regex
from wharfinger.policy.rule import EVERYTHING, Fault, Request, Rule, RuleSource
from wharfinger.policy.substitution import is_regex

HASH_CHARACTERS: Final = 32


class OptionsSource(Protocol):
    """What is asked for beyond docker_auth's way, as a file says it. See :class:`Options`."""

    @property
    def union(self) -> bool: ...  # noqa: D102
    @property
    def double_star(self) -> bool: ...  # noqa: D102
    @property
    def account_lists(self) -> bool: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Options:
    """What is asked for beyond docker_auth's way.

    ``union``: every rule that matches adds its actions, and only who meets none is denied. ``double_star``: ``**`` in a glob
    crosses slashes. ``account_lists``: a condition may list accounts, of which any may match.
    """

    union: bool = False
    double_star: bool = False
    account_lists: bool = False


DOCKER_AUTH: Final = Options()


@dataclass(frozen=True, slots=True)
class CompileError:
    """Every fault of a list."""

    faults: tuple[Fault, ...]


@dataclass(frozen=True, slots=True)
class Decision:
    """What was granted, and by which rule.

    ``index``: the deciding rule, from 1; with ``union`` the first that added something, else the first that matched. None: no
    rule matched.
    """

    granted: tuple[str, ...]
    matched: bool
    index: int | None
    line: int | None
    comment: str


NO_MATCH: Final = Decision((), matched=False, index=None, line=None, comment="")


@dataclass(frozen=True, slots=True)
class Policy:
    """A compiled list. ``hash`` names its content and how it is read."""

    rules: tuple[Rule, ...]
    options: Options
    hash: str
    index: Index

    def decide(self, request: Request) -> Decision:
        """Grant by the first rule that matches, or by all that do, or nothing."""
        matching = self.matching(request)
        if self.options.union:
            return _united(list(matching), request)
        first = next(matching, None)
        return NO_MATCH if first is None else _decision(first, first.grants(request.actions))

    def matching(self, request: Request) -> Iterator[Rule]:
        """The rules that match, in their order."""
        left = self.index.left_by(request)
        while left:
            rule = self.rules[(left & -left).bit_length() - 1]
            if rule.matches_by(rule.unfixed, request):
                yield rule
            left &= left - 1


def compile_acl(rules: Sequence[RuleSource], options: OptionsSource = DOCKER_AUTH) -> Policy | CompileError:
    """Compile a list, or tell every fault in it."""
    plain = Options(options.union, options.double_star, options.account_lists)
    compiled = tuple(_compile(rule, index, plain) for index, rule in enumerate(rules, start=1))
    faults = [fault for rule in compiled for fault in _faults(rule, plain)]
    if faults:
        return CompileError(tuple(faults))
    return Policy(compiled, plain, _hash(rules, plain), Index(compiled))


def _united(matching: Sequence[Rule], request: Request) -> Decision:
    if not matching:
        return NO_MATCH
    added = [rule.grants(request.actions) for rule in matching]
    granted = tuple(sorted({action for one in added for action in one}))
    if any(rule.source.actions == EVERYTHING for rule in matching):
        # One that allows everything gives what was asked as it was asked, like it does alone.
        granted = request.actions
    first = next((rule for rule, one in zip(matching, added, strict=True) if one), matching[0])
    return _decision(first, granted)


def _decision(rule: Rule, granted: tuple[str, ...]) -> Decision:
    return Decision(granted, matched=True, index=rule.index, line=rule.source.line, comment=rule.source.comment)


def _compile(source: RuleSource, index: int, options: Options) -> Rule:
    given: dict[str, str | None] = {name: getattr(source, name) for name in TEXT_FIELDS}
    texts = {name: (text,) for name, text in given.items() if text is not None}
    patterns = texts if source.accounts is None else {**texts, "account": source.accounts}
    conditions = tuple(
        Condition.compile(name, patterns[name], double_star=options.double_star) for name in TEXT_FIELDS if name in patterns
    )
    unfixed = tuple(one for one in conditions if not one.is_fixed())
    labels = compile_labels(source.labels or {}, conditions, double_star=options.double_star)
    return Rule(source, index, conditions, unfixed, labels, _block(source))


def _block(source: RuleSource) -> Network | None:
    try:
        return None if source.ip is None else parse_block(source.ip)
    except ValueError:
        return None  # told by _faults


def _faults(rule: Rule, options: Options) -> Iterator[Fault]:
    if rule.source.accounts is not None and not options.account_lists:
        yield rule.fault(
            "match.account", "is a list, which docker_auth does not know", "ask for it: policy: {account_lists: true}"
        )
    patterns = [(one.field, pattern.text) for one in rule.conditions for pattern in one.patterns]
    patterns += [(f"labels.{one.name}", one.pattern) for one in rule.labels]
    for name, pattern in patterns:
        if not is_regex(pattern):
            continue
        try:
            Regex(pattern[1:-1])
        except MalformedRegex as error:
            problem = f"{pattern!r} is no regular expression of RE2: {error}"
            yield rule.fault(f"match.{name}", problem, "see https://github.com/google/re2/wiki/Syntax")
    if rule.source.ip is None or rule.block is not None:
        return
    try:
        parse_block(rule.source.ip)
    except ValueError as error:
        problem = f"{rule.source.ip!r} is no address or CIDR block ({error})"
        yield rule.fault("match.ip", problem, "write 10.0.0.7 or 10.0.0.0/8")


def _hash(rules: Sequence[RuleSource], options: Options) -> str:
    plain = [
        {name: getattr(rule, name) for name in (*TEXT_FIELDS, "ip")}
        | ({} if rule.accounts is None else {"accounts": list(rule.accounts)})
        | {"labels": dict(rule.labels or {}), "actions": list(rule.actions)}
        for rule in rules
    ]
    # What leaves every decision as it is leaves the hash as it is: a list read in docker_auth's way has the hash of its rules.
    asked = {name: True for name in ("union", "double_star") if getattr(options, name)}
    text = json.dumps([plain, asked] if asked else plain, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:HASH_CHARACTERS]
