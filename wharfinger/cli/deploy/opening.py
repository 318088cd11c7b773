"""What the commands of ``deploy`` share: configuration and ledger opened together, and who says something."""

import getpass
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, NoReturn

import click

from wharfinger.cli.audit.opening import EXIT_UNAVAILABLE
from wharfinger.cli.loading import Place, settings_or_exit
from wharfinger.cli.progress import now_ms
from wharfinger.ledger.database import Database
from wharfinger.ledger.errors import LedgerError
from wharfinger.ledger.steering import Statement
from wharfinger.runtime.settings import Settings

EXIT_NO: Final = 1
MAX_WHY: Final = 500
"""Characters; it stands in every line that tells of it."""
_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}", re.ASCII)


@contextmanager
def opened(place: Place, *, outcome: str) -> Iterator[tuple[Settings, Database]]:
    """Both, or exit code 2 or 3 and why. ``outcome``: what comes of faults."""
    settings = settings_or_exit(place, outcome=outcome)
    try:
        database = Database(settings.workers.ledger_url, create=False)
        try:
            yield settings, database
        finally:
            database.close()
    except LedgerError as fault:
        click.echo(str(fault), err=True)
        sys.exit(EXIT_UNAVAILABLE)


def saying(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command ``--why``, which must be said, and ``--as``."""
    function = click.option("--as", "who", metavar="NAME", help="Who says so; without it, who you are on this machine.")(
        function
    )
    return click.option("--why", required=True, callback=_why, help="Why. It stands in the trail.")(function)


def _why(_context: click.Context, _option: click.Parameter, why: str) -> str:
    if not why.strip():
        raise click.BadParameter("say why")
    if len(why) > MAX_WHY:
        raise click.BadParameter(f"is longer than {MAX_WHY} characters")
    return why.strip()


def statement(who: str | None, why: str) -> Statement:
    """What somebody says. Nobody proved who he is here: so it is a name of this machine, and no account's."""
    return Statement(f"os:{who or getpass.getuser()}", why, now_ms())


def parse_digest(_context: click.Context, _option: click.Parameter, digest: str) -> str:
    """A whole digest: a beginning could be that of another tomorrow."""
    if _DIGEST.fullmatch(digest) is None:
        raise click.BadParameter(f"{digest!r} is no whole digest, sha256: and 64 hex digits")
    return digest


def no(text: str) -> NoReturn:
    """Say that it is not done, and why; exit code 1."""
    click.echo(text, err=True)
    sys.exit(EXIT_NO)
