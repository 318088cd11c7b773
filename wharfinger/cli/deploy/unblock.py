"""``wharfinger deploy unblock DIGEST``: takes its marks back, also that of a deployment that was undone."""

import click

from wharfinger.cli.deploy.opening import no, opened, parse_digest, saying, statement
from wharfinger.cli.loading import Place, placed
from wharfinger.ledger.steering import unblock


@click.command()
@click.argument("digest", callback=parse_digest)
@click.option("--target", metavar="NAME", help="Only the mark at this target.")
@saying
@placed
def command(place: Place, *, digest: str, target: str | None, who: str | None, why: str) -> None:
    """Take back every mark of DIGEST, or that at one target. Nothing that was refused is sent. Exits with 1 without a mark."""
    with opened(place, outcome="nothing was unblocked") as (_, database):
        if not unblock(database, digest, target, statement(who, why)):
            no(f"{digest} is not marked")
    click.echo(f"unblocked {digest}; push it again to deploy it")
