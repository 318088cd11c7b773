"""Decides which pushes a rule takes, condition by condition, and what each says of one. Compiled once, asked for each."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from wharfinger.policy.glob import Glob, MalformedGlob
from wharfinger.policy.regex import MalformedRegex, Regex
from wharfinger.runtime.settings import Match, Require, Rule
from workers.decide.versions import MalformedRange, Range, parse_version

SEMVER: Final = "semver:"
NEWEST: Final = "newest"
KNOWN: Final = frozenset({"exact", "inferred", "ambiguous"})
"""The verdicts by which an account is known: the registry verified the token that names it."""
_WORTH: Final = {require.value: place for place, require in enumerate(Require)}


def pusher_of(verdict: str, account: str | None) -> str | None:
    """Who pushed; None when nobody is known to have: it was tied to no token, to an anonymous client's, or was erased."""
    return account or None if verdict in KNOWN else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Push:
    """What a rule looks at.

    ``account``: whose it is said to be; None when that was erased. ``credential``: ``kind/id``, empty when it is not known.
    """

    source: str
    repository: str
    tag: str
    digest: str
    media_type: str
    verdict: str
    account: str | None
    credential: str

    @property
    def pusher(self) -> str | None:
        """The account that pushed, None when nobody is known to have."""
        return pusher_of(self.verdict, self.account)


@dataclass(frozen=True, slots=True)
class Condition:
    """What one condition of a rule says of a push. ``why``: for people, whether it holds or not."""

    name: str
    holds: bool
    why: str


Test = Callable[[str], bool]
_Look = Callable[[Push], Condition]


class MalformedPattern(ValueError):  # noqa: N818 - named for what it is
    """A text that is no pattern, and why."""


def pattern(text: str) -> Test:
    """A glob, in which ``**`` crosses slashes, or ``/regex/``, as a test of a whole name. Raises MalformedPattern."""
    try:
        if len(text) > 1 and text.startswith("/") and text.endswith("/"):
            inner = text[1:-1]
            # By itself first: a bracket that closes ours would take the anchors away.
            Regex(inner)
            return Regex(rf"\A(?:{inner})\z").found_in
        return Glob(text, double_star=True).matches
    except MalformedGlob as error:
        raise MalformedPattern(f"{text!r} is no glob: {error}") from error
    except MalformedRegex as error:
        raise MalformedPattern(f"{text!r} is no regular expression: {error}") from error


def any_of(patterns: Iterable[str]) -> Test:
    """Whether a name meets any of some patterns. Raises MalformedPattern."""
    tests = tuple(map(pattern, patterns))
    return lambda name: any(test(name) for test in tests)


class Matcher:
    """A rule's conditions, ready. ``newest``: of a repository's pushes only the last counts.

    Raises:
        MalformedPattern: a condition cannot be read (``check`` says so before).
    """

    __slots__ = ("_looks", "newest")

    def __init__(self, match: Match) -> None:
        self.newest = match.tag == NEWEST
        self._looks = tuple(_looks(match))

    def conditions(self, push: Push) -> tuple[Condition, ...]:
        """What each condition says."""
        return tuple(look(push) for look in self._looks)

    def matches(self, push: Push) -> bool:
        """Whether all of them hold."""
        return all(look(push).holds for look in self._looks)


def _looks(match: Match) -> Iterable[_Look]:
    if match.registry:
        yield _one_of("registry", match.registry)
    if match.repository is not None:
        yield _named("repository", match.repository, lambda push: push.repository)
    if match.tag is not None:
        yield _tag(match.tag, prerelease=match.prerelease)
    if match.account:
        yield _account(match.account)
    if match.credential:
        yield _credential(match.credential)
    if match.media_type:
        yield _any("media_type", match.media_type, lambda push: push.media_type)


def _one_of(name: str, wanted: tuple[str, ...]) -> _Look:
    def look(push: Push) -> Condition:
        holds = push.source in wanted
        return Condition(name, holds, f"{name} {push.source} is {'' if holds else 'not '}{_listed(wanted)}")

    return look


def _named(name: str, text: str, value: Callable[[Push], str]) -> _Look:
    return _any(name, (text,), value)


def _any(name: str, texts: tuple[str, ...], value: Callable[[Push], str]) -> _Look:
    test = any_of(texts)

    def look(push: Push) -> Condition:
        return _said(name, value(push), texts, holds=test(value(push)))

    return look


def _said(name: str, value: str, texts: tuple[str, ...], *, holds: bool) -> Condition:
    return Condition(name, holds, f"{name} {value or '(none)'} {'matches' if holds else 'does not match'} {_listed(texts)}")


def _tag(text: str, *, prerelease: bool) -> _Look:
    if text == NEWEST:
        return lambda push: Condition("tag", holds=True, why=f"tag {push.tag} is the newest, as any is when it is pushed")
    if not text.startswith(SEMVER):
        return _named("tag", text, lambda push: push.tag)
    try:
        wanted = Range(text.removeprefix(SEMVER), prerelease=prerelease)
    except MalformedRange as error:
        raise MalformedPattern(str(error)) from error

    def look(push: Push) -> Condition:
        version = parse_version(push.tag)
        if version is None:
            return Condition("tag", holds=False, why=f"tag {push.tag} is no version")
        holds = wanted.takes(version)
        return Condition("tag", holds, f"tag {push.tag} is {'' if holds else 'not '}in {text}")

    return look


def _account(texts: tuple[str, ...]) -> _Look:
    test = any_of(texts)

    def look(push: Push) -> Condition:
        if push.pusher is None:
            return Condition("account", holds=False, why=f"nobody is known to have pushed it ({push.verdict})")
        return _said("account", push.pusher, texts, holds=test(push.pusher))

    return look


def _credential(wanted: tuple[str, ...]) -> _Look:
    def look(push: Push) -> Condition:
        known = {push.credential, push.credential.partition("/")[2]} - {""}
        holds = not known.isdisjoint(wanted)
        said = push.credential or "(none)"
        return Condition("credential", holds, f"credential {said} is {'' if holds else 'not '}{_listed(wanted)}")

    return look


def _listed(texts: tuple[str, ...]) -> str:
    return texts[0] if len(texts) == 1 else "any of " + ", ".join(texts)


def problems(rule: Rule) -> Iterator[tuple[str, str]]:
    """The settings of a rule that hold no pattern, and why."""
    match = rule.match
    texts = [("match.repository", one) for one in (match.repository,) if one is not None]
    texts += [("match.account", one) for one in match.account]
    texts += [("match.media_type", one) for one in match.media_type]
    texts += [("pushers", one) for one in rule.pushers]
    for name, text in texts:
        try:
            pattern(text)
        except MalformedPattern as error:
            yield name, str(error)
    if match.tag is not None:
        try:
            _tag(match.tag, prerelease=match.prerelease)
        except MalformedPattern as error:
            yield "match.tag", str(error)


def good_enough(verdict: str, require: Require) -> bool:
    """Whether a verdict is as good as a rule requires; a violation never is."""
    return _WORTH.get(verdict, len(_WORTH)) <= _WORTH[require.value]


def verdicts(require: Require) -> tuple[str, ...]:
    """The verdicts that are good enough."""
    return tuple(word for word in _WORTH if good_enough(word, require))
