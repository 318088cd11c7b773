"""``wharfinger ledger``: a table of sub-commands, a module each, imported only when it is called."""

from typing import Final

import click

from wharfinger.cli.lazy import LazyGroup, Table

COMMANDS: Final[Table] = {
    "backup": ("wharfinger.cli.ledger.backup", "Copy a SQLite ledger to a file, while it is in use."),
    "move": ("wharfinger.cli.ledger.move", "Move a SQLite ledger into another database, or the embedded store into a Redis."),
}


@click.group(cls=LazyGroup, table=COMMANDS)
def command() -> None:
    """Back the ledger up, and move it, or the store, to another place."""
