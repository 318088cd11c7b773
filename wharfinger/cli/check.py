"""``wharfinger check``: every fault and warning of the configuration, with line and remedy. Starts nothing."""

import json
import sys
from dataclasses import asdict

import click

from wharfinger.cli.loading import Place, describe, placed, read


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list.")
@placed
def command(place: Place, *, as_json: bool) -> None:
    """Tell all faults and warnings of the configuration.

    Exits with 0 when it is clean, 1 with warnings only, 2 with faults.
    """
    loaded = read(place)
    if as_json:
        click.echo(json.dumps([{"file": str(place.config), **asdict(fault)} for fault in loaded.found], indent=2))
    else:
        for fault in loaded.found:
            click.echo(describe(place.config, fault))
        warnings = len(loaded.found) - len(loaded.faults())
        click.echo(f"{place.config}: {len(loaded.faults())} faults, {warnings} warnings.")
    sys.exit(2 if loaded.faults() else 1 if loaded.found else 0)
