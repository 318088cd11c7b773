"""``wharfinger deploy resume RULE|--all``: ends a pause, and what waited goes on."""

import click

from wharfinger.cli.deploy.opening import no, opened, saying, statement
from wharfinger.cli.deploy.rule_names import one_rule, which
from wharfinger.cli.loading import Place, placed
from wharfinger.cli.texts import shown
from wharfinger.ledger.steering import pauses, resume


@click.command()
@one_rule
@saying
@placed
def command(place: Place, *, rule: str | None, every: bool, who: str | None, why: str) -> None:
    """End the pause of RULE, or a freeze. Rules that were paused by themselves stay so. Exits with 1 when there is none."""
    with opened(place, outcome="nothing was resumed") as (settings, database):
        # A rule that is gone from the file may be paused still.
        named = which(rule, settings.workers.deploy, every=every, known=[one.rule for one in pauses(database)])
        if not resume(database, named, statement(who, why)):
            no(f"{shown(named)} is not paused" if named else "there is no freeze")
        left = [shown(one.rule) or "all rules" for one in pauses(database)]
    click.echo(f"resumed {shown(named) or 'all rules'}" + (f"; still paused: {', '.join(left)}" if left else ""))
