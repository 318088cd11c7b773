"""One condition of a rule on a text of the request, and the labels' conditions. Compiled once where no placeholder stands."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Protocol, Self

from wharfinger.policy.glob import matcher
from wharfinger.policy.regex import MalformedRegex, Regex
from wharfinger.policy.substitution import FIELDS, has_placeholder, is_regex, replace_fields, replace_groups, with_labels

TEXT_FIELDS: Final = FIELDS

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
    def labels(self) -> "LabelValues": ...  # noqa: D102


class LabelValues(Protocol):
    """Labels by name."""

    def get(self, key: str, default: tuple[str, ...], /) -> tuple[str, ...]: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition on account, type, name or service. ``fixed`` is its test when it has no placeholder."""

    field: str
    pattern: str
    fixed: Test | None
    raw_regex: Regex | None

    @classmethod
    def compile(cls, field: str, pattern: str) -> Self:
        """Compile a pattern that was found usable."""
        raw_regex = None
        if is_regex(pattern):
            try:
                raw_regex = Regex(pattern[1:-1])
            except MalformedRegex:  # pragma: no cover - usable patterns are not
                raw_regex = None
        return cls(field, pattern, None if has_placeholder(pattern) else pattern_test(pattern), raw_regex)

    def holds(self, request: Asked, group: Group) -> bool:
        """Whether the request meets it, directly or by some combination of its labels."""
        text = str(getattr(request, self.field))
        if self.fixed is not None:
            return self.fixed(text)
        return any(pattern_test(pattern)(text) for pattern in self._substituted(request, group))

    def _substituted(self, request: Asked, group: Group) -> Iterable[str]:
        pattern = replace_groups(self.pattern, group)
        values = {name: str(getattr(request, name)) for name in FIELDS}
        yield replace_fields(pattern, values)
        for combined in with_labels(pattern, request.labels):  # type: ignore[arg-type]  # a mapping in every caller
            yield replace_fields(combined, values)


@dataclass(frozen=True, slots=True)
class Label:
    """A condition on one label: some value of it matches."""

    name: str
    pattern: str


def labels_hold(labels: Sequence[Label], request: Asked, group: Group, conditions: Sequence[Condition]) -> bool:
    """Whether every label has a value that matches.

    Capture groups work in a label's pattern only when one of the rule's texts names the same group (docker_auth's quirk).
    """
    texts = "".join(condition.pattern for condition in conditions)

    def named_group(name: str, number: int) -> str | None:
        return group(name, number) if f"${{{name}:{number}}}" in texts else None

    values = {name: str(getattr(request, name)) for name in FIELDS}
    for label in labels:
        test = pattern_test(replace_fields(replace_groups(label.pattern, named_group), values))
        if not any(test(value) for value in request.labels.get(label.name, ())):
            return False
    return True


@lru_cache(maxsize=4_096)
def pattern_test(pattern: str) -> Test:
    """The test of a pattern without placeholders: a search for a regular expression, else a glob on the whole text.

    Remembered: compiling costs far more than matching, and the same accounts come again.
    """
    if is_regex(pattern):
        try:
            return Regex(pattern[1:-1]).found_in
        except MalformedRegex:
            return _never
    return matcher(pattern)


def _never(_text: str) -> bool:
    return False
