"""``wharfinger ledger move``: a SQLite ledger into the database that ledger.url names, or the embedded store into a Redis.

Both are proved to be the same before the old one is left: the ledger by its log, the store key by key.
"""

import json
import os
import sys
from contextlib import closing
from pathlib import Path
from typing import Final, NoReturn

import click

from wharfinger.cli.audit.keys import EXIT_NOT_PROVED, keys_of
from wharfinger.cli.ledger import store
from wharfinger.cli.loading import Place, placed, settings_or_exit
from wharfinger.cli.progress import counting
from wharfinger.cli.texts import counted
from wharfinger.cli.up import lock_or_exit
from wharfinger.ledger.database import Database
from wharfinger.ledger.errors import LedgerError, LedgerMisuse
from wharfinger.ledger.log_keys import LogKeys
from wharfinger.ledger.moving import move
from wharfinger.ledger.verification.findings import What
from wharfinger.ledger.verification.whole import verify_whole
from wharfinger.runtime.configuration import JTI_KEY, STORE
from wharfinger.runtime.configuration.texts import scheme
from wharfinger.runtime.embedded import MOVING
from wharfinger.runtime.errors import Misconfigured, Unavailable

EXIT_MISCONFIGURED: Final = 2
EXIT_UNAVAILABLE: Final = 3


@click.command()
@click.option("--from", "file", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="The old ledger's file.")
@click.option(
    "--store-to", "url", help="Move the embedded store instead: a redis://, rediss:// or unix:// URL; ${VARIABLE} is put in."
)
@click.option("--not-durable", is_flag=True, help="With --store-to: also into a Redis that may lose what it answered.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@placed
def command(place: Place, *, file: Path | None, url: str | None, not_durable: bool, as_json: bool) -> None:
    """Move a SQLite ledger into the one that ledger.url names, or the embedded store into a Redis; the new one must be empty.

    Stop everything that has the old one open first. A ledger's whole log is verified before and after, a store is compared key
    by key; the old one stays as it is, but is opened no more. Exits with 1 when it is not proved: then the old one goes on.
    """
    if (file is None) == (url is None):
        raise click.UsageError("name what to move: --from FILE for a ledger, --store-to URL for the embedded store")
    if url is not None:
        _move_store(place, url, durable=not not_durable, as_json=as_json)
    if file is not None:
        _move_ledger(place, file, as_json=as_json)


def _move_store(place: Place, text: str, *, durable: bool, as_json: bool) -> None:
    settings = settings_or_exit(place)
    if scheme(text) not in {"redis", "rediss", "unix"}:
        raise click.UsageError("--store-to is no redis://, rediss:// or unix:// URL")
    with lock_or_exit(settings.data):
        try:
            to = store.target_of(text, os.environ)
            with counting("keys") as told:
                keys = store.move_store(settings.data, to, durable=durable, told=told)
        except Misconfigured as fault:
            _refuse(f"{fault}{_stays(settings.data)}", EXIT_MISCONFIGURED)
        except Unavailable as fault:
            _refuse(f"{fault}{_stays(settings.data)}", EXIT_UNAVAILABLE)
    if as_json:
        click.echo(json.dumps({"keys": keys, "url": to.shown}))
        return
    click.echo(f"moved {counted(keys, 'key')}; the embedded store is started no more. Write into {settings.file}:")
    click.echo(f'redis: {{url: "{to.shown}"}}')
    if "jti_key_file" not in settings.file.read_text():
        click.echo(
            f"and into its section token, for all token services share that key:\njti_key_file: {settings.data / JTI_KEY}"
        )


def _stays(data: Path) -> str:
    """What becomes of a store that is marked, and not moved."""
    mark = data / STORE / MOVING
    return f"; nothing is moved yet: run this again, or remove {mark} to stay with the old store" if mark.exists() else ""


def _move_ledger(place: Place, file: Path, *, as_json: bool) -> None:
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
