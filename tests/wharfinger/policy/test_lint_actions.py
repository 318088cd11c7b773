"""Doubtful actions."""

import pytest

from wharfinger.policy import Policy, RuleText, compile_acl
from wharfinger.policy.lint_actions import doubtful_actions


def found(actions: list[str], *, union: bool = False, **conditions: str) -> list[tuple[str, str]]:
    """Problems and remedies of one rule."""
    policy = compile_acl([RuleText(actions=tuple(actions), **conditions)])  # type: ignore[arg-type]  # of its fields
    assert isinstance(policy, Policy)
    return [(fault.problem, fault.remedy) for fault in doubtful_actions(policy.rules[0], union=union)]


@pytest.mark.parametrize(
    ("actions", "problem", "remedy"),
    [
        (
            ["*", "pull"],
            "has * beside others, where it is an action like them and not everything",
            'write ["*"] alone to allow everything',
        ),
        (["Pull"], "'Pull' is asked for by nobody", "did you mean pull?"),
        ([""], "'' is asked for by nobody", "actions are small letters, or *"),
        (["pulll", "pulll"], "'pulll' is no action of a registry", "did you mean pull?"),
    ],
)
def test_doubtful(actions: list[str], problem: str, remedy: str) -> None:
    """A star that is no wildcard, and what no registry asks for, once each."""
    assert found(actions) == [(problem, remedy)]


@pytest.mark.parametrize("actions", [[], ["*"], ["pull", "push", "delete"], ["scan"]])
def test_sound(actions: list[str]) -> None:
    """Denying, everything, what registries ask for, and an action of one's own."""
    assert found(actions) == []


def test_a_denial_where_every_rule_adds() -> None:
    """With union, a rule that allows nothing denies nothing."""
    assert found([], union=True) == [("is empty, and denies nothing where every rule that matches adds", "remove the rule")]
    assert found(["pull"], union=True) == []


def test_the_catalog() -> None:
    """It is asked for with the star, which pull does not allow."""
    assert found(["pull"], type="registry") == [
        ("grants nothing of type registry: the catalog is asked for with *", 'write ["*"]')
    ]
    assert found(["*"], type="registry") == found([], type="registry") == found(["pull"], type="reg*") == []
