"""The scope grammar of the token protocol and the access it names: texts to values and back. Grants nothing.

Source: distribution's docs/content/spec/auth/scope.md, widened as clients need it: the action ``*``, a host with a port in the
name (notary), several scopes parted by spaces (OAuth2). The resource class, ``repository(plugin)``, is read and dropped: the
specification calls it deprecated.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

MAX_SCOPES: Final = 100
"""Scopes in one request. A push with many mounts asks for two; a build of forty stages for less than fifty."""
MAX_SCOPE_LENGTH: Final = 1_024
"""Characters of one scope. A repository's name is at most 255, a host as long again, actions a few."""

_TYPE: Final = re.compile(r"([a-z0-9]+)(\([a-z0-9]+\))?", re.ASCII)
_ACTION: Final = re.compile(r"[a-z]+|\*", re.ASCII)
# What a name must not hold: control characters, spaces, halves of characters, and the delimiters of the grammar.
_LETTER: Final = r"[^\s\x00-\x1f\x7f-\x9f\ud800-\udfff,:]"
_NAME: Final = re.compile(rf"{_LETTER}+(:{_LETTER}+)?")


@dataclass(frozen=True, slots=True)
class Scope:
    """Access to one resource: asked for, or granted. Actions are sorted, without repetition."""

    type: str
    name: str
    actions: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.type}:{self.name}:{','.join(self.actions)}"


@dataclass(frozen=True, slots=True)
class ScopeFault:
    """A scope that cannot be read; ``problem`` is a phrase for the client that sent it."""

    text: str
    problem: str


def parse_scopes(texts: Iterable[str]) -> tuple[Scope, ...] | ScopeFault:
    """Read the ``scope`` values of one request, in their order, repetitions kept.

    Args:
        texts: each value as sent; one may hold several scopes parted by single spaces.

    Returns:
        the scopes, or the first fault: one bad scope spoils the request, as it does with every known server.
    """
    scopes: list[Scope] = []
    for text in texts:
        for piece in text.split(" "):
            scope = parse_scope(piece)
            if isinstance(scope, ScopeFault):
                return scope
            scopes.append(scope)
            if len(scopes) > MAX_SCOPES:
                return ScopeFault(piece, f"more than {MAX_SCOPES} scopes in one request")
    return tuple(scopes)


def parse_scope(text: str) -> Scope | ScopeFault:
    """Read one scope, ``type:name:action[,action]*``; the name may hold one colon (a port)."""
    if not text:
        return ScopeFault(text, "an empty scope")
    if len(text) > MAX_SCOPE_LENGTH:
        return ScopeFault(text[:64], f"a scope longer than {MAX_SCOPE_LENGTH} characters")
    kind, _, rest = text.partition(":")
    name, colon, actions = rest.rpartition(":")
    matched = _TYPE.fullmatch(kind)
    if matched is None or not colon:
        return ScopeFault(text, "not of the form type:name:actions")
    if _NAME.fullmatch(name) is None:
        return ScopeFault(text, "its name is empty, or holds what a name cannot")
    words = _actions(actions)
    if words is None:
        return ScopeFault(text, "its actions are not words of small letters, or *")
    return Scope(matched[1], name, words)


@lru_cache(maxsize=64)
def _actions(text: str) -> tuple[str, ...] | None:
    """The actions of one scope; None when one is no word. Clients ask for the same few, time and again."""
    # The grammar has the empty action too: it asks for nothing.
    words = {word for word in text.split(",") if word}
    return tuple(sorted(words)) if all(_ACTION.fullmatch(word) for word in words) else None


def covers(granted: Iterable[Scope], *, kind: str, name: str, action: str) -> bool:
    """Whether a grant allows one action, as a registry decides it: entries of one resource add up, ``*`` is every action."""
    return any(
        scope.type == kind and scope.name == name and ("*" in scope.actions or action in scope.actions) for scope in granted
    )
