"""``wharfinger deploy blocked``: the digests that are marked as bad, where, by whom, and why."""

import json
from dataclasses import asdict

import click
from rich.table import Table

from wharfinger.cli.deploy.opening import opened
from wharfinger.cli.loading import UNREAD, Place, placed
from wharfinger.cli.texts import in_markup
from wharfinger.cli.trace import moment, people_console
from wharfinger.ledger.steering import blocked


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@placed
def command(place: Place, *, as_json: bool) -> None:
    """Show the digests that are marked as bad, the newest mark first."""
    with opened(place, outcome=UNREAD) as (_, database):
        marks = blocked(database)
    if as_json:
        click.echo(json.dumps({"blocked": [asdict(one) for one in marks]}, indent=2))
        return
    table = Table("digest", "at", "since", "by", "why", box=None, pad_edge=False)
    for one in marks:
        where, who = one.target or "everywhere", one.who or "a deployment that was undone"
        table.add_row(one.digest, in_markup(where), moment(one.at), in_markup(who), in_markup(one.why))
    people_console().print(table)
