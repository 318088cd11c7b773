"""Requests that stand for many: one that a rule matches, made of the shortest plain texts that its patterns match.

For those who look lists over or compare them. A witness shows something; that there is none shows nothing.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final

from wharfinger.policy.address import Address, Network
from wharfinger.policy.condition import Condition, Pattern
from wharfinger.policy.language import EVERYTHING, Languages
from wharfinger.policy.rule import Request, Rule
from wharfinger.policy.substitution import named_labels

REPOSITORY: Final = (
    r"/^([A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+(:[0-9]+)?/|[A-Za-z0-9-]+:[0-9]+/)?"
    r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*$/"
)
"""Names a repository can have: distribution's grammar, with a host only where it shows by a dot or a port (notary)."""
TYPE: Final = "/^[a-z0-9]+$/"
PRINTABLE: Final = "/^[ -~]*$/"
GRAMMARS: Final[Mapping[str, str]] = {"account": PRINTABLE, "type": TYPE, "name": REPOSITORY, "service": PRINTABLE}
ANY_LABEL: Final = "label"
"""A label's value where any will do."""
PLAIN: Final = Request("", "repository", "some/repository", "", None, ("delete", "pull", "push"))
"""What a rule's conditions leave open. The actions are every one that a registry asks for, but the star."""


def witness(rule: Rule, languages: Languages, *, account: str | None = None) -> Request | None:
    """A request that a rule matches, as a client could send it where that is possible. None: none was found.

    Args:
        rule: the rule.
        languages: automata of its list's patterns.
        account: who asks; None: somebody whom the rule's condition on account lets in.
    """
    request = replace(PLAIN, account=account or "", ip=_address(rule.block), labels=_labels(rule, languages))
    # Fixed conditions first: what is put into the others comes from their texts.
    for condition in sorted(rule.conditions, key=lambda one: not one.is_fixed()):
        if condition.field == "account" and account is not None:
            continue
        text = next(_texts(condition, rule, request, languages), None)
        if text is None:
            return None
        request = _with(request, condition.field, text)
    return request if rule.matches(request) else None


def texts_of(pattern: str, field: str, languages: Languages) -> Iterator[str]:
    """A short text that a pattern without placeholders matches, such as a client could send as that field if there is one."""
    found = languages.example(pattern, GRAMMARS[field])
    if found is None:
        found = languages.example(pattern, EVERYTHING)
    if found is not None:
        yield found


def _texts(condition: Condition, rule: Rule, request: Request, languages: Languages) -> Iterator[str]:
    for pattern in condition.patterns:
        literal = pattern.literal()
        if literal is not None:
            yield literal
        elif pattern.fixed is not None:
            yield from texts_of(pattern.text, condition.field, languages)
        else:
            yield from _filled(pattern, condition.field, rule, request, languages)


def _filled(pattern: Pattern, field: str, rule: Rule, request: Request, languages: Languages) -> Iterator[str]:
    for became in pattern.substituted(request, lambda name, number: rule.group(request, name, number)):
        yield from texts_of(became, field, languages)


def _with(request: Request, field: str, text: str) -> Request:
    match field:
        case "account":
            return replace(request, account=text)
        case "type":
            return replace(request, type=text)
        case "name":
            return replace(request, name=text)
        case _:
            return replace(request, service=text)


def _labels(rule: Rule, languages: Languages) -> dict[str, tuple[str, ...]]:
    labels: dict[str, tuple[str, ...]] = {
        name: (ANY_LABEL,) for one in rule.conditions for text in one.patterns for name in named_labels(text.text)
    }
    for label in rule.labels:
        pattern = Pattern.compile(label.pattern, double_star=label.double_star)
        found = pattern.literal() or languages.example(label.pattern, PRINTABLE)
        labels[label.name] = (ANY_LABEL if found is None else found,)
    return labels


def _address(block: Network | None) -> Address | None:
    return None if block is None else block.network_address
