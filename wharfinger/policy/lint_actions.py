"""Looks at the actions of each rule: those that grant less than they seem to."""

import difflib
import re
from collections.abc import Iterator
from typing import Final

from wharfinger.policy.rule import EVERYTHING, Fault, Rule

ACTIONS: Final = ("pull", "push", "delete", "*")
"""What registries ask for; others are possible."""
_ACTION: Final = re.compile(r"[a-z]+|\*", re.ASCII)


def doubtful_actions(rule: Rule, *, union: bool) -> Iterator[Fault]:
    """Actions that nobody asks for, a star beside others, and an empty list that denies nothing."""
    actions = rule.source.actions
    if "*" in actions and actions != EVERYTHING:
        problem = "has * beside others, where it is an action like them and not everything"
        yield rule.fault("actions", problem, 'write ["*"] alone to allow everything')
    for action in dict.fromkeys(actions):
        near = difflib.get_close_matches(action.lower(), ACTIONS, n=1)
        if _ACTION.fullmatch(action) is None:
            remedy = f"did you mean {near[0]}?" if near else "actions are small letters, or *"
            yield rule.fault("actions", f"{action!r} is asked for by nobody", remedy)
        elif action not in ACTIONS and near:
            yield rule.fault("actions", f"{action!r} is no action of a registry", f"did you mean {near[0]}?")
    if union and not actions:
        yield rule.fault("actions", "is empty, and denies nothing where every rule that matches adds", "remove the rule")
    kind = rule.condition("type")
    if kind is not None and [one.literal() for one in kind.patterns] == ["registry"] and actions and "*" not in actions:
        yield rule.fault("actions", "grants nothing of type registry: the catalog is asked for with *", 'write ["*"]')
