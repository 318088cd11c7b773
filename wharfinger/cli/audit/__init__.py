"""``wharfinger audit``: a table of sub-commands, a module each, imported only when it is called.

Exit codes: 0 done or proved, 1 not found or not proved, 2 usage or configuration, 3 unavailable.
"""

from typing import Final

import click

from wharfinger.cli.lazy import LazyGroup, Table

COMMANDS: Final[Table] = {
    "checkpoint": ("wharfinger.cli.audit.checkpoint", "Sign the log, and print the newest checkpoint to keep elsewhere."),
    "prove": ("wharfinger.cli.audit.prove", "Write a receipt of one record, which stands alone."),
    "verify": (
        "wharfinger.cli.audit.verify",
        "Verify the log, a range, a receipt, or that it began as an older checkpoint says.",
    ),
}


@click.group(cls=LazyGroup, table=COMMANDS)
def command() -> None:
    """Prove the audit trail, and look into it."""
