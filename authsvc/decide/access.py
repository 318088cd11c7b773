"""Decides what of the asked access is granted, scope by scope, by the access list. Denied is less access, never an error."""

from collections.abc import Sequence
from dataclasses import dataclass

from authsvc.decide.credentials import Identity
from wharfinger.policy import NO_MATCH, Policy, Request
from wharfinger.policy.address import Address
from wharfinger.wire.scope import Scope


@dataclass(frozen=True, slots=True)
class Access:
    """What a token grants: for each asked scope its granted actions, maybe none, and who decided that.

    ``rules``: the deciding rule's number; None: no rule matched. ``deciders``: ``acl``, ``ext_authz``, or empty.
    """

    entries: tuple[Scope, ...]
    rules: tuple[int | None, ...]
    deciders: tuple[str, ...]

    def granted(self) -> tuple[Scope, ...]:
        """The scopes with at least one action."""
        return tuple(scope for scope in self.entries if scope.actions)


def requests(asked: Sequence[Scope], *, who: Identity, service: str, address: Address | None) -> tuple[Request, ...]:
    """What the access list is asked, in the request's order; a scope asked twice stays twice, as clients expect."""
    return tuple(Request(who.account, scope.type, scope.name, service, address, scope.actions, who.labels) for scope in asked)


def decide_access(policy: Policy | None, asked: Sequence[Request]) -> Access:
    """What the access list says; without one, nothing matches."""
    decisions = [NO_MATCH if policy is None else policy.decide(one) for one in asked]
    entries = tuple(Scope(one.type, one.name, said.granted) for one, said in zip(asked, decisions, strict=True))
    deciders = tuple("acl" if said.matched else "" for said in decisions)
    return Access(entries, tuple(said.index for said in decisions), deciders)


def with_answers(access: Access, answers: Sequence[tuple[str, tuple[str, ...]] | None]) -> Access:
    """The access with what others said where the list had no rule: a decider's name and the granted actions, or None."""
    entries = tuple(
        scope if one is None else Scope(scope.type, scope.name, tuple(sorted(set(one[1]))))
        for scope, one in zip(access.entries, answers, strict=True)
    )
    deciders = tuple(name if one is None else one[0] for name, one in zip(access.deciders, answers, strict=True))
    return Access(entries, access.rules, deciders)
