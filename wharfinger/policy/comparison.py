"""Who gains and who loses what between two access lists: both are asked the same requests, made from the patterns of both.

It compares witnesses and is no proof: that no difference is found does not show that there is none. Witnesses are every
account and repository that stands in a file, the shortest texts that each pattern matches, texts that one file's pattern
matches and the other's does not, and names that nobody wrote.
"""

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address
from typing import Final

from wharfinger.policy.acl import Decision, Policy
from wharfinger.policy.address import Address
from wharfinger.policy.condition import Pattern
from wharfinger.policy.language import Automaton, Languages, TooLarge, automaton, find
from wharfinger.policy.rule import Request, Rule
from wharfinger.policy.witness import GRAMMARS, texts_of, witness

Labels = Mapping[str, tuple[str, ...]]
_Key = tuple[str, bool]

MAX_REQUESTS: Final = 200_000
"""Requests that are asked of both files: some seconds. What is left out is counted."""
MAX_PAIRS: Final = 500
"""Pairs of patterns that are looked at for what only one of them matches."""
ACTIONS: Final = frozenset({"pull", "push", "delete", "*"})
NAMES: Final = ("unlisted", "unlisted/nested", "unlisted/deeply/nested")
"""Repositories that nobody wrote, unless somebody did."""
ELSEWHERE: Final = IPv4Address("203.0.113.77")
"""An address that no rule is for, unless one is for everybody; RFC 5737."""


@dataclass(frozen=True, slots=True)
class Side:
    """One file. ``policy`` None: it has no list. ``more_accounts``: others than its users can come."""

    policy: Policy | None
    users: Mapping[str, Labels]
    more_accounts: bool = False

    def rules(self) -> tuple[Rule, ...]:
        """Its rules."""
        return () if self.policy is None else self.policy.rules


@dataclass(frozen=True, slots=True)
class Identity:
    """Somebody who asks, with the labels that each file gives. ``known``: some file lets the account in."""

    account: str
    old_labels: Labels
    new_labels: Labels
    known: bool


@dataclass(frozen=True, slots=True)
class Change:
    """Actions on one resource that an account gains, or loses. Service and address None: whatever they are.

    ``old``, ``new``: the deciding rules; None: none matched, or the account is not let in.
    """

    account: str
    type: str
    name: str
    service: str | None
    ip: str | None
    actions: tuple[str, ...]
    known: bool
    old: Decision | None = field(compare=False)
    new: Decision | None = field(compare=False)


@dataclass(frozen=True, slots=True)
class Comparison:
    """What was found. ``left_out``: requests that were not asked, for there were too many."""

    gains: tuple[Change, ...]
    losses: tuple[Change, ...]
    accounts: int
    requests: int
    left_out: int


def compare(old: Side, new: Side, *, max_requests: int = MAX_REQUESTS) -> Comparison:
    """Ask both files."""
    actions = tuple(sorted(ACTIONS.union(*(rule.source.actions for side in (old, new) for rule in side.rules()))))
    texts = _Texts(old, new)
    contexts = _contexts(old, new, texts)
    identities = _identities(old, new, texts)
    pairs = [(who, name) for who in identities for name in dict.fromkeys([*texts.names, *texts.names_for(who)])]
    gains: dict[tuple[str, ...], list[Change]] = {}
    losses: dict[tuple[str, ...], list[Change]] = {}
    # Where it matters nothing comes first for everybody, so that a bound cuts off what is told least often.
    for (kind, service, address), (who, name) in itertools.islice(itertools.product(contexts, pairs), max_requests):
        request = Request(who.account, kind, name, service, address, actions)
        before = _ask(old, new, who, request, who.old_labels)
        after = _ask(new, old, who, request, who.new_labels)
        for found, less, more in ((gains, before, after), (losses, after, before)):
            changed = tuple(sorted(set(_granted(more)) - set(_granted(less))))
            if changed:
                change = Change(who.account, kind, name, service, str(address), changed, who.known, before, after)
                found.setdefault((who.account, kind, name), []).append(change)
    per_kind = len(contexts) // len({kind for kind, _, _ in contexts})
    left_out = max(0, len(contexts) * len(pairs) - max_requests)
    asked = len(contexts) * len(pairs) - left_out
    return Comparison(_joined(gains, per_kind), _joined(losses, per_kind), len(identities), asked, left_out)


def _ask(side: Side, other: Side, who: Identity, request: Request, labels: Labels) -> Decision | None:
    # An account that the other file lets in and this one does not gets nothing here; one that neither lets in is compared by
    # the rules alone, for it may be that somebody is about to get that name.
    lets_in = who.account in side.users or side.more_accounts
    if side.policy is None or not (lets_in or not (who.account in other.users or other.more_accounts)):
        return None
    return side.policy.decide(replace(request, labels=labels))


