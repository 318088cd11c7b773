"""Go's ``path.Match``: a pattern against a whole text. Reads runes, not bytes; ``*`` and ``?`` stop at ``/``, classes do not.

Source: Go's path package. There, a malformed pattern is an error when matching; callers that ignore the error see "no match".
So :class:`Glob` refuses it when made, and :func:`matcher` gives the callers' view: a malformed pattern never matches.
Ours is ``**``, only when it is asked for: any run, slashes included; in Go's it is a ``*`` behind another.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import re2

from wharfinger.policy.characters import ANY, Ranges, all_but, only, ranges, single

MAX_RANGES: Final = 8_192
"""Ranges of characters in a pattern that is to be compiled, a star being two. A label's value may be one: none takes long."""
_OPTIONS: Final = re2.Options()
_OPTIONS.log_errors = False
_OPTIONS.never_capture = True
_NO_SLASH: Final = all_but(only("/"))
_NOTHING: Final = r"[^\x{0}-\x{10FFFF}]"


class MalformedGlob(ValueError):  # noqa: N818 - named for what it is
    """A pattern that Go calls ErrBadPattern, and why."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a pattern: one character out of a set, or any run of such, also an empty one."""

    characters: Ranges
    run: bool = False


class Glob:
    """A compiled pattern. ``literal``: the only text it matches, when there is only one.

    Raises:
        MalformedGlob: a class is not closed or empty, a range is not one, or the last character escapes nothing;
            or it is longer than any text it is held against.
    """

    __slots__ = ("_matches", "literal", "pattern", "pieces")

    def __init__(self, pattern: str, *, double_star: bool = False) -> None:
        self.pattern = pattern
        self.pieces: tuple[Piece, ...] = tuple(_pieces(pattern, double_star=double_star))
        self.literal = _literal(self.pieces)
        self._matches = self._compile()

    def matches(self, text: str) -> bool:
        """Whether the pattern matches the whole text."""
        return self._matches(text)

    def as_regex(self) -> str:
        """The same as an anchored regular expression of RE2."""
        return r"\A" + "".join(map(_as_regex, self.pieces)) + r"\z"

    def _compile(self) -> Callable[[str], bool]:
        if self.literal is not None:
            return self.literal.__eq__
        prefix = _literal(self.pieces[:-1])
        if prefix is not None and self.pieces[-1] == Piece(_NO_SLASH, run=True):
            # By far the most common, and made anew for every account that is put in: nothing is compiled for it.
            start = len(prefix)
            return lambda text: text.startswith(prefix) and text.find("/", start) < 0 and _is_text(text)
        if sum(len(piece.characters) for piece in self.pieces) > MAX_RANGES:
            raise MalformedGlob(f"it has more than {MAX_RANGES} characters, stars and ranges")
        compiled = re2.compile(self.as_regex(), _OPTIONS)
        return lambda text: _is_text(text) and compiled.fullmatch(text) is not None


def matcher(pattern: str, *, double_star: bool = False) -> Callable[[str], bool]:
    """What a caller of Go's Match sees that takes every error for "no match"."""
    try:
        return Glob(pattern, double_star=double_star).matches
    except MalformedGlob:
        return _never


def _never(_text: str) -> bool:
    return False


def _is_text(text: str) -> bool:
    # A lone surrogate is no text a registry can name.
    return text.isascii() or not any("\ud800" <= one <= "\udfff" for one in text)


def _literal(pieces: Sequence[Piece]) -> str | None:
    found = [None if piece.run else single(piece.characters) for piece in pieces]
    return None if None in found else "".join(filter(None, found))


def _as_regex(piece: Piece) -> str:
    if piece.characters:
        inside = "".join(f"\\x{{{low:x}}}-\\x{{{high:x}}}" for low, high in piece.characters)
        return f"[{inside}]{'*' if piece.run else ''}"
    return _NOTHING


def _pieces(pattern: str, *, double_star: bool) -> list[Piece]:
    pieces, at = [], 0
    while at < len(pattern):
        character = pattern[at]
        if double_star and pattern.startswith("**", at):
            pieces.append(Piece(ANY, run=True))
            at += 2
        elif character == "*":
            pieces.append(Piece(_NO_SLASH, run=True))
            at += 1
        elif character == "?":
            pieces.append(Piece(_NO_SLASH))
            at += 1
        elif character == "[":
            members, at = _class(pattern, at + 1)
            pieces.append(Piece(members))
        else:
            literal, at = _rune(pattern, at, inside_class=False)
            pieces.append(Piece(only(literal)))
    return pieces


def _class(pattern: str, at: int) -> tuple[Ranges, int]:
    negated = pattern.startswith("^", at)
    at += negated
    pairs: list[tuple[int, int]] = []
    while not (pairs and pattern.startswith("]", at)):
        low, at = _rune(pattern, at, inside_class=True)
        high = low
        if pattern.startswith("-", at):
            high, at = _rune(pattern, at + 1, inside_class=True)
        pairs.append((ord(low), ord(high)))
    # Only ranges that run backwards: legal, and without a member.
    members = ranges(pairs)
    return (all_but(members) if negated else members), at + 1


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
