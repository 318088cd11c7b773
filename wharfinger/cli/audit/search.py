"""``wharfinger audit search``: the trail by what people ask for, newest first, as a table, groups, or JSON lines."""

import json
import sys
from typing import Final

import click
from rich.table import Table

from wharfinger.cli.audit.criteria import searching
from wharfinger.cli.audit.lines import where
from wharfinger.cli.audit.opening import open_ledger
from wharfinger.cli.loading import Place, placed
from wharfinger.cli.texts import in_markup
from wharfinger.cli.trace import coloured, moment, people_console
from wharfinger.ledger.formats import as_json
from wharfinger.ledger.groups import Group, GroupKind, group
from wharfinger.ledger.reading import Stored
from wharfinger.ledger.search import MAX_PAGE, Criteria, search

EXIT_NOT_FOUND: Final = 1


@click.command()
@searching
@click.option("--limit", type=click.IntRange(1, MAX_PAGE), default=100, show_default=True)
@click.option("--before", type=int, help="The cursor that the page before printed.")
@click.option("--grouped", is_flag=True, help="Pushes and pulls instead of single events.")
@click.option("--json", "as_lines", is_flag=True, help="Print one JSON record a line.")
@placed
def command(place: Place, *, criteria: Criteria, limit: int, before: int | None, grouped: bool, as_lines: bool) -> None:
    """Search the audit trail. Exits with 1 when nothing is found."""
    with open_ledger(place) as database:
        page = search(database, criteria, limit=limit, before=before)
    if as_lines:
        for one in reversed(page.records) if grouped else page.records:
            click.echo(json.dumps(as_json(one)))
    elif grouped:
        _show_groups(group(reversed(page.records)))
    else:
        _show(page.records)
    if page.next is not None:
        click.echo(f"more: --before {page.next}", err=True)
    sys.exit(0 if page.records else EXIT_NOT_FOUND)


def _show(records: tuple[Stored, ...]) -> None:
    table = Table("log", "time", "who", "what", "where", "verdict", box=None, pad_edge=False)
    for one in records:
        record = one.record
        what = " ".join(filter(None, (record.action or record.kind.value, record.object_kind)))
        verdict = "/".join(filter(None, (record.verdict, record.reason[:60])))
        flags = f" [yellow]{in_markup(record.flags)}[/yellow]" if record.flags else ""
        table.add_row(
            str(one.seq),
            moment(record.occurred_at or record.recorded_at),
            in_markup(one.who),
            in_markup(what),
            in_markup(f"{where(one)} {record.digest[:19]}".strip()),
            coloured(verdict, record.verdict) + flags,
        )
    people_console().print(table)


def _show_groups(groups: list[Group]) -> None:
    console = people_console()
    for one in reversed(groups):
        if one.kind is GroupKind.OTHER:
            continue
        verdicts = ", ".join(coloured(verdict, verdict) for verdict in sorted(one.verdicts))
        lines = f"log {one.seqs[0]}-{one.seqs[-1]}" if len(one.seqs) > 1 else f"log {one.seqs[0]}"
        console.print(f"{moment(one.first_at)}  {in_markup(one.headline())}  {verdicts}  [dim]{lines}[/dim]")
