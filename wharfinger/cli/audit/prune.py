"""``wharfinger audit prune``: removes what the rules of retention let go, or tells what it would remove."""

import json
import sys

import click
from rich.table import Table

from wharfinger.cli.audit.opening import open_ledger
from wharfinger.cli.loading import Place, placed, settings_or_exit
from wharfinger.cli.progress import counting, now_ms
from wharfinger.cli.trace import people_console
from wharfinger.ledger.pruning import Pruned, plan, prune, retention_of


@click.command()
@click.option("--dry-run", is_flag=True, help="Remove nothing; say how much it would be.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@placed
def command(place: Place, *, dry_run: bool, as_json: bool) -> None:
    """Remove what is older than audit.retention says. Proofs still hold: the log keeps the leaves, and tells which went."""
    retention = retention_of(settings_or_exit(place, outcome="nothing was removed").workers.retention.seconds)
    if not retention:
        click.echo(f"{place.config} has no audit.retention: everything is kept", err=True)
    with open_ledger(place) as database, counting("pruning") as told:
        found = (
            plan(database, retention, now_ms=now_ms())
            if dry_run
            else prune(database, retention, now_ms=now_ms(), told=lambda _kept, count: told(count))
        )
    if as_json:
        click.echo(json.dumps({kept.value: count for kept, count in found.counts.items()}))
    else:
        _show(found, "would go" if dry_run else "gone")
    sys.exit(0)


def _show(found: Pruned, word: str) -> None:
    table = Table("what", word, box=None)
    for kept, count in found.counts.items():
        table.add_row(kept.value, str(count))
    people_console().print(table)
