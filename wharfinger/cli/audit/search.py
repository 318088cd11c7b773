"""``wharfinger audit search``: the trail by what people ask for, newest first, as a table, groups, or JSON lines."""

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any, Final

import click
from rich.filesize import decimal
from rich.table import Table

from wharfinger.cli.audit.criteria import searching
from wharfinger.cli.audit.lines import where
from wharfinger.cli.audit.opening import open_ledger
from wharfinger.cli.loading import Place, placed
from wharfinger.cli.texts import counted, in_markup
from wharfinger.cli.trace import coloured, moment, people_console
from wharfinger.ledger.database import Database
from wharfinger.ledger.formats import as_json
from wharfinger.ledger.groups import SHOWN, Group, GroupKind, group, was
from wharfinger.ledger.reading import Stored
from wharfinger.ledger.search import MAX_PAGE, Criteria, Page, search

EXIT_NOT_FOUND: Final = 1
MARGIN: Final = 500
"""Records beside a page in which the rest of a push may lie, that began before it or ends after it."""


@click.command()
@searching
@click.option("--limit", type=click.IntRange(1, MAX_PAGE), default=100, show_default=True)
@click.option("--before", type=int, help="The cursor that the page before printed.")
@click.option("--grouped", is_flag=True, help="Pushes and pulls instead of single events.")
@click.option("--json", "as_lines", is_flag=True, help="Print one JSON record a line; with --grouped one push or pull.")
@placed
def command(place: Place, *, criteria: Criteria, limit: int, before: int | None, grouped: bool, as_lines: bool) -> None:
    """Search the audit trail. Exits with 1 when nothing is found."""
    with open_ledger(place) as database:
        page = search(database, criteria, limit=limit, before=before)
        actions = _actions(database, criteria, page, before) if grouped else []
    match as_lines, grouped:
        case True, True:
            _print_lines(one.to_json() for one in actions)
        case True, False:
            _print_lines(as_json(one) for one in page.records)
        case False, True:
            _show_groups(actions)
        case _:
            _show(page.records)
    if page.next is not None:
        click.echo(f"more: --before {page.next}", err=True)
    sys.exit(0 if page.records else EXIT_NOT_FOUND)


def _actions(database: Database, criteria: Criteria, page: Page, before: int | None) -> list[Group]:
    """The pushes and pulls whose last record is on a page, newest first, whole: what is of them beside it is read too."""
    if not page.records:
        return []
    oldest, newest = page.records[-1].seq, page.records[0].seq
    older = search(database, criteria, limit=MARGIN, before=oldest).records if page.next is not None else ()
    around = () if before is None else search(database, criteria, limit=MARGIN, before=newest + 1 + MARGIN).records
    newer = tuple(one for one in around if one.seq > newest)
    found = group(reversed((*newer, *page.records, *older)))
    return [one for one in reversed(found) if one.kind is not GroupKind.OTHER and oldest <= one.seqs[-1] <= newest]


def _print_lines(told: Iterable[dict[str, Any]]) -> None:
    for one in told:
        click.echo(json.dumps(one))


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
            in_markup(" ".join(filter(None, (where(one), record.digest[:SHOWN], was(record.previous_digest, record.digest))))),
            coloured(verdict, record.verdict) + flags,
        )
    people_console().print(table)


def _show_groups(groups: Sequence[Group]) -> None:
    console = people_console()
    for one in groups:
        verdicts = ", ".join(coloured(verdict, verdict) for verdict in sorted(one.verdicts))
        more = [
            decimal(one.size) if one.size else "",
            counted(len(one.tokens), "token"),
            f"log {one.seqs[0]}-{one.seqs[-1]}" if len(one.seqs) > 1 else f"log {one.seqs[0]}",
        ]
        console.print(
            f"{moment(one.first_at)}  {in_markup(one.headline())}  {verdicts}  [dim]{'  '.join(filter(None, more))}[/dim]",
            soft_wrap=True,
        )
