"""Reads regular expressions of RE2 into trees, for those who reason about them. Matches nothing: that is RE2's.

Only what is certain is read. Flags, word boundaries, POSIX and Unicode classes, and whatever else is not written here, make
``None``: then nothing is claimed of the expression. Given are expressions that RE2 has taken.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from wharfinger.policy.characters import ANY, Ranges, all_but, only, ranges, single

MAX_DEPTH: Final = 50
_REPEAT: Final = re.compile(r"\{([0-9]{1,4})(,([0-9]{1,4})?)?\}", re.ASCII)
_OPENING: Final = re.compile(r"\((\?:|\?P?<[A-Za-z_][A-Za-z0-9_]*>|(?!\?))", re.ASCII)
_WORD: Final = ranges([(0x30, 0x39), (0x41, 0x5A), (0x5F, 0x5F), (0x61, 0x7A)])
_DIGIT: Final = ranges([(0x30, 0x39)])
_SPACE: Final = only("\t\n\f\r ")
_ESCAPED_SETS: Final = {
    "d": _DIGIT, "w": _WORD, "s": _SPACE, "D": all_but(_DIGIT), "W": all_but(_WORD), "S": all_but(_SPACE),
    "t": only("\t"), "n": only("\n"), "r": only("\r"), "f": only("\f"), "v": only("\v"), "a": only("\a"),
}  # fmt: skip
_DOT: Final = all_but(only("\n"))


@dataclass(frozen=True, slots=True)
class Characters:
    """One character out of a set."""

    members: Ranges


@dataclass(frozen=True, slots=True)
class Edge:
    """The start of the text, or its end."""

    end: bool


@dataclass(frozen=True, slots=True)
class Sequence:
    """One part after the other; without parts, the empty text."""

    parts: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """Any of the parts."""

    parts: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Repeat:
    """A part ``low`` to ``high`` times; None: any number of times."""

    part: "Node"
    low: int
    high: int | None


@dataclass(frozen=True, slots=True)
class Capture:
    """A group, numbered from 1 by its opening bracket."""

    number: int
    part: "Node"


Node = Characters | Edge | Sequence | Choice | Repeat | Capture


class _NotUnderstood(Exception):  # noqa: N818 - never leaves this module
    pass


def parse(pattern: str) -> Node | None:
    """The tree of an expression, without its slashes; None: it is not understood here, which says nothing about it."""
    reader = _Reader(pattern)
    try:
        node = reader.choice(0)
    except _NotUnderstood:
        return None
    return node if reader.at == len(pattern) else None


def captured(node: Node, number: int) -> Ranges | None:
    """The characters that a group may hold; None: there is no such group."""
    for one in _walk(node):
        if isinstance(one, Capture) and one.number == number:
            return ranges(pair for inner in _walk(one) if isinstance(inner, Characters) for pair in inner.members)
    return None


def _walk(node: Node) -> Iterator[Node]:
    yield node
    match node:
        case Sequence(parts) | Choice(parts):
            for part in parts:
                yield from _walk(part)
        case Repeat(part) | Capture(_, part):
            yield from _walk(part)
        case _:
            return


class _Reader:
    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self.at = 0
        self._groups = 0

    def choice(self, depth: int) -> Node:
        if depth > MAX_DEPTH:
            raise _NotUnderstood
        parts = [self._sequence(depth)]
        while self._take("|"):
            parts.append(self._sequence(depth))
        return parts[0] if len(parts) == 1 else Choice(tuple(parts))

    def _take(self, text: str) -> bool:
        if not self._pattern.startswith(text, self.at):
            return False
        self.at += len(text)
        return True

    def _next(self) -> str:
        if self.at >= len(self._pattern):
            raise _NotUnderstood
        self.at += 1
        return self._pattern[self.at - 1]

    def _sequence(self, depth: int) -> Node:
        parts = []
        while self.at < len(self._pattern) and self._pattern[self.at] not in "|)":
            parts.append(self._repeated(self._atom(depth)))
        return parts[0] if len(parts) == 1 else Sequence(tuple(parts))

    def _repeated(self, part: Node) -> Node:
        counted = _REPEAT.match(self._pattern, self.at)
        if counted is not None:
            self.at = counted.end()
            low = int(counted[1])
            high = low if counted[2] is None else None if counted[3] is None else int(counted[3])
        elif self._take("*"):
            low, high = 0, None
        elif self._take("+"):
            low, high = 1, None
        elif self._take("?"):
            low, high = 0, 1
        else:
            return part
        self._take("?")  # as few as possible: the same texts
        if self.at < len(self._pattern) and (self._pattern[self.at] in "*+?" or _REPEAT.match(self._pattern, self.at)):
            raise _NotUnderstood
        return Repeat(part, low, high)

    def _atom(self, depth: int) -> Node:
        opening = _OPENING.match(self._pattern, self.at)
        if opening is not None:
            return self._group(opening[1] != "?:", opening.end(), depth)
        character = self._next()
        match character:
            case "^" | "$":
                return Edge(end=character == "$")
            case "." | "[":
                return Characters(_DOT if character == "." else self._class())
            case "\\":
                return self._escape()
            case "(" | "*" | "+" | "?":
                raise _NotUnderstood
            case _:
                return Characters(only(character))

    def _group(self, captures: bool, start: int, depth: int) -> Node:  # noqa: FBT001 - of one call
        self.at = start
        self._groups += captures
        number = self._groups
        part = self.choice(depth + 1)
        if not self._take(")"):
            raise _NotUnderstood
        return Capture(number, part) if captures else part

    def _escape(self) -> Node:
        if self._take("A"):
            return Edge(end=False)
        if self._take("z"):
            return Edge(end=True)
        return Characters(self._escaped())

    def _escaped(self) -> Ranges:
        character = self._next()
        if character in _ESCAPED_SETS:
            return _ESCAPED_SETS[character]
        if character.isalnum() or not character.isascii():
            raise _NotUnderstood
        return only(character)

    def _class(self) -> Ranges:
        negated = self._take("^")
        members: list[tuple[int, int]] = []
        first = True
        while first or not self._take("]"):
            first = False
            if self._pattern.startswith("[:", self.at):
                raise _NotUnderstood
            low = self._member()
            high = low
            if self._pattern.startswith("-", self.at) and not self._pattern.startswith("-]", self.at):
                self.at += 1
                high = self._member()
                if single(low) is None or single(high) is None:
                    raise _NotUnderstood
                members.append((low[0][0], high[0][0]))
            else:
                members += low
        return all_but(ranges(members)) if negated else ranges(members)

    def _member(self) -> Ranges:
        return self._escaped() if self._take("\\") else only(self._next())


def unanchored(node: Node) -> Node:
    """What a search finds: the expression with anything around it."""
    anything = Repeat(Characters(ANY), 0, None)
    return Sequence((anything, node, anything))
