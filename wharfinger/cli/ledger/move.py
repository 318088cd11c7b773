"""``wharfinger ledger move --from FILE``: a SQLite ledger into the database that the configuration names, proved both times."""

import json
import os
import sys
from contextlib import closing
from pathlib import Path
from typing import Final, NoReturn

import click

from wharfinger.cli.audit.keys import EXIT_NOT_PROVED, keys_of
from wharfinger.cli.loading import Place, placed, settings_or_exit
from wharfinger.cli.progress import counting
from wharfinger.ledger.database import Database
from wharfinger.ledger.errors import LedgerError, LedgerMisuse
from wharfinger.ledger.log_keys import LogKeys
from wharfinger.ledger.moving import move
from wharfinger.ledger.verification.findings import What
from wharfinger.ledger.verification.whole import verify_whole

EXIT_MISCONFIGURED: Final = 2
EXIT_UNAVAILABLE: Final = 3


@click.command()
@click.option(
    "--from", "file", required=True, type=click.Path(path_type=Path, exists=True, dir_okay=False), help="The old ledger's file."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@placed
def command(place: Place, *, file: Path, as_json: bool) -> None:
    """Move a SQLite ledger into the one that ledger.url names, which must be empty.

    Stop everything that has the old one open first. The whole log is verified before and after; the old file stays as it is,
    but is opened as a ledger no more. Exits with 1 when it is not proved: then the old one goes on being the ledger.
    """
    url, keys = settings_or_exit(place).workers.ledger_url, keys_of(place)
    old = f"sqlite:///{file.absolute()}"
    try:
        with closing(Database(old, create=False)) as source:
            if not sound(source, keys):
                # What is wrong with it should be looked at where it happened.
                _refuse(f"the log in {file} is not proved: run `wharfinger audit verify` on it first", EXIT_NOT_PROVED)
        with (
            closing(Database(url)) as target,
            closing(Database(old, create=False, alone=True)) as source,
            counting("rows") as told,
        ):
            moved = move(source, target, prove=lambda: sound(target, keys), told=told)
    except LedgerMisuse as fault:
        _refuse(str(fault), EXIT_MISCONFIGURED)
    except LedgerError as fault:
        _refuse(f"{fault}: stop `wharfinger up`, and whatever else has it open", EXIT_UNAVAILABLE)
    if moved is None:
        _refuse("the new ledger is not proved: nothing is moved; run `wharfinger audit verify` on it", EXIT_NOT_PROVED)
    if as_json:
        click.echo(json.dumps({"size": moved.size, "root": moved.root.hex()}))
    else:
        click.echo(f"moved a log of {moved.size} records, root {moved.root.hex()}; {file} is opened no more")


def sound(database: Database, keys: LogKeys) -> bool:
    """Whether a log is proved; one that was never signed, whether it is whole."""
    report = verify_whole(database, keys, processes=os.cpu_count() or 1)
    return set(report.findings.counts) <= {What.UNSIGNED}


def _refuse(problem: str, code: int) -> NoReturn:
    click.echo(problem, err=True)
    sys.exit(code)
