"""``wharfinger ledger backup FILE``: a whole copy of the SQLite ledger, made while the workers write."""

import json
import sys
from contextlib import closing
from pathlib import Path
from typing import Final

import click
from sqlalchemy.engine import make_url

from wharfinger.cli.loading import Place, placed, settings_or_exit
from wharfinger.cli.progress import counting
from wharfinger.ledger.backup import back_up
from wharfinger.ledger.database import Database
from wharfinger.ledger.errors import LedgerError
from wharfinger.ledger.moving import head

EXIT_MISCONFIGURED: Final = 2
EXIT_UNAVAILABLE: Final = 3


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@placed
def command(place: Place, *, file: Path, as_json: bool) -> None:
    """Copy the ledger to FILE, which must not be there yet. It appears whole, or not at all.

    Prints the size and root of the log in the copy. A PostgreSQL ledger is backed up with its own pg_dump.
    """
    url = make_url(settings_or_exit(place).workers.ledger_url)
    if url.get_backend_name() != "sqlite" or url.database is None:
        click.echo("ledger.url is PostgreSQL's: back it up with pg_dump (docs/ledger.md)", err=True)
        sys.exit(EXIT_MISCONFIGURED)
    try:
        with counting("pages") as told:
            back_up(Path(url.database), file, told=lambda done, _total: told(done))
        with closing(Database(f"sqlite:///{file.absolute()}", create=False)) as copy, copy.reading() as connection:
            found = head(connection)
    except LedgerError as fault:
        click.echo(str(fault), err=True)
        sys.exit(EXIT_UNAVAILABLE)
    if as_json:
        click.echo(json.dumps({"file": str(file), "size": found.size, "root": found.root.hex()}))
    else:
        click.echo(f"{file}: a log of {found.size} records, root {found.root.hex()}")
