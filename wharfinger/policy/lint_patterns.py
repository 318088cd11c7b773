"""Looks at the patterns of each rule alone: those that never match, and those that match other texts than they seem to."""

import difflib
import re
from collections.abc import Iterator
from typing import Final

from wharfinger.policy.condition import Pattern
from wharfinger.policy.glob import Glob, MalformedGlob
from wharfinger.policy.language import EVERYTHING, Languages, TooLarge
from wharfinger.policy.rule import Fault, Rule
from wharfinger.policy.substitution import has_placeholder, is_regex
from wharfinger.policy.witness import PRINTABLE, REPOSITORY, TYPE

TYPES: Final = ("repository", "registry")
CATALOG: Final = "catalog"
"""The only name that registries ask for of type registry."""
_BRACES: Final = re.compile(r"(?<!\$)\{[^{}]*,[^{}]*\}")
_SEEMS_REGEX: Final = re.compile(r"\^|\.\*|.*\$$|.*\.\+|.*\(.*[|*+].*\)")
_BANG: Final = re.compile(r"(?<!\\)\[!")
_FLAGS: Final = re.compile(r"\(\?[a-zA-Z]+\)")


def doubtful_patterns(rule: Rule, languages: Languages, *, nested: bool = False) -> Iterator[Fault]:
    """What is doubtful in a rule's patterns. ``nested``: another rule covers names with a slash for the same clients."""
    kinds = _kinds(rule)
    for condition in rule.conditions:
        field = condition.field
        if not condition.patterns:
            yield rule.fault(f"match.{field}", "is an empty list, in which nobody is", "name accounts, or remove the rule")
        for pattern in condition.patterns:
            problem, remedy = _never(field, pattern, kinds, languages)
            if problem:
                yield rule.fault(f"match.{field}", f"{pattern.text!r} never matches: {problem}", remedy)
                continue
            yield from _other_than_it_seems(rule, field, pattern)
            if field == "name" and pattern.text == "*" and TYPES[0] in kinds and not nested:
                remedy = "leave name out to cover every repository, or ask for policy: {double_star: true} and write **"
                yield rule.fault("match.name", "'*' covers nginx but not library/nginx: * stops at a slash", remedy)
            if field == "account" and is_regex(pattern.text):
                yield from _unanchored(rule, pattern.text, languages)
    for label in rule.labels:
        pattern = Pattern.compile(label.pattern, double_star=label.double_star)
        problem, remedy = _never("labels", pattern, kinds, languages)
        if problem:
            yield rule.fault(f"match.labels.{label.name}", f"{pattern.text!r} never matches: {problem}", remedy)
        else:
            yield from _other_than_it_seems(rule, f"labels.{label.name}", pattern)


def _kinds(rule: Rule) -> tuple[str, ...]:
    condition = rule.condition("type")
    if condition is None:
        return TYPES[:1]
    return tuple(literal for one in condition.patterns if (literal := one.literal()) is not None)


def _never(field: str, pattern: Pattern, kinds: tuple[str, ...], languages: Languages) -> tuple[str, str]:
    text = pattern.text
    problem = "" if has_placeholder(text) else _malformed(text)
    if problem or _none(text, EVERYTHING, languages):
        return problem or "there is no text that would", "correct the pattern, or remove the rule"
    if field == "name" and kinds == TYPES[:1] and _none(text, REPOSITORY, languages):
        return "no repository can have such a name", _name_remedy(text)
    if field == "name" and kinds == TYPES[1:] and _none(text, CATALOG, languages):
        return f"of type registry there is only {CATALOG}", f"write {CATALOG}"
    if field == "type" and _none(text, TYPE, languages):
        return "a type is small letters and digits", "write repository or registry"
    return "", ""


def _none(text: str, grammar: str, languages: Languages) -> bool:
    return languages.example(text, grammar) is None and languages.is_empty([text, grammar])


def _malformed(text: str) -> str:
    if not is_regex(text):
        try:
            Glob(text)
        except MalformedGlob as error:
            # docker_auth loads such a rule, and it never matches; a file may hold one for years.
            return str(error)
    return ""


def _name_remedy(text: str) -> str:
    if _BRACES.search(text):
        return "a glob has no {a,b}: write a rule for each, or /^(a|b)$/"
    if not is_regex(text) and _SEEMS_REGEX.match(text):
        return f"a regular expression stands between slashes: /{text.strip('/')}/"
    if text.strip("/") != text and not is_regex(text):
        return f"leave the slash out: {text.strip('/')}; a regular expression stands between two"
    if text != text.lower():
        return f"names are of small letters: {text.lower()}"
    return "names are like team/app: small letters, digits, and . _ - between them"


def _other_than_it_seems(rule: Rule, field: str, pattern: Pattern) -> Iterator[Fault]:
    text, key = pattern.text, f"match.{field}"
    literal = pattern.literal()
    if field == "type" and literal is not None and literal not in TYPES:
        near = difflib.get_close_matches(literal, TYPES, n=1)
        if near:
            yield rule.fault(key, f"{literal!r} is no type that a registry asks for", f"did you mean {near[0]}?")
    if is_regex(text):
        return
    if _BRACES.search(text):
        problem = f"{text!r} takes its braces as they stand: a glob has no {{a,b}}"
        yield rule.fault(key, problem, "write a rule for each, or /^(a|b)$/")
    elif _SEEMS_REGEX.match(text) or (field == "account" and text.strip("/") != text):
        problem = f"{text!r} looks like a regular expression, and is a glob"
        yield rule.fault(key, problem, f"write it between slashes: /{text.strip('/')}/")
    if _BANG.search(text):
        yield rule.fault(key, f"{text!r}: [!a] is the character ! or a", "write [^a] for any but a")
    if "**" in text and not pattern.double_star:
        yield rule.fault(key, f"{text!r}: ** is as *, it stops at a slash", "ask for policy: {double_star: true}, or write *")


def _unanchored(rule: Rule, text: str, languages: Languages) -> Iterator[Fault]:
    anchored = f"/^(?:{text[1:-1]})$/"
    remedy = f"write {anchored} for the whole account, with .* where anything may stand"
    try:
        other = languages.find([PRINTABLE, text], [anchored])
        # Any text with a character in it: whoever logged in is meant, and matches.
        if other is None or languages.is_empty([PRINTABLE, "/./"], [text]):
            return
        yield rule.fault("match.account", f"{text!r} is searched for anywhere: it lets {other!r} in too", remedy)
    except TooLarge:
        plain = _FLAGS.sub("", text[1:-1], count=1)
        if not (plain.startswith(("^", "\\A")) and plain.endswith(("$", "\\z"))):
            yield rule.fault("match.account", f"{text!r} is searched for anywhere in the account", remedy)
