"""``wharfinger deploy block DIGEST``: it is refused from now on, also what waits with it. What runs is not touched."""

import click

from wharfinger.cli.deploy.opening import opened, parse_digest, saying, statement
from wharfinger.cli.loading import Place, placed
from wharfinger.cli.texts import shown
from wharfinger.ledger.steering import EVERYWHERE, block


@click.command()
@click.argument("digest", callback=parse_digest)
@click.option("--target", metavar="NAME", help="Only at this target.")
@saying
@placed
def command(place: Place, *, digest: str, target: str | None, who: str | None, why: str) -> None:
    """Mark DIGEST as bad, everywhere or at one target."""
    with opened(place, outcome="nothing was blocked") as (settings, database):
        if target is not None and target not in {one.name for one in settings.workers.deploy.targets}:
            raise click.UsageError(f"there is no target {target!r} in deploy.targets")
        block(database, digest, target or EVERYWHERE, statement(who, why))
    click.echo(f"blocked {digest} {'everywhere' if target is None else f'at {shown(target)}'}")
