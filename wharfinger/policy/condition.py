"""One condition of a rule on a text of the request, and the labels' conditions. Compiled once where no placeholder stands."""

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Protocol, Self

from wharfinger.policy.glob import Glob, MalformedGlob
from wharfinger.policy.regex import MalformedRegex, Regex
from wharfinger.policy.substitution import (
    FIELDS,
    has_placeholder,
    is_regex,
    named_groups,
    replace_fields,
    replace_groups,
    with_labels,
)

TEXT_FIELDS: Final = FIELDS
MAX_REMEMBERED: Final = 1_024
"""Patterns made by substitution that stay compiled; about 3 KiB each."""
MAX_REMEMBERED_LENGTH: Final = 512
"""Characters of such a pattern: longer ones come from nobody who means well, and would fill the memory."""

Group = Callable[[str, int], str | None]
Test = Callable[[str], bool]


class Asked(Protocol):
    """What a condition reads of a request."""

    @property
    def account(self) -> str: ...  # noqa: D102
    @property
    def type(self) -> str: ...  # noqa: D102
    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def service(self) -> str: ...  # noqa: D102
    @property
    def labels(self) -> Mapping[str, tuple[str, ...]]: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Pattern:
    """A glob or ``/regex/`` as it stands in a rule. ``fixed``: its test when it has no placeholder; else it is made anew.

    ``raw_regex``: the regular expression before anything was put in, whose groups other conditions of the rule may name.
    """

    text: str
    double_star: bool
    fixed: Test | None
    raw_regex: Regex | None

    @classmethod
    def compile(cls, text: str, *, double_star: bool = False) -> Self:
        """Compile a pattern. One that can be no pattern never matches: refusing it is the caller's."""
        raw_regex = None
        if is_regex(text):
            try:
                raw_regex = Regex(text[1:-1])
            except MalformedRegex:
                raw_regex = None
        fixed = None if has_placeholder(text) else pattern_test(text, double_star=double_star)
        return cls(text, double_star, fixed, raw_regex)

    def literal(self) -> str | None:
        """The only text it matches, when there is only one for every request."""
        if self.fixed is None or is_regex(self.text):
            return None
        try:
            return Glob(self.text, double_star=self.double_star).literal
        except MalformedGlob:
            return None

    def substituted(self, request: Asked, group: Group) -> Iterator[str]:
        """What it becomes for a request: first without labels, then with each combination of their values."""
        text = replace_groups(self.text, group)
        values = {name: str(getattr(request, name)) for name in FIELDS}
        yield replace_fields(text, values)
        for combined in with_labels(text, request.labels):
            yield replace_fields(combined, values)

    def holds(self, text: str, request: Asked, group: Group) -> bool:
        """Whether a text meets it, directly or by some combination of the request's labels."""
        if self.fixed is not None:
            return self.fixed(text)
        return any(self.meets(one, text) for one in self.substituted(request, group))

    def meets(self, substituted: str, text: str) -> bool:
        """Whether a text meets what the pattern became."""
        return pattern_test(substituted, double_star=self.double_star)(text)


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition on account, type, name or service: one pattern, or several of which any may hold."""

    field: str
    patterns: tuple[Pattern, ...]

    @classmethod
    def compile(cls, field: str, texts: Iterable[str], *, double_star: bool = False) -> Self:
        """Compile patterns."""
        return cls(field, tuple(Pattern.compile(text, double_star=double_star) for text in texts))

    def is_fixed(self) -> bool:
        """Whether it asks only for its own field's text."""
        return all(pattern.fixed is not None for pattern in self.patterns)

    def holds(self, request: Asked, group: Group) -> bool:
        """Whether the request meets it."""
        text = str(getattr(request, self.field))
        return any(pattern.holds(text, request, group) for pattern in self.patterns)

    def group(self, request: Asked, number: int) -> str | None:
        """A group of the first regular expression here that occurs in the request's text; None when there is no such."""
        text = str(getattr(request, self.field))
        for pattern in self.patterns:
            groups = None if pattern.raw_regex is None else pattern.raw_regex.groups_in(text)
            if groups is not None:
                return groups[number] if 0 < number < len(groups) else None
        return None


@dataclass(frozen=True, slots=True)
class Label:
    """A condition on one label: some value of it matches.

    ``groups``: the capture groups that are put in here; only those that one of the rule's texts names too, a quirk of
    docker_auth's.
    """

    name: str
    pattern: str
    double_star: bool = False
    groups: frozenset[tuple[str, int]] = frozenset()

    def substituted(self, request: Asked, group: Group) -> str:
        """What its pattern becomes for a request; labels are not put in."""

        def named(name: str, number: int) -> str | None:
            return group(name, number) if (name, number) in self.groups else None

        return replace_fields(replace_groups(self.pattern, named), {name: str(getattr(request, name)) for name in FIELDS})

    def holds(self, request: Asked, group: Group) -> bool:
        """Whether some value of the request's label meets it."""
        values = request.labels.get(self.name, ())
        if not values:
            return False
        test = pattern_test(self.substituted(request, group), double_star=self.double_star)
        return any(map(test, values))


def compile_labels(
    labels: Mapping[str, str], conditions: Iterable[Condition], *, double_star: bool = False
) -> tuple[Label, ...]:
    """The labels' conditions of a rule, beside its others."""
    texts = [pattern.text for condition in conditions for pattern in condition.patterns]
    named = frozenset(itertools.chain.from_iterable(map(named_groups, texts)))
    return tuple(Label(name, pattern, double_star, named) for name, pattern in sorted(labels.items()))


def pattern_test(pattern: str, *, double_star: bool = False) -> Test:
    """The test of a pattern without placeholders: a search for a regular expression, else a glob on the whole text."""
    make = _remembered if len(pattern) <= MAX_REMEMBERED_LENGTH else _make
    return make(pattern, double_star)


def _make(pattern: str, double_star: bool) -> Test:  # noqa: FBT001 - a key of the cache
    try:
        return Regex(pattern[1:-1]).found_in if is_regex(pattern) else Glob(pattern, double_star=double_star).matches
    except (MalformedRegex, MalformedGlob):
        return _never


# Compiling costs far more than matching, and the same accounts come again.
_remembered = lru_cache(maxsize=MAX_REMEMBERED)(_make)


def _never(_text: str) -> bool:
    return False
