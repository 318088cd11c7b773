"""The texts that a pattern matches, as an automaton: whether they are all another's too, and the shortest that is not.

For those who look a list over. Deciding does not go this way. What is found is certain, and what takes too long is not found.
"""

import itertools
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from enum import Enum
from functools import lru_cache
from typing import Final, assert_never

from wharfinger.policy import syntax
from wharfinger.policy.characters import LAST, Ranges, holds
from wharfinger.policy.condition import pattern_test
from wharfinger.policy.glob import Glob, MalformedGlob
from wharfinger.policy.substitution import has_placeholder, is_regex

MAX_NODES: Final = 2_000
"""States of one automaton: a repetition of repetitions may ask for billions."""
MAX_SEARCHED: Final = 2_000
"""States that are looked at in one search."""
_LIKED: Final = "abcdefghijklmnopqrstuvwxyz0123456789-_./@"
"""Characters that examples are made of, where there is a choice, in this order."""

States = frozenset[int]


class TooLarge(Exception):  # noqa: N818 - named for what it is
    """The question cannot be answered within the bounds."""


class _When(Enum):
    ALWAYS = 0
    AT_START = 1
    AT_END = 2


_INSIDE: Final = frozenset({_When.ALWAYS})
_FIRST: Final = frozenset({_When.ALWAYS, _When.AT_START})
_LAST: Final = frozenset({_When.ALWAYS, _When.AT_END})
_EMPTY: Final = frozenset(_When)


class Automaton:
    """States with edges: by a character out of a set, or by nothing, maybe only at the start or the end of the text."""

    def __init__(self) -> None:
        self._edges: list[list[tuple[Ranges, int]]] = []
        self._jumps: list[list[tuple[_When, int]]] = []
        self._stepped: dict[tuple[States, int], States] = {}
        self.start = self.node()
        self.accept = self.start

    def node(self) -> int:
        """A new state."""
        if len(self._edges) >= MAX_NODES:
            raise TooLarge
        self._edges.append([])
        self._jumps.append([])
        return len(self._edges) - 1

    def edge(self, origin: int, members: Ranges, goal: int) -> None:
        """From one state to another by any of some characters."""
        self._edges[origin].append((members, goal))

    def jump(self, origin: int, goal: int, *, when: _When = _When.ALWAYS) -> None:
        """From one state to another by nothing."""
        self._jumps[origin].append((when, goal))

    def boundaries(self) -> Iterator[int]:
        """Where characters begin to differ for it."""
        for edges in self._edges:
            for members, _ in edges:
                for low, high in members:
                    yield low
                    yield high + 1

    def first(self) -> States:
        """Where it is before any character."""
        return self._closed([self.start], _FIRST)

    def step(self, states: States, point: int) -> States:
        """Where it is after one more character."""
        key = states, point
        found = self._stepped.get(key)
        if found is None:
            goals = [goal for state in states for members, goal in self._edges[state] if holds(members, point)]
            found = self._stepped[key] = self._closed(goals, _INSIDE)
        return found

    def accepts(self, states: States, *, empty: bool) -> bool:
        """Whether a text may end there. ``empty``: no character came, so its end is its start too."""
        return self.accept in self._closed(states, _EMPTY if empty else _LAST)

    def _closed(self, states: Iterable[int], allowed: frozenset[_When]) -> States:
        found = set(states)
        waiting = list(found)
        while waiting:
            for when, goal in self._jumps[waiting.pop()]:
                if when in allowed and goal not in found:
                    found.add(goal)
                    waiting.append(goal)
        return frozenset(found)


class Languages:
    """Automata by pattern, made once for one looking over."""

    def __init__(self, *, double_star: bool = False) -> None:
        self._double_star = double_star
        self._made: dict[str, Automaton | None] = {}
        self._plain: dict[str, str | None] = {}
        self._found: dict[tuple[tuple[str, ...], tuple[str, ...]], str | None] = {}

    def of(self, pattern: str) -> Automaton | None:
        """The texts of a pattern; None when it depends on the request, or is not understood."""
        if pattern not in self._made:
            self._made[pattern] = automaton(pattern, double_star=self._double_star)
        return self._made[pattern]

    def find(self, inside: Sequence[str], outside: Sequence[str] = ()) -> str | None:
        """The shortest text that all of some patterns match, and none of others. None: there is no such text.

        Raises:
            TooLarge: that cannot be told: a pattern is not understood, or the search is too long.
        """
        key = tuple(inside), tuple(outside)
        if key not in self._found:
            machines = [self.of(pattern) for pattern in (*inside, *outside)]
            known = [one for one in machines if one is not None]
            if len(known) < len(machines):
                raise TooLarge
            self._found[key] = find(known[: len(inside)], known[len(inside) :])
        return self._found[key]

    def example(self, pattern: str, grammar: str) -> str | None:
        """A short text that a pattern matches and a grammar allows; None when there is none, or none was found."""
        if pattern not in self._plain:
            self._plain[pattern] = _plain_example(pattern, double_star=self._double_star)
        plain = self._plain[pattern]
        if plain is not None and pattern_test(grammar)(plain):
            return plain
        try:
            return self.find([pattern, grammar])
        except TooLarge:
            return None

    def is_empty(self, inside: Sequence[str], outside: Sequence[str] = ()) -> bool:
        """Whether there is certainly no such text."""
        try:
            return self.find(inside, outside) is None
        except TooLarge:
            return False