def _granted(decision: Decision | None) -> tuple[str, ...]:
    return () if decision is None else decision.granted


def _joined(found: Mapping[tuple[str, ...], list[Change]], contexts: int) -> tuple[Change, ...]:
    joined = []
    for changes in found.values():
        if len(changes) == contexts and len({one.actions for one in changes}) == 1:
            joined.append(replace(changes[0], service=None, ip=None))
        else:
            joined += changes
    return tuple(joined)


def _identities(old: Side, new: Side, texts: "_Texts") -> list[Identity]:
    users = {**old.users, **new.users}
    others = old.more_accounts or new.more_accounts
    nobody = next(name for at in itertools.count() if (name := f"unlisted{at or ''}") not in {*users, *texts.accounts})
    accounts = dict.fromkeys([*users, *texts.accounts, "", nobody])
    found = [Identity(one, old.users.get(one, {}), new.users.get(one, {}), others or one in users) for one in accounts]
    if others:
        # Others give labels too: somebody with those that a rule asks for.
        found += [Identity(nobody, labels, labels, known=True) for labels in texts.labels]
    return found


def _contexts(old: Side, new: Side, texts: "_Texts") -> list[tuple[str, str, Address | None]]:
    blocks = dict.fromkeys(rule.block for side in (old, new) for rule in side.rules() if rule.block is not None)
    ends = [end for block in blocks for end in (block.network_address, block.broadcast_address)]
    kinds, services = dict.fromkeys(["repository", *texts.kinds]), dict.fromkeys(["", *texts.services])
    return list(itertools.product(kinds, services, dict.fromkeys([ELSEWHERE, *ends])))


class _Texts:
    """Texts for each field, from the patterns of both files."""

    def __init__(self, old: Side, new: Side) -> None:
        self._languages = tuple((side, Languages(double_star=_double_star(side))) for side in (old, new))
        witnesses = [
            request
            for side, languages in self._languages
            for rule in side.rules()
            if (request := witness(rule, languages)) is not None
        ]
        self.accounts = list(dict.fromkeys([*self._of("account"), *(one.account for one in witnesses)]))
        self.names = list(dict.fromkeys([*self._of("name"), *(one.name for one in witnesses), *NAMES]))
        self.kinds, self.services = self._of("type"), self._of("service")
        self.labels = [one.labels for one in witnesses if one.labels]

    def names_for(self, who: Identity) -> Iterator[str]:
        """Names from patterns in which the account or its labels are put."""
        for (side, languages), labels in zip(self._languages, (who.old_labels, who.new_labels), strict=True):
            request = Request(who.account, "repository", "", "", None, (), labels)
            for rule in side.rules():
                condition = rule.condition("name")
                if condition is None or condition.is_fixed() or not rule.may_be_for(who.account):
                    continue
                for pattern in condition.patterns:
                    yield from _filled(pattern, rule, request, languages)

    def _of(self, name: str) -> list[str]:
        found: list[str] = []
        made: list[dict[_Key, Automaton]] = []
        for side, languages in self._languages:
            patterns = [one for rule in side.rules() if (condition := rule.condition(name)) for one in condition.patterns]
            for pattern in patterns:
                literal = pattern.literal()
                found += [literal] if literal is not None else texts_of(pattern.text, name, languages)
            # The same text read in another way is another pattern.
            machines = {(pattern.text, pattern.double_star): languages.of(pattern.text) for pattern in patterns}
            made.append({key: machine for key, machine in machines.items() if machine is not None})
        found += _apart(made[0], made[1], name)
        return list(dict.fromkeys(found))


def _filled(pattern: Pattern, rule: Rule, request: Request, languages: Languages) -> Iterator[str]:
    for became in pattern.substituted(request, lambda name, number: rule.group(request, name, number)):
        yield from texts_of(became, "name", languages)


def _double_star(side: Side) -> bool:
    return side.policy is not None and side.policy.options.double_star


def _apart(old: Mapping[_Key, Automaton], new: Mapping[_Key, Automaton], name: str) -> Iterator[str]:
    """Texts that a pattern of one file matches, and one of the other does not."""
    grammar = automaton(GRAMMARS[name])
    pairs = [(inside, outside) for key, inside in old.items() if key not in new for outside in new.values()]
    pairs += [(inside, outside) for key, inside in new.items() if key not in old for outside in old.values()]
    for inside, outside in pairs[:MAX_PAIRS]:
        try:
            text = None if grammar is None else find([inside, grammar], [outside])
        except TooLarge:
            continue
        if text is not None:
            yield text
