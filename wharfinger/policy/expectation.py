"""What a request must be granted: the policy tests of a file, held against its access list.

Of the access list alone: what a program beside it (``ext_authz``) would say is not asked.
"""

from collections.abc import Iterable, Mapping
from ipaddress import ip_address
from typing import Protocol

from wharfinger.policy.acl import Policy
from wharfinger.policy.explain import explain
from wharfinger.policy.rule import Fault, Request


class ExpectationSource(Protocol):
    """A test as it stands in a file. ``ip``: empty when the request has none; ``labels`` empty: those of the user."""

    @property
    def line(self) -> int: ...  # noqa: D102
    @property
    def column(self) -> int: ...  # noqa: D102
    @property
    def account(self) -> str: ...  # noqa: D102
    @property
    def type(self) -> str: ...  # noqa: D102
    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def service(self) -> str: ...  # noqa: D102
    @property
    def ip(self) -> str: ...  # noqa: D102
    @property
    def labels(self) -> Mapping[str, tuple[str, ...]]: ...  # noqa: D102
    @property
    def actions(self) -> tuple[str, ...]: ...  # noqa: D102
    @property
    def expect(self) -> tuple[str, ...]: ...  # noqa: D102


def failures(
    policy: Policy, tests: Iterable[ExpectationSource], labels: Mapping[str, Mapping[str, tuple[str, ...]]]
) -> tuple[Fault, ...]:
    """Every test that does not get what it expects. ``labels``: those of each known account, for tests that give none."""
    found = (_failure(policy, test, at, labels.get(test.account, {})) for at, test in enumerate(tests))
    return tuple(fault for fault in found if fault is not None)


def _failure(policy: Policy, test: ExpectationSource, at: int, known: Mapping[str, tuple[str, ...]]) -> Fault | None:
    key = f"tests[{at}]"
    try:
        address = ip_address(test.ip) if test.ip else None
    except ValueError:
        return Fault(test.line, test.column, f"{key}.ip", f"{test.ip!r} is no address", "write one address, like 10.0.0.7")
    # As a token service asks: each action once, in order.
    actions = tuple(sorted(set(test.actions)))
    request = Request(test.account, test.type, test.name, test.service, address, actions, test.labels or known)
    explained = explain(policy, request)
    granted, expected = set(explained.decision.granted), set(test.expect)
    if granted == expected:
        return None
    who, what = test.account or "anonymous", f"{test.type}:{test.name}"
    problem = f"fails: {who} on {what} is granted {_words(granted)}, expected is {_words(expected)}, since {explained.why}"
    return Fault(test.line, test.column, key, problem, "correct the rule or the test; `wharfinger explain` tells more")


def _words(actions: set[str]) -> str:
    return ", ".join(sorted(actions)) or "nothing"
