"""``wharfinger deploy pause RULE|--all``: its deliveries wait from now on; nothing is refused for it."""

import click

from wharfinger.cli.deploy.opening import no, opened, saying, statement
from wharfinger.cli.deploy.rule_names import one_rule, which
from wharfinger.cli.loading import Place, placed
from wharfinger.cli.texts import shown
from wharfinger.ledger.steering import pause


@click.command()
@one_rule
@saying
@placed
def command(place: Place, *, rule: str | None, every: bool, who: str | None, why: str) -> None:
    """Pause RULE, or all rules: a freeze. What is being sent is finished. Exits with 1 when that is so already."""
    with opened(place, outcome="nothing was paused") as (settings, database):
        named = which(rule, settings.workers.deploy, every=every)
        if not pause(database, named, statement(who, why)):
            no(f"{shown(named) or 'every rule'} is paused already: `wharfinger deploy list` tells by whom")
    click.echo(f"paused {shown(named) or 'all rules'}")
