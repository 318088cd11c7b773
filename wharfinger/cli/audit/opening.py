"""Opening the ledger for a command that only reads: one way for all, and the exit codes when it cannot be."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import click

from wharfinger.cli.loading import UNREAD, Place, settings_or_exit
from wharfinger.ledger.database import Database
from wharfinger.ledger.errors import LedgerError

EXIT_UNAVAILABLE: Final = 3


@contextmanager
def open_ledger(place: Place) -> Iterator[Database]:
    """The ledger of a configuration; exit code 3, and why, when it does not answer."""
    settings = settings_or_exit(place, outcome=UNREAD)
    try:
        database = Database(settings.workers.ledger_url, create=False)
        try:
            yield database
        finally:
            database.close()
    except LedgerError as fault:
        click.echo(str(fault), err=True)
        sys.exit(EXIT_UNAVAILABLE)
