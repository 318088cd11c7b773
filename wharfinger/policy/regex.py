r"""Go's regular expressions, by RE2: linear in the text, whatever a remote client sends as a repository's name.

Python's own ``re`` differs in 7 of 13 probes (``$`` before a newline, ``\d``, POSIX classes) and backtracks without bound.
"""

from collections.abc import Sequence
from typing import Final

import re2

MAX_MEMORY: Final = 8 * 1024 * 1024
"""Bytes one pattern may take; RE2's own default."""

_QUOTED: Final = str.maketrans({character: f"\\{character}" for character in r"\.+*?()|[]{}^$"})
_OPTIONS: Final = re2.Options()
_OPTIONS.log_errors = False
_OPTIONS.max_mem = MAX_MEMORY


class MalformedRegex(ValueError):  # noqa: N818 - named for what it is
    """A pattern RE2 does not take, and why."""


class Regex:
    """A compiled pattern, searched for anywhere in a text. Raises MalformedRegex."""

    __slots__ = ("_compiled", "pattern")

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        try:
            # Go refuses \C, which RE2 would take.
            if "\\C" in pattern.replace("\\\\", ""):
                raise MalformedRegex("\\C is not known")
            self._compiled = re2.compile(pattern, _OPTIONS)
        except (re2.error, UnicodeEncodeError) as error:
            reason = error.args[0] if error.args else "malformed"
            raise MalformedRegex(reason.decode() if isinstance(reason, bytes) else str(reason)) from error

    @property
    def groups(self) -> int:
        """How many capture groups it has."""
        return int(self._compiled.groups)

    def found_in(self, text: str) -> bool:
        """Whether the pattern occurs in a text."""
        try:
            return self._compiled.search(text) is not None
        except UnicodeEncodeError:
            return False

    def groups_in(self, text: str) -> Sequence[str] | None:
        """The groups of the first occurrence, the whole first; a group that took no part is empty. None: no occurrence."""
        try:
            match = self._compiled.search(text)
        except UnicodeEncodeError:
            return None
        return None if match is None else [match[0], *(group or "" for group in match.groups())]


def quote(text: str) -> str:
    """A text with everything escaped that Go's ``regexp.QuoteMeta`` escapes."""
    return text.translate(_QUOTED)
