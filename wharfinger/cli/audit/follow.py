"""``wharfinger audit follow``: records as they are committed, for people and pipes, from a number on."""

import json
import time
from collections.abc import Iterator
from typing import Final

import click

from wharfinger.cli.audit.criteria import searching
from wharfinger.cli.audit.lines import where
from wharfinger.cli.audit.opening import open_ledger
from wharfinger.cli.loading import Place, placed
from wharfinger.cli.texts import in_markup
from wharfinger.cli.trace import coloured, moment, people_console
from wharfinger.ledger.database import Database
from wharfinger.ledger.errors import LedgerUnavailable
from wharfinger.ledger.formats import as_json
from wharfinger.ledger.log import read_tree
from wharfinger.ledger.reading import Stored
from wharfinger.ledger.search import MAX_PAGE, Criteria, search

LOOK_S: Final = 0.2
AWAY_S: Final = 1.0
"""Between two tries of a ledger that does not answer."""


@click.command()
@searching
@click.option("--from", "start", type=int, help="Begin with this record's number; else with what comes next.")
@click.option("--json", "as_lines", is_flag=True, help="Print one JSON record a line.")
@placed
def command(place: Place, *, criteria: Criteria, start: int | None, as_lines: bool) -> None:
    """Print records as they come, until Ctrl+C."""
    console = people_console()
    with open_ledger(place) as database:
        following = _size(database) if start is None else start
        click.echo("waiting for records; Ctrl+C ends", err=True)
        for one in _coming(database, criteria, following):
            if as_lines:
                click.echo(json.dumps(as_json(one)))
            else:
                console.print(_line(one), soft_wrap=True)  # a record a line, however long


def _coming(database: Database, criteria: Criteria, following: int) -> Iterator[Stored]:
    """What matches from a number on, for ever. A ledger that does not answer is asked again: whoever reads on has no cursor."""
    away = False
    while True:
        try:
            size = _size(database)
            found = _between(database, criteria, following, size)
        except LedgerUnavailable as fault:
            if not away:
                click.echo(f"{fault}; trying again", err=True)
            away = True
            time.sleep(AWAY_S)
            continue
        yield from found
        following, away = size, False
        time.sleep(LOOK_S)


def _between(database: Database, criteria: Criteria, start: int, end: int) -> list[Stored]:
    """What matches of a range, oldest first."""
    found: list[Stored] = []
    cursor: int | None = end
    while start < end and cursor is not None:
        page = search(database, criteria, limit=MAX_PAGE, before=cursor)
        found += [one for one in page.records if one.seq >= start]
        cursor = page.next if page.records and page.records[-1].seq > start else None
    return found[::-1]


def _size(database: Database) -> int:
    with database.reading() as connection:
        return read_tree(connection).size


def _line(one: Stored) -> str:
    record = one.record
    what = " ".join(filter(None, (record.action or record.kind.value, record.object_kind, where(one), record.digest[:19])))
    flags = f" [yellow]{in_markup(record.flags)}[/yellow]" if record.flags else ""
    verdict = "/".join(filter(None, (record.verdict, record.reason[:60])))
    when = moment(record.occurred_at or record.recorded_at)
    return f"{one.seq}  {when}  {in_markup(one.who)}  {in_markup(what)}  {coloured(verdict, record.verdict)}{flags}"
