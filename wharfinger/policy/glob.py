"""Go's ``path.Match``: a pattern against a whole text. Reads runes, not bytes; ``*`` and ``?`` stop at ``/``, classes do not.

Source: Go's path package. There, a malformed pattern is an error when matching; callers that ignore the error see "no match".
So :class:`Glob` refuses it when made, and :func:`matcher` gives the callers' view: a malformed pattern never matches.
"""

from collections.abc import Callable
from typing import Final

import re2

_OPTIONS: Final = re2.Options()
_OPTIONS.log_errors = False
_OPTIONS.dot_nl = True
_OPTIONS.never_capture = True


class MalformedGlob(ValueError):  # noqa: N818 - named for what it is
    """A pattern that Go calls ErrBadPattern, and why."""


class Glob:
    """A compiled pattern.

    Raises:
        MalformedGlob: a class is not closed or empty, a range is not one, or the last character escapes nothing.
    """

    __slots__ = ("_matches", "pattern")

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self._matches = _compile(pattern)

    def matches(self, text: str) -> bool:
        """Whether the pattern matches the whole text."""
        return self._matches(text)


def matcher(pattern: str) -> Callable[[str], bool]:
    """What a caller of Go's Match sees that takes every error for "no match"."""
    try:
        return Glob(pattern).matches
    except MalformedGlob:
        return _never


def _never(_text: str) -> bool:
    return False


def _compile(pattern: str) -> Callable[[str], bool]:
    if not any(character in pattern for character in "*?[\\"):
        return pattern.__eq__
    compiled = re2.compile(_translate(pattern), _OPTIONS)

    def matches(text: str) -> bool:
        try:
            return compiled.fullmatch(text) is not None
        except UnicodeEncodeError:  # a lone surrogate is no text a registry can name
            return False

    return matches


def _translate(pattern: str) -> str:
    parts, at = [], 0
    while at < len(pattern):
        character = pattern[at]
        if character == "*":
            parts.append("[^/]*")
            at += 1
        elif character == "?":
            parts.append("[^/]")
            at += 1
        elif character == "[":
            part, at = _class(pattern, at + 1)
            parts.append(part)
        else:
            literal, at = _rune(pattern, at, inside_class=False)
            parts.append(re2.escape(literal))
    return "".join(parts)


def _class(pattern: str, at: int) -> tuple[str, int]:
    negated = pattern.startswith("^", at)
    at += negated
    ranges: list[str] = []
    while not (ranges and pattern.startswith("]", at)):
        low, at = _rune(pattern, at, inside_class=True)
        high = low
        if pattern.startswith("-", at):
            high, at = _rune(pattern, at + 1, inside_class=True)
        ranges.append(_range(low, high))
    members = "".join(ranges)
    if members:
        return f"[{'^' if negated else ''}{members}]", at + 1
    # Only ranges that run backwards: legal, and without a member.
    return ("(?s:.)" if negated else r"[^\x{0}-\x{10FFFF}]"), at + 1


def _range(low: str, high: str) -> str:
    return f"\\x{{{ord(low):x}}}-\\x{{{ord(high):x}}}" if low <= high else ""


def _rune(pattern: str, at: int, *, inside_class: bool) -> tuple[str, int]:
    if at >= len(pattern):
        raise MalformedGlob("a class, opened by [, is not closed")
    character = pattern[at]
    if inside_class and character in "-]":
        raise MalformedGlob(f"a class holds {character} where a character must stand; write \\{character}")
    if character == "\\":
        at += 1
        if at >= len(pattern):
            raise MalformedGlob("its last character is a backslash, which escapes nothing")
        character = pattern[at]
    if inside_class and at + 1 >= len(pattern):
        raise MalformedGlob("a class, opened by [, is not closed")
    return character, at + 1
