"""Versions as tags name them, and ranges over them, as npm and Cargo write those. Precedence is Semantic Versioning 2.0's.

A tag is a version when it has two or three numbers, ``1.10`` or ``v1.10.0-rc.2``. A number alone is none: the first letters of
a commit often are one. Of the libraries, ``semver`` knows no such ranges; those that do are not developed any more.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import total_ordering
from typing import Final

_NUMBER: Final = r"(?:0|[1-9]\d*)"
_IDENTIFIER: Final = r"(?:0|[1-9]\d*|\d*[A-Za-z-][0-9A-Za-z-]*)"
_TAIL: Final = rf"(?:-({_IDENTIFIER}(?:\.{_IDENTIFIER})*))?(?:\+[0-9A-Za-z.-]+)?"
_VERSION: Final = re.compile(rf"v?({_NUMBER})\.({_NUMBER})(?:\.({_NUMBER}))?{_TAIL}", re.ASCII)
_COMPARATOR: Final = re.compile(
    rf"(\^|~|>=|<=|>|<|=)?v?({_NUMBER}|[xX*])(?:\.({_NUMBER}|[xX*]))?(?:\.({_NUMBER}|[xX*]))?{_TAIL}", re.ASCII
)
_SPACE_BEHIND: Final = re.compile(r"(\^|~|>=|<=|>|<|=)\s+")
_BETWEEN: Final = re.compile(r"[\s,]+")


class MalformedRange(ValueError):  # noqa: N818 - named for what it is
    """A text that is no range, and which part of it."""


@total_ordering
@dataclass(frozen=True, slots=True)
class Version:
    """A version. ``pre``: its pre-release identifiers, none for a release. What stands behind a plus orders nothing."""

    numbers: tuple[int, int, int]
    pre: tuple[str, ...] = ()

    def __lt__(self, other: "Version") -> bool:
        """Precedence, https://semver.org/#spec-item-11: a pre-release is older than its release."""
        return (self.numbers, self._order()) < (other.numbers, other._order())

    def __str__(self) -> str:
        return ".".join(map(str, self.numbers)) + ("-" + ".".join(self.pre) if self.pre else "")

    def _order(self) -> tuple[bool, tuple[tuple[bool, int, str], ...]]:
        # Numbers are older than words, and compared as such; fewer identifiers are older than more.
        return not self.pre, tuple((not one.isdigit(), int(one) if one.isdigit() else 0, one) for one in self.pre)


def parse_version(tag: str) -> Version | None:
    """The version that a tag names; None when it names none."""
    found = _VERSION.fullmatch(tag)
    if found is None:
        return None
    return Version((int(found[1]), int(found[2]), int(found[3] or 0)), _identifiers(found[4]))


def _identifiers(text: str | None) -> tuple[str, ...]:
    return tuple(text.split(".")) if text else ()


@dataclass(frozen=True, slots=True)
class Bounds:
    """What lies between two versions; None: no end. ``pre_of``: the versions of which pre-releases are named outright."""

    low: Version | None = None
    low_in: bool = True
    high: Version | None = None
    high_in: bool = False
    pre_of: frozenset[tuple[int, int, int]] = frozenset()

    def takes(self, version: Version) -> bool:
        """Whether a version lies between them."""
        if self.low is not None and (version < self.low or (version == self.low and not self.low_in)):
            return False
        return self.high is None or version < self.high or (version == self.high and self.high_in)


class Range:
    """A set of versions. Raises MalformedRange."""

    __slots__ = ("_alternatives", "_prerelease", "text")

    def __init__(self, text: str, *, prerelease: bool = False) -> None:
        self.text = text
        self._prerelease = prerelease
        self._alternatives = tuple(_alternative(part, text) for part in text.split("||"))

    def takes(self, version: Version) -> bool:
        """Whether a version is in it. A pre-release is only if the range names one of the same version, or takes them all."""
        return any(
            all(bounds.takes(version) for bounds in alternative)
            and (self._prerelease or not version.pre or any(version.numbers in bounds.pre_of for bounds in alternative))
            for alternative in self._alternatives
        )


def _alternative(part: str, text: str) -> tuple[Bounds, ...]:
    comparators = list(filter(None, _BETWEEN.split(_SPACE_BEHIND.sub(r"\1", part.strip()))))
    if not comparators:
        raise MalformedRange(f"{text!r} has an empty part, which would take every version: write *")
    return tuple(map(_bounds, comparators))


