"""``wharfinger audit forwarded``: how far each forward of the trail has come."""

import json
import sys
from typing import Final

import click

from wharfinger.cli.audit.opening import open_ledger
from wharfinger.cli.loading import UNREAD, Place, placed, settings_or_exit
from wharfinger.ledger.forwarding import positions
from wharfinger.ledger.log import read_tree

EXIT_DONE: Final = 0
EXIT_BEHIND: Final = 1


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@placed
def command(place: Place, *, as_json: bool) -> None:
    """Tell of each forward how many records it has handed over, and how many are left. Exits with 1 when any are."""
    names = [one.name for one in settings_or_exit(place, outcome=UNREAD).workers.forwards]
    with open_ledger(place) as database, database.reading() as connection:
        size, reached = read_tree(connection).size, positions(connection)
    told = [{"forward": name, "handed_over": reached.get(name, 0), "left": size - reached.get(name, 0)} for name in names]
    if as_json:
        click.echo(json.dumps(told, indent=2))
    else:
        for one in told:
            click.echo(f"{one['forward']}: {one['handed_over']} records handed over, {one['left']} left")
        if not told:
            click.echo("nothing is forwarded: name a file or a syslog server in forward, see docs/configuration.md")
    sys.exit(EXIT_BEHIND if any(one["left"] for one in told) else EXIT_DONE)
