"""Which rule a command is about: one of the file, or all of them."""

from collections.abc import Callable, Iterable
from typing import Any

import click

from wharfinger.ledger.steering import EVERY_RULE
from wharfinger.runtime.settings import DeploySettings


def one_rule(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command a rule's name, or ``--all``."""
    function = click.option("--all", "every", is_flag=True, help="All rules.")(function)
    return click.argument("rule", required=False)(function)


def which(rule: str | None, deploy: DeploySettings, *, every: bool, known: Iterable[str] = ()) -> str:
    """The name by which the ledger knows it. Raises click.UsageError: none is named, or one that is not there."""
    if (rule is None) is not every:
        raise click.UsageError("name a rule, or say --all")
    if rule is None:
        return EVERY_RULE
    names = {one.name for one in deploy.rules} | set(known) - {EVERY_RULE}
    if rule not in names:
        raise click.UsageError(f"there is no rule {rule!r}; known: {', '.join(sorted(names)) or 'none'}")
    return rule
