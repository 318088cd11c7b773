"""One rule of the access list: what stands in a file, the same compiled, and the request it is asked about."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

from wharfinger.policy.address import Address, Network, within
from wharfinger.policy.condition import Condition, Label
from wharfinger.policy.substitution import is_field

EVERYTHING: Final = ("*",)
"""Actions that grant whatever was asked; beside others the star is an action like them."""


class RuleSource(Protocol):
    """A rule as it stands in a file; None is an absent condition.

    ``accounts``: several instead of the one ``account``. ``places``: line and column of each condition's key.
    """

    @property
    def line(self) -> int: ...  # noqa: D102
    @property
    def account(self) -> str | None: ...  # noqa: D102
    @property
    def accounts(self) -> tuple[str, ...] | None: ...  # noqa: D102
    @property
    def type(self) -> str | None: ...  # noqa: D102
    @property
    def name(self) -> str | None: ...  # noqa: D102
    @property
    def service(self) -> str | None: ...  # noqa: D102
    @property
    def ip(self) -> str | None: ...  # noqa: D102
    @property
    def labels(self) -> Mapping[str, str] | None: ...  # noqa: D102
    @property
    def actions(self) -> tuple[str, ...]: ...  # noqa: D102
    @property
    def comment(self) -> str: ...  # noqa: D102
    @property
    def places(self) -> Mapping[str, tuple[int, int]]: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class RuleText:
    """A rule given as values."""

    line: int = 0
    account: str | None = None
    type: str | None = None
    name: str | None = None
    service: str | None = None
    ip: str | None = None
    labels: Mapping[str, str] | None = None
    actions: tuple[str, ...] = ()
    comment: str = ""
    accounts: tuple[str, ...] | None = None
    places: Mapping[str, tuple[int, int]] = field(default_factory=dict, compare=False)


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """What is wrong, or not likely meant, at one place of a file (counted from 1; 0: unknown), and what to do."""

    line: int
    column: int
    key: str
    problem: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Request:
    """Access that somebody asks for, to one resource."""

    account: str
    type: str
    name: str
    service: str
    ip: Address | None
    actions: tuple[str, ...]
    labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Rule:
    """A compiled rule. ``index``: from 1. ``unfixed``: those conditions that a text of their own field does not settle."""

    source: RuleSource
    index: int
    conditions: tuple[Condition, ...]
    unfixed: tuple[Condition, ...]
    labels: tuple[Label, ...]
    block: Network | None

    def matches(self, request: Request) -> bool:
        """Whether every condition holds."""
        return self.matches_by(self.conditions, request)

    def matches_by(self, conditions: tuple[Condition, ...], request: Request) -> bool:
        """Whether these conditions on texts hold, and all on address and labels."""
        if self.block is not None and not within(self.block, request.ip):
            return False
        if not conditions and not self.labels:
            return True
        return all(one.holds(request, lambda name, number: self.group(request, name, number)) for one in conditions) and all(
            one.holds(request, lambda name, number: self.group(request, name, number)) for one in self.labels
        )

    def grants(self, asked: tuple[str, ...]) -> tuple[str, ...]:
        """What it allows of the asked actions: all of them as they were asked, or sorted what is in both."""
        actions = self.source.actions
        return asked if actions == EVERYTHING else tuple(sorted(set(actions) & set(asked)))

    def group(self, request: Request, name: str, number: int) -> str | None:
        """A capture group of the condition on a text, for a placeholder."""
        for condition in self.conditions:
            if is_field(name, condition.field):
                return condition.group(request, number)
        return None

    def condition(self, name: str) -> Condition | None:
        """Its condition on a text."""
        return next((one for one in self.conditions if one.field == name), None)

    def may_be_for(self, account: str) -> bool:
        """Whether some request of an account may meet its condition on that."""
        condition = self.condition("account")
        return condition is None or any(one.fixed is None or one.fixed(account) for one in condition.patterns)

    def place(self, name: str = "") -> tuple[int, int]:
        """Line and column of a condition's key, or of the rule."""
        return self.source.places.get(name, (self.source.line, 0))

    def fault(self, key: str, problem: str, remedy: str) -> Fault:
        """A fault of one of its conditions, ``match.name`` or ``actions``; its key is that of the configuration's reader."""
        where = key.removeprefix("match.").partition(".")[0]
        return Fault(*self.place(where), f"acl[{self.index - 1}].{key}", problem, remedy)

    def __str__(self) -> str:
        return f"rule {self.index} (line {self.source.line})" if self.source.line else f"rule {self.index}"