def _bounds(comparator: str) -> Bounds:
    found = _COMPARATOR.fullmatch(comparator)
    if found is None:
        raise MalformedRange(f"{comparator!r} is no version, nor ^, ~, >=, >, <=, < or = before one")
    numbers = [int(one) for one in _given(found[2], found[3], found[4])]
    pre = _identifiers(found[5])
    if pre and len(numbers) < 3:  # noqa: PLR2004 - a whole version
        raise MalformedRange(f"{comparator!r} has a pre-release of no whole version")
    return _MEANS[found[1] or "="](numbers, pre)


def _given(*parts: str | None) -> list[str]:
    given: list[str] = []
    for part in parts:
        if part is None or part in "xX*":
            break
        given.append(part)
    return given


def _from(numbers: list[int], pre: tuple[str, ...]) -> Version:
    """The first version that begins so. Of one that is not whole, the first pre-release there could be."""
    major, minor, patch = (*numbers, 0, 0, 0)[:3]
    return Version((major, minor, patch), pre if len(numbers) == 3 else ("0",))  # noqa: PLR2004 - a whole version


def _behind(numbers: list[int], at: int) -> Version | None:
    """The first version behind all that agree in so many numbers; None when that is all versions."""
    if not at:
        return None
    raised = [*numbers[: at - 1], numbers[at - 1] + 1]
    return _from(raised + [0] * (3 - at), ("0",))


def _of(numbers: list[int], pre: tuple[str, ...]) -> frozenset[tuple[int, int, int]]:
    return frozenset({_from(numbers, pre).numbers}) if pre else frozenset()


def _equal(numbers: list[int], pre: tuple[str, ...]) -> Bounds:
    if len(numbers) == 3:  # noqa: PLR2004 - a whole version
        one = _from(numbers, pre)
        return Bounds(one, high=one, high_in=True, pre_of=_of(numbers, pre))
    return Bounds(_from(numbers, pre) if numbers else None, high=_behind(numbers, len(numbers)))


def _caret(numbers: list[int], pre: tuple[str, ...]) -> Bounds:
    # Up to the next change of the first number that is not 0; of what is all 0, of the last one given.
    fixed = next((at for at, number in enumerate(numbers, start=1) if number), len(numbers))
    return Bounds(_from(numbers, pre) if numbers else None, high=_behind(numbers, fixed), pre_of=_of(numbers, pre))


def _tilde(numbers: list[int], pre: tuple[str, ...]) -> Bounds:
    return Bounds(
        _from(numbers, pre) if numbers else None, high=_behind(numbers, min(2, len(numbers))), pre_of=_of(numbers, pre)
    )


def _least(numbers: list[int], pre: tuple[str, ...]) -> Bounds:
    return Bounds(_from(numbers, pre) if numbers else None, pre_of=_of(numbers, pre))


def _above(numbers: list[int], pre: tuple[str, ...]) -> Bounds:
    if len(numbers) == 3:  # noqa: PLR2004 - a whole version
        return Bounds(_from(numbers, pre), low_in=False, pre_of=_of(numbers, pre))
    return Bounds(_behind(numbers, len(numbers))) if numbers else _NOTHING


def _most(numbers: list[int], pre: tuple[str, ...]) -> Bounds:
    if len(numbers) == 3:  # noqa: PLR2004 - a whole version
        return Bounds(high=_from(numbers, pre), high_in=True, pre_of=_of(numbers, pre))
    return Bounds(high=_behind(numbers, len(numbers)))


def _below(numbers: list[int], pre: tuple[str, ...]) -> Bounds:
    return Bounds(high=_from(numbers, pre), pre_of=_of(numbers, pre)) if numbers else _NOTHING


_FIRST: Final = Version((0, 0, 0), ("0",))
_NOTHING: Final = Bounds(high=_FIRST)
"""Above, or below, whatever there is."""
_MEANS: Final[dict[str, Callable[[list[int], tuple[str, ...]], Bounds]]] = {
    "=": _equal,
    "^": _caret,
    "~": _tilde,
    ">=": _least,
    ">": _above,
    "<=": _most,
    "<": _below,
}
