"""Looks at the placeholders of each rule alone: those in which nothing is put, and those whose value can act as a pattern.

Request values are quoted when they are put in; capture groups and labels are not (docker_auth's way, which its users rely on).
"""

import difflib
from collections.abc import Iterator, Mapping
from typing import Final

from wharfinger.policy import syntax
from wharfinger.policy.characters import holds
from wharfinger.policy.condition import TEXT_FIELDS, Condition
from wharfinger.policy.rule import Fault, Rule
from wharfinger.policy.substitution import (
    LABELS,
    is_field,
    is_regex,
    named_fields,
    named_groups,
    named_labels,
    unknown_placeholders,
)

Labels = Mapping[str, tuple[str, ...]]

IN_GLOB: Final = "*?[\\"
IN_REGEX: Final = "\\.+*?()|[]{}^$"
_PLAIN_GROUP: Final = "capture only what is none, like ([a-z0-9-]+)"


def empty_placeholders(rule: Rule) -> Iterator[Fault]:
    """Placeholders in which nothing is put, and one that says nothing."""
    for field, text in _texts(rule):
        for name, number in sorted(named_groups(text)):
            problem = _no_group(rule, name, number)
            if problem:
                remedy = "groups count from 1, and come from a /regex/ on account, type, name or service of the same rule"
                yield rule.fault(f"match.{field}", f"${{{name}:{number}}} stays as it stands: {problem}", remedy)
        if text == f"${{{field}}}":
            yield rule.fault(f"match.{field}", f"{text} on itself holds for nearly every request", "leave the condition out")
    for label in rule.labels:
        key = f"match.labels.{label.name}"
        for name, number in sorted(named_groups(label.pattern) - label.groups):
            remedy = "name the same group in account, type, name or service of the rule too"
            yield rule.fault(key, f"${{{name}:{number}}} is not put in here", remedy)
        for name in named_labels(label.pattern):
            problem = f"${{{LABELS}:{name}}} is not put in here: labels are put into the other conditions only"
            yield rule.fault(key, problem, "write the value itself")
    for key, text in [*_texts(rule), *((f"labels.{one.name}", one.pattern) for one in rule.labels)]:
        for unknown in unknown_placeholders(text):
            near = difflib.get_close_matches(unknown.strip("${}").lower(), TEXT_FIELDS, n=1)
            remedy = (
                f"did you mean ${{{near[0]}}}?"
                if near
                else "there are ${account}, ${type}, ${name}, ${service}, ${labels:NAME}"
            )
            yield rule.fault(f"match.{key}", f"{unknown} is no placeholder, and stays as it stands", remedy)


def acting_as_patterns(rule: Rule, users: Mapping[str, Labels] | None) -> Iterator[Fault]:
    """Placeholders whose value can act as a pattern. ``users``: every account there is, with its labels; None: others come."""
    for field, text in _texts(rule):
        for name, number in sorted(named_groups(text)):
            yield from _group_acts(rule, f"match.{field}", text, (name, number), users)
        for name in named_labels(text):
            yield from _label_acts(rule, f"match.{field}", text, name, users)
        yield from _whole_acts(rule, field, text, users)
    for label in rule.labels:
        for group in sorted(named_groups(label.pattern) & label.groups):
            yield from _group_acts(rule, f"match.labels.{label.name}", label.pattern, group, users)


def _texts(rule: Rule) -> list[tuple[str, str]]:
    return [(one.field, pattern.text) for one in rule.conditions for pattern in one.patterns]


def _source(rule: Rule, name: str) -> Condition | None:
    return next((one for one in rule.conditions if is_field(name, one.field)), None)


def _no_group(rule: Rule, name: str, number: int) -> str:
    if not any(is_field(name, field) for field in TEXT_FIELDS):
        return f"there is no {name} to take it from"
    condition = _source(rule, name)
    counts = [] if condition is None else [one.raw_regex.groups for one in condition.patterns if one.raw_regex is not None]
    if not counts:
        return f"this rule has no /regex/ on {name.lower()}"
    return "" if 0 < number <= max(counts) else f"the /regex/ on {name.lower()} has {max(counts)} groups"


def _signs(text: str) -> str:
    # A glob that starts and ends with what is put in becomes a regular expression when that brings slashes.
    return IN_REGEX if is_regex(text) else IN_GLOB + "/" if text.startswith("${") and text.endswith("}") else IN_GLOB


def _group_acts(rule: Rule, key: str, text: str, group: tuple[str, int], users: Mapping[str, Labels] | None) -> Iterator[Fault]:
    name, number = group
    condition = _source(rule, name)
    if condition is None or _no_group(rule, name, number):
        return
    placeholder, signs = f"${{{name}:{number}}}", _signs(text)
    if condition.field == "account" and users is not None:
        for user in users:
            value = _captured(condition, user, number)
            if any(sign in value for sign in signs):
                yield rule.fault(key, f"{placeholder} of {user}, {value!r}, acts as a pattern here", _PLAIN_GROUP)
        return
    through = _let_through(condition, number, signs)
    if through:
        problem = f"{placeholder} acts as a pattern here: the /regex/ on {condition.field} lets {' '.join(through)} through"
        yield rule.fault(key, problem, _PLAIN_GROUP)


def _captured(condition: Condition, text: str, number: int) -> str:
    for pattern in condition.patterns:
        groups = None if pattern.raw_regex is None else pattern.raw_regex.groups_in(text)
        if groups is not None:
            return groups[number] if number < len(groups) else ""
    return ""


def _let_through(condition: Condition, number: int, signs: str) -> list[str]:
    found: set[str] = set()
    for pattern in condition.patterns:
        if pattern.raw_regex is None:
            continue
        node = syntax.parse(pattern.raw_regex.pattern)
        if node is None:
            return list(signs)
        members = syntax.captured(node, number) or ()
        found |= {sign for sign in signs if holds(members, ord(sign))}
    return sorted(found)


def _label_acts(rule: Rule, key: str, text: str, name: str, users: Mapping[str, Labels] | None) -> Iterator[Fault]:
    placeholder, signs = f"${{{LABELS}:{name}}}", _signs(text)
    if users is None:
        problem = (
            f"{placeholder} acts as a pattern when its value has one of {' '.join(signs)}, and others than this file give it"
        )
        yield rule.fault(key, problem, "make sure that whoever gives labels gives plain ones")
        return
    for user, labels in users.items():
        for value in labels.get(name, ()):
            if any(sign in value for sign in signs):
                problem = f"{placeholder} of {user or 'anonymous'}, {value!r}, acts as a pattern here"
                yield rule.fault(key, problem, f"leave it if that is meant; else correct users.{user}.labels.{name}")


def _whole_acts(rule: Rule, field: str, text: str, users: Mapping[str, Labels] | None) -> Iterator[Fault]:
    named = named_fields(text)
    if not named or text == f"${{{field}}}" or not (text.startswith(f"${{{named[0]}}}") and text.endswith(f"${{{named[-1]}}}")):
        return
    if "type" in named or (set(named) == {"account"} and users is not None and not any("/" in one for one in users)):
        return  # neither brings a slash
    problem = f"{text} becomes a regular expression, searched for anywhere, when its value stands between slashes"
    yield rule.fault(f"match.{field}", problem, f"write /^{text}$/")
