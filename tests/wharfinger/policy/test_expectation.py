"""Policy tests: which of them fail, and what they say then."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from wharfinger.policy import DOCKER_AUTH, Options, Policy, RuleText, compile_acl
from wharfinger.policy.expectation import failures

RULES = [
    RuleText(line=3, account="zoe", name="zoe/*", actions=("*",)),
    RuleText(line=6, name="${labels:team}/*", actions=("pull", "push")),
    RuleText(line=9, ip="10.0.0.0/8", actions=("pull",)),
    RuleText(line=12, account="", actions=()),
]
LABELS = {"ann": {"team": ("core",)}}


@dataclass
class Expected:
    """A test of a file."""

    name: str
    expect: tuple[str, ...]
    account: str = "zoe"
    actions: tuple[str, ...] = ("pull", "push")
    type: str = "repository"
    service: str = ""
    ip: str = ""
    labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    line: int = 20
    column: int = 5


def failing(*tests: Expected, options: Options = DOCKER_AUTH) -> list[str]:
    """What the tests say that fail."""
    policy = compile_acl(RULES, options)
    assert isinstance(policy, Policy)
    return [fault.problem for fault in failures(policy, tests, LABELS)]


@pytest.mark.parametrize(
    "test",
    [
        Expected("zoe/app", ("pull", "push")),
        Expected("zoe/app", ("push", "pull"), actions=("push", "pull", "push")),
        Expected("other", ()),
        Expected("core/app", ("pull", "push"), account="ann"),
        Expected("core/app", (), account="ann", labels={"team": ("web",)}),
        Expected("web/app", ("pull",), account="bob", labels={"team": ("web",)}, actions=("pull", "delete")),
        Expected("any", ("pull",), ip="10.1.1.1"),
        Expected("any", ("pull",), ip="::ffff:10.1.1.1"),
        Expected("any", (), account=""),
    ],
)
def test_holding(test: Expected) -> None:
    """Sets are compared; labels are the user's own unless the test gives some."""
    assert failing(test) == []


def test_failing() -> None:
    """What was granted, what was expected, and why."""
    one, two, three = failing(
        Expected("zoe/app", ("pull",)), Expected("core/app", (), account="ann"), Expected("any", ("pull",), account="")
    )
    assert one == (
        "fails: zoe on repository:zoe/app is granted pull, push, expected is pull, "
        "since rule 1 (line 3) matches by account, name and allows *; asked was pull, push"
    )
    assert two == (
        "fails: ann on repository:core/app is granted pull, push, expected is nothing, "
        "since rule 2 (line 6) matches by name and allows pull, push; asked was pull, push"
    )
    assert three == (
        "fails: anonymous on repository:any is granted nothing, expected is pull, "
        "since rule 4 (line 12) matches by account and allows nothing; asked was pull, push"
    )


def test_they_follow_the_options() -> None:
    """What is tested is the list as it is read."""
    test = Expected("zoe/app", ("delete", "pull", "push"), labels={"team": ("zoe",)}, actions=("delete", "pull", "push"))
    assert failing(test, options=Options(union=True)) == []


def test_an_address_that_is_none() -> None:
    """A fault of its own, at the test's place."""
    policy = compile_acl(RULES)
    assert isinstance(policy, Policy)
    (fault,) = failures(policy, [Expected("a", ()), Expected("a", (), ip="10.0.0.0/8")], {})
    assert (fault.line, fault.column, fault.key, fault.problem) == (20, 5, "tests[1].ip", "'10.0.0.0/8' is no address")
