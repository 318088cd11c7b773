"""Placeholders in a pattern: ``${account}`` and its like, capture groups ``${account:1}``, labels ``${labels:team}``.

Request values are quoted, so that an account cannot be a pattern; groups and labels are not, as docker_auth's users rely on
(a label ``test/*`` gives access to all of ``test/``).
"""

import itertools
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from wharfinger.policy.regex import quote

FIELDS: Final = ("account", "type", "name", "service")
LABELS: Final = "labels"

_GROUP: Final = re.compile(r"\$\{([^}:]+):([0-9]{1,9})\}", re.ASCII)
_LABEL: Final = re.compile(r"\$\{labels:([^}]+)\}")
_PLAIN: Final = re.compile(r"\$\{(account|type|name|service)\}")
_ANY: Final = re.compile(r"\$\{[^}]*\}?")
_MIN_REGEX: Final = 3
MAX_COMBINATIONS: Final = 10_000
"""Combinations of label values tried for one pattern."""


def is_regex(pattern: str) -> bool:
    """Whether a pattern is ``/regex/``; ``//`` is a glob."""
    return len(pattern) >= _MIN_REGEX and pattern.startswith("/") and pattern.endswith("/")


def has_placeholder(pattern: str) -> bool:
    """Whether a pattern depends on the request."""
    return "${" in pattern


def named_groups(pattern: str) -> frozenset[tuple[str, int]]:
    """The capture groups that a pattern names: of which text, and which."""
    return frozenset((found[1], int(found[2])) for found in _GROUP.finditer(pattern) if found[1] != LABELS)


def named_labels(pattern: str) -> tuple[str, ...]:
    """The labels that a pattern names."""
    return tuple(dict.fromkeys(_LABEL.findall(pattern)))


def named_fields(pattern: str) -> tuple[str, ...]:
    """The request's own values that a pattern names."""
    return tuple(dict.fromkeys(_PLAIN.findall(pattern)))


def unknown_placeholders(pattern: str) -> tuple[str, ...]:
    """What looks like a placeholder and is none: it stays text."""
    rest = _GROUP.sub("", _LABEL.sub("", _PLAIN.sub("", pattern)))
    return tuple(dict.fromkeys(_ANY.findall(rest)))


def is_field(name: str, field: str) -> bool:
    """Whether a group's placeholder means a field: docker_auth knows ``account`` and ``Account``."""
    return name in {field, field.title()}


def replace_groups(pattern: str, group: Callable[[str, int], str | None]) -> str:
    """Put capture groups in; one that is not there stays as it stands."""

    def one(found: re.Match[str]) -> str:
        value = group(found[1], int(found[2]))
        return found[0] if value is None else value

    return _GROUP.sub(one, pattern)


def replace_fields(pattern: str, values: Mapping[str, str]) -> str:
    """Put the request's values in, quoted, in one pass: a value is not looked at for placeholders."""
    return _PLAIN.sub(lambda found: quote(values[found[1]]), pattern)


def with_labels(pattern: str, labels: Mapping[str, tuple[str, ...]]) -> Iterator[str]:
    """The pattern with every combination of its labels' values; one name has one value in each. Nothing without labels."""
    names = [name for name in named_labels(pattern) if name in labels]
    if not names:
        return
    for values in itertools.islice(itertools.product(*(labels[name] for name in names)), MAX_COMBINATIONS):
        chosen = dict(zip(names, values, strict=True))
        yield _LABEL.sub(lambda found, chosen=chosen: chosen.get(found[1], found[0]), pattern)  # type: ignore[misc]  # default binds
