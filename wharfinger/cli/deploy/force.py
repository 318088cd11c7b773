"""``wharfinger deploy force DELIVERY``: one that ended badly is tried again, though its digest is marked at its target."""

import click

from wharfinger.cli.deploy.opening import no, opened, saying, statement
from wharfinger.cli.loading import Place, placed
from wharfinger.cli.texts import shown
from wharfinger.ledger.steering import force
from wharfinger.wire.names import DeliveryId


@click.command()
@click.argument("delivery")
@saying
@placed
def command(place: Place, *, delivery: str, who: str | None, why: str) -> None:
    """Try DELIVERY again, that was refused or undone, failed, or found no tag; and take back its digest's mark at its target.

    Every other guard is asked again. Exits with 1 when there is no such delivery.
    """
    with opened(place, outcome="nothing was forced") as (_, database):
        if not force(database, DeliveryId(delivery), statement(who, why)):
            no(f"there is no delivery {shown(delivery)} that was refused or undone, failed, or found no tag")
    click.echo(f"{delivery} is tried again")
