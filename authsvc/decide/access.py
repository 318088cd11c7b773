"""Decides what of the asked access is granted, scope by scope, by the policy. Denied is less access, never an error."""

from collections.abc import Sequence
from dataclasses import dataclass

from wharfinger.policy import Policy, Request
from wharfinger.policy.address import Address
from wharfinger.wire.scope import Scope


@dataclass(frozen=True, slots=True)
class Access:
    """What a token grants: for each asked scope its granted actions (maybe none) and the rule that decided (None: none)."""

    entries: tuple[Scope, ...]
    rules: tuple[int | None, ...]

    def granted(self) -> tuple[Scope, ...]:
        """The scopes with at least one action."""
        return tuple(scope for scope in self.entries if scope.actions)


def decide_access(policy: Policy, asked: Sequence[Scope], *, account: str, service: str, address: Address | None) -> Access:
    """Ask the policy for each scope, in the request's order; a scope asked twice stays twice, as clients expect."""
    decisions = [policy.decide(Request(account, scope.type, scope.name, service, address, scope.actions)) for scope in asked]
    entries = tuple(Scope(scope.type, scope.name, one.granted) for scope, one in zip(asked, decisions, strict=True))
    return Access(entries, tuple(one.index for one in decisions))
