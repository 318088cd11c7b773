"""Which rules the texts of a request leave: found at once, not rule by rule. What it leaves out certainly does not match.

Each of account, type, name and service has its own index: a table of the literal patterns, one automaton (``re2.Set``) for all
the others, and the rules that it cannot tell about, since they have no condition there, or one with a placeholder. An answer is
a number whose bit n stands for rule n + 1.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache, reduce
from operator import attrgetter, or_
from typing import Final

import re2

from wharfinger.policy.condition import TEXT_FIELDS, Pattern, Test
from wharfinger.policy.glob import Glob, MalformedGlob
from wharfinger.policy.rule import Request, Rule
from wharfinger.policy.substitution import is_regex

MAX_MEMORY: Final = 8 * 1024 * 1024
"""Bytes for one field's automaton with the states it remembers; RE2 forgets states when it is full."""

REMEMBERED: Final = 1_024
"""Texts of each field whose answer is kept: the same accounts and repositories come again."""

Found = Callable[[str], list[int] | None]


class Index:
    """Prepared once for a list of rules. ``max_memory`` is for each field."""

    def __init__(self, rules: Sequence[Rule], *, max_memory: int = MAX_MEMORY) -> None:
        self._all = (1 << len(rules)) - 1
        made = {name: _FieldIndex(name, rules, max_memory) for name in TEXT_FIELDS}
        # A field that no rule asks for tells nothing.
        self._fields = tuple(
            (attrgetter(name), lru_cache(maxsize=REMEMBERED)(field.left_by))
            for name, field in made.items()
            if field.open != self._all
        )

    def left_by(self, request: Request) -> int:
        """The rules whose fixed conditions on texts all hold."""
        left = self._all
        for text, left_by in self._fields:
            left &= left_by(text(request))
            if not left:
                break
        return left


class _FieldIndex:
    def __init__(self, name: str, rules: Sequence[Rule], max_memory: int) -> None:
        self.open = 0
        self._literals: dict[str, int] = {}
        tests: dict[str, Test] = {}
        masks: dict[str, int] = {}
        for at, rule in enumerate(rules):
            condition = rule.condition(name)
            if condition is None or not condition.is_fixed():
                self.open |= 1 << at
                continue
            for pattern in condition.patterns:
                literal, regex = pattern.literal(), _as_regex(pattern)
                if literal is not None:
                    self._literals[literal] = self._literals.get(literal, 0) | 1 << at
                elif regex is not None and pattern.fixed is not None:
                    tests[regex] = pattern.fixed
                    masks[regex] = masks.get(regex, 0) | 1 << at
        self._tests = tuple(tests.values())
        self._masks = tuple(masks.values())
        self._found = _automaton(tuple(tests), max_memory)

    def left_by(self, text: str) -> int:
        """The rules whose condition on this field is met by a text, and the open ones."""
        left = self.open | self._literals.get(text, 0)
        if not self._masks:
            return left
        found = self._found(text)
        if found is None:
            # It could not tell. Rule by rule then, which is slow and always right.
            found = [number for number, test in enumerate(self._tests) if test(text)]
        return reduce(or_, (self._masks[number] for number in found), left)


def _as_regex(pattern: Pattern) -> str | None:
    if is_regex(pattern.text):
        return pattern.text[1:-1]
    try:
        return Glob(pattern.text, double_star=pattern.double_star).as_regex()
    except MalformedGlob:
        return None


def _automaton(patterns: Sequence[str], max_memory: int) -> Found:
    """Which of the patterns occur in a text; None when that could not be told."""
    options = re2.Options()
    options.log_errors = False
    options.never_capture = True
    options.max_mem = max_memory
    automaton = re2.Set.SearchSet(options)
    try:
        for pattern in patterns:
            automaton.Add(pattern)
        # NOTE: RE2 answers "nothing" when it runs out of memory, which would let a rule that denies be passed over. So there is
        # one more, which occurs in every text: an answer without it is none.
        always = automaton.Add("")
        automaton.Compile()
    except re2.error:
        return lambda _text: None

    def found(text: str) -> list[int] | None:
        try:
            return certain(automaton.Match(text), always)
        except UnicodeEncodeError:
            return None

    return found


def certain(numbers: list[int] | None, always: int) -> list[int] | None:
    """The patterns that were found, without the one that always is; None when even that is missing."""
    if numbers is None or always not in numbers:
        return None
    return [number for number in numbers if number != always]
