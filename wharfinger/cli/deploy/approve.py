"""``wharfinger deploy approve DELIVERY… --as ACCOUNT``: a vote for a digest at a target, by who proves to be that account."""

import click

from wharfinger.cli.deploy.voting import cast
from wharfinger.cli.loading import Place, placed


@click.command()
@click.argument("deliveries", nargs=-1, required=True)
@click.option("--as", "account", required=True, metavar="ACCOUNT", help="A user of the file; the password is asked for.")
@click.option("--why", default="", help="It stands in the trail.")
@placed
def command(place: Place, *, deliveries: tuple[str, ...], account: str, why: str) -> None:
    """Approve DELIVERIES, as `wharfinger deploy list` shows them. Exits with 1 when a vote is not taken."""
    cast(place, deliveries, account, why, approves=True)
