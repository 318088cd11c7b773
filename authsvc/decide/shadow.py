"""Compares what a docker_auth answered with what we would answer: shadow mode. Asks nobody, and verifies no signature.

Its tokens are read and not checked: they are its own, on the way to its own client. A name that nobody proved is not shown, for
people type passwords there.
"""

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

import msgspec

from authsvc.decide.access import Access
from wharfinger.policy import Policy, Request
from wharfinger.policy.explain import explain
from wharfinger.wire.scope import Scope
from wharfinger.wire.subject import TokenSubject, parse_subject

MAX_DIFFERENCES: Final = 1_000
"""Kept one by one; beyond, they are only counted."""


class Answer(StrEnum):
    """What an answer comes to, for a client."""

    TOKEN = "token"  # noqa: S105 - a word for an answer
    DENIED = "denied"
    BAD_REQUEST = "bad_request"
    ANOTHER = "another"
    """Nothing the token protocol knows; or a 200 without a token that can be read."""
    FAILED = "failed"
    """It says nothing about what the client may: nothing to compare with."""


class What(StrEnum):
    """What differs."""

    STATUS = "status"
    ACCOUNT = "account"
    ACCESS = "access"


Granted = Mapping[tuple[str, str], frozenset[str]]
"""Actions by type and name: a registry adds up entries for the same."""


@dataclass(frozen=True, slots=True)
class Theirs:
    """What docker_auth answered. ``status``: HTTP's, 0: there was no answer."""

    answer: Answer
    status: int
    account: str = ""
    granted: Granted = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Ours:
    """What we would answer. ``why``: a refusal's reason. ``reasons``: for each asked resource, the rule's line and its why."""

    answer: Answer
    why: str = ""
    account: str = ""
    granted: Granted = field(default_factory=dict)
    reasons: Mapping[tuple[str, str], tuple[int | None, str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that would be another. ``account``: who it is about, where either of the two proved that."""

    what: What
    account: str
    scope: str
    theirs: str
    ours: str
    line: int | None
    why: str


class _Entry(msgspec.Struct):
    type: str
    name: str
    actions: list[str] | None = None


class _Claims(msgspec.Struct):
    sub: str
    access: list[_Entry] | None = None


class _Body(msgspec.Struct):
    token: str = ""
    access_token: str = ""


def read_theirs(status: int, body: bytes) -> Theirs:
    """Read docker_auth's answer."""
    match status:
        case 200:
            return _read_token(status, body)
        case 401 | 403:
            return Theirs(Answer.DENIED, status)
        case 400:
            return Theirs(Answer.BAD_REQUEST, status)
        case _ if status == 0 or status >= 500:  # noqa: PLR2004 - HTTP's own number
            return Theirs(Answer.FAILED, status)
        case _:
            return Theirs(Answer.ANOTHER, status)


def ours_granted(account: str, asked: Sequence[Request], access: Access, policy: Policy | None) -> Ours:
    """Our answer to somebody we know."""
    reasons: dict[tuple[str, str], tuple[int | None, str]] = {}
    for one, decider in zip(asked, access.deciders, strict=True):
        if policy is None or decider not in {"", "acl"}:
            reasons[one.type, one.name] = (None, f"{decider} decides" if decider else "there is no access list")
            continue
        explained = explain(policy, one)
        reasons[one.type, one.name] = (explained.decision.line, explained.why)
    return Ours(Answer.TOKEN, account=account, granted=_added(access.entries), reasons=reasons)


def compare(theirs: Theirs, ours: Ours) -> tuple[Difference, ...]:
    """Everything that would be another; nothing when docker_auth failed."""
    if theirs.answer is Answer.FAILED:
        return ()
    account = theirs.account or ours.account
    if theirs.answer is not ours.answer:
        what = Difference(What.STATUS, account, "", _told(theirs), ours.answer.value, None, ours.why)
        return (what,)
    if theirs.answer is not Answer.TOKEN:
        return ()
    found = []
    if theirs.account != ours.account:
        found.append(
            Difference(What.ACCOUNT, account, "", theirs.account, ours.account, None, "the token would be for another")
        )
    for key in sorted(theirs.granted.keys() | ours.granted.keys()):
        given, would = theirs.granted.get(key, frozenset()), ours.granted.get(key, frozenset())
        if given != would:
            line, why = ours.reasons.get(key, (None, "it was not asked for"))
            found.append(Difference(What.ACCESS, account, ":".join(key), _listed(given), _listed(would), line, why))
    return tuple(found)


@dataclass(slots=True)
class _Seen:
    count: int
    first: int
    last: int


class Tally:
    """What was compared since some moment, and every difference once. Changed only by its methods, with the time given."""

    def __init__(self, *, since: int, policy: str) -> None:
        self._since = since
        self._policy = policy
        self._outcomes: dict[str, int] = {}
        self._seen: dict[Difference, _Seen] = {}
        self._beyond = 0

    def count(self, outcome: str) -> None:
        """One more request came to this."""
        self._outcomes[outcome] = self._outcomes.get(outcome, 0) + 1

    def add(self, difference: Difference, now: int) -> bool:
        """One more difference; whether it is worth a line: the first, the tenth, the hundredth of its kind."""
        seen = self._seen.get(difference)
        if seen is None:
            if len(self._seen) >= MAX_DIFFERENCES:
                self._beyond += 1
                return False
            seen = self._seen[difference] = _Seen(0, now, now)
        seen.count, seen.last = seen.count + 1, now
        return set(str(seen.count)[1:]) <= {"0"} and str(seen.count)[0] == "1"

    def summary(self) -> dict[str, object]:
        """The counts."""
        counts: dict[str, object] = dict(sorted(self._outcomes.items()))
        return counts | {"distinct": len(self._seen), "beyond": self._beyond, "since": self._since, "policy": self._policy}

    def report(self) -> dict[str, object]:
        """The counts, and every difference, the most frequent first."""
        listed = [
            {
                "what": one.what.value,
                "account": one.account,
                "scope": one.scope,
                "theirs": one.theirs,
                "ours": one.ours,
                "line": one.line,
                "why": one.why,
                "count": seen.count,
                "first": seen.first,
                "last": seen.last,
            }
            for one, seen in sorted(self._seen.items(), key=lambda item: -item[1].count)
        ]
        return {**self.summary(), "differences": listed}


def _read_token(status: int, body: bytes) -> Theirs:
    try:
        answer = msgspec.json.decode(body, type=_Body)
        payload = (answer.token or answer.access_token).split(".")[1]
        claims = msgspec.json.decode(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)), type=_Claims)
    except (msgspec.MsgspecError, UnicodeDecodeError, IndexError, binascii.Error, ValueError):
        return Theirs(Answer.ANOTHER, status)
    # Of docker_auth it is the account; ours names the token too.
    subject = parse_subject(claims.sub)
    account = subject.unverified_account if isinstance(subject, TokenSubject) else subject.text
    entries = [Scope(one.type, one.name, tuple(one.actions or ())) for one in claims.access or ()]
    return Theirs(Answer.TOKEN, status, account, _added(entries))


def _added(entries: Sequence[Scope]) -> Granted:
    added: dict[tuple[str, str], frozenset[str]] = {}
    for one in entries:
        added[one.type, one.name] = added.get((one.type, one.name), frozenset()) | set(one.actions)
    return added


def _told(theirs: Theirs) -> str:
    return f"{theirs.status}" if theirs.answer is Answer.ANOTHER else theirs.answer.value


def _listed(actions: frozenset[str]) -> str:
    return ",".join(sorted(actions))
