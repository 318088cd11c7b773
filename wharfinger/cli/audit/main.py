"""The group ``wharfinger audit``, as a table of its sub-commands."""

from typing import Final

import click

from wharfinger.cli.lazy import LazyGroup, Table

COMMANDS: Final[Table] = {
    "search": ("wharfinger.cli.audit.search", "Search the trail, newest first."),
    "follow": ("wharfinger.cli.audit.follow", "Print records as they come."),
    "export": ("wharfinger.cli.audit.export", "Write records as JSON lines, CSV, CloudEvents or OCSF."),
    "erase": ("wharfinger.cli.audit.erase", "Erase what is known of an account; every proof still holds."),
    "prune": ("wharfinger.cli.audit.prune", "Remove what the rules of retention let go."),
}


@click.group(cls=LazyGroup, table=COMMANDS)
def command() -> None:
    """Search, follow, export and prove the audit trail."""
