"""``wharfinger audit``: a table of sub-commands, a module each, imported only when it is called.

Exit codes: 0 done or proved, 1 not found or not proved, 2 usage or configuration, 3 unavailable.
"""

from typing import Final

import click

from wharfinger.cli.lazy import LazyGroup, Table

COMMANDS: Final[Table] = {
    "search": ("wharfinger.cli.audit.search", "Search the trail, newest first."),
    "follow": ("wharfinger.cli.audit.follow", "Print records as they come."),
    "export": ("wharfinger.cli.audit.export", "Write records as JSON lines, CSV, CloudEvents or OCSF."),
    "forwarded": ("wharfinger.cli.audit.forwarded", "Tell how far the trail was forwarded to other systems."),
    "checkpoint": ("wharfinger.cli.audit.checkpoint", "Sign the log, and print the newest checkpoint to keep elsewhere."),
    "prove": ("wharfinger.cli.audit.prove", "Write a receipt of one record, which stands alone."),
    "verify": (
        "wharfinger.cli.audit.verify",
        "Verify the log, a range, a receipt, or that it began as an older checkpoint says.",
    ),
    "erase": ("wharfinger.cli.audit.erase", "Erase what is known of an account; every proof still holds."),
    "prune": ("wharfinger.cli.audit.prune", "Remove what the rules of retention let go."),
}


@click.group(cls=LazyGroup, table=COMMANDS)
def command() -> None:
    """Search, follow, export and prove the audit trail."""