def automaton(pattern: str, *, double_star: bool = False) -> Automaton | None:
    """The texts that a pattern of a rule matches; None when it depends on the request, or is not understood."""
    if has_placeholder(pattern):
        return None
    try:
        if is_regex(pattern):
            node = syntax.parse(pattern[1:-1])
            return None if node is None else _of_node(syntax.unanchored(node))
        return _of_glob(Glob(pattern, double_star=double_star))
    except (MalformedGlob, TooLarge):
        return None


def _plain_example(pattern: str, *, double_star: bool) -> str | None:
    # Nearly every pattern is met by itself with a letter for each star or dot: no search is needed. It is tried, not trusted.
    if has_placeholder(pattern):
        return None
    if is_regex(pattern):
        node = syntax.parse(pattern[1:-1])
        text = None if node is None else _plain_text(node)
    else:
        try:
            text = "".join(_liked(piece.characters) for piece in Glob(pattern, double_star=double_star).pieces)
        except MalformedGlob:
            return None
    return text if text is not None and pattern_test(pattern, double_star=double_star)(text) else None


def _plain_text(node: syntax.Node) -> str:
    match node:
        case syntax.Characters(members):
            return _liked(members)
        case syntax.Sequence(parts):
            return "".join(map(_plain_text, parts))
        case syntax.Choice(parts):
            return _plain_text(parts[0])
        case syntax.Repeat(part, low, _):
            return _plain_text(part) * low
        case syntax.Capture(_, part):
            return _plain_text(part)
        case syntax.Edge():
            return ""
        case _:
            assert_never(node)


@lru_cache(maxsize=1_024)
def _liked(members: Ranges) -> str:
    return next((one for one in _LIKED if holds(members, ord(one))), chr(members[0][0]) if members else "")


def find(inside: Sequence[Automaton], outside: Sequence[Automaton]) -> str | None:
    """The shortest text that all of some automata accept, and none of others. Raises TooLarge."""
    machines = (*inside, *outside)
    points = _representatives(machines)
    start = tuple(one.first() for one in machines)
    seen: set[tuple[States, ...]] = set()
    waiting = deque([(start, "")])
    while waiting:
        states, text = waiting.popleft()
        accepted = [one.accepts(where, empty=not text) for one, where in zip(machines, states, strict=True)]
        if all(accepted[: len(inside)]) and not any(accepted[len(inside) :]):
            return text
        for point in points:
            after = _stepped(machines, states, point, len(inside))
            if after is not None and after not in seen:
                seen.add(after)
                waiting.append((after, text + chr(point)))
        if len(seen) > MAX_SEARCHED:
            raise TooLarge
    return None


def _stepped(machines: Sequence[Automaton], states: tuple[States, ...], point: int, inside: int) -> tuple[States, ...] | None:
    after = []
    for at, (machine, where) in enumerate(zip(machines, states, strict=True)):
        goals = machine.step(where, point)
        if not goals and at < inside:
            return None  # no text that starts so can be accepted
        after.append(goals)
    return tuple(after)


def _representatives(machines: Iterable[Automaton]) -> list[int]:
    # One character for each stretch in which all behave alike; the half of the surrogates cannot stand in a text.
    cuts = sorted({0, 0xD800, 0xE000, LAST + 1}.union(*(one.boundaries() for one in machines)))
    found = []
    for low, end in itertools.pairwise(cuts):
        if low < LAST + 1 and not 0xD800 <= low < 0xE000:  # noqa: PLR2004 - Unicode's
            liked = next((at for at, one in enumerate(_LIKED) if low <= ord(one) < end), None)
            found.append((len(_LIKED) + low, low) if liked is None else (liked, ord(_LIKED[liked])))
    return [point for _, point in sorted(found)]


def _of_glob(glob: Glob) -> Automaton:
    made = Automaton()
    here = made.start
    for piece in glob.pieces:
        goal = made.node()
        if piece.run:
            made.jump(here, goal)
            made.edge(goal, piece.characters, goal)
        else:
            made.edge(here, piece.characters, goal)
        here = goal
    made.accept = here
    return made


def _of_node(node: syntax.Node) -> Automaton:
    made = Automaton()
    made.accept = _add(made, node, made.start)
    return made


def _add(made: Automaton, node: syntax.Node, here: int) -> int:
    match node:
        case syntax.Characters(members):
            goal = made.node()
            made.edge(here, members, goal)
            return goal
        case syntax.Edge(end):
            goal = made.node()
            made.jump(here, goal, when=_When.AT_END if end else _When.AT_START)
            return goal
        case syntax.Sequence(parts):
            for part in parts:
                here = _add(made, part, here)
            return here
        case syntax.Choice(parts):
            goal = made.node()
            for part in parts:
                made.jump(_add(made, part, here), goal)
            return goal
        case syntax.Repeat(part, low, high):
            return _repeat(made, part, here, low, high)
        case syntax.Capture(_, part):
            return _add(made, part, here)
        case _:
            assert_never(node)


def _repeat(made: Automaton, part: syntax.Node, here: int, low: int, high: int | None) -> int:
    for _ in range(low):
        here = _add(made, part, here)
    if high is None:
        around = made.node()
        made.jump(here, around)
        made.jump(_add(made, part, around), around)
        return around
    goal = made.node()
    made.jump(here, goal)
    for _ in range(high - low):
        here = _add(made, part, here)
        made.jump(here, goal)
    return goal


EVERYTHING: Final = "/(?:)/"
"""A pattern that every text meets."""
