"""``wharfinger deploy``: a table of sub-commands, a module each, imported only when it is called.

Exit codes: 0 done, 1 no (denied, not found, nothing to do), 2 usage or configuration, 3 unavailable.
"""

from typing import Final

import click

from wharfinger.cli.lazy import LazyGroup, Table

COMMANDS: Final[Table] = {
    "list": ("wharfinger.cli.deploy.listing", "Show rules, what is paused, and what waits for what."),
    "simulate": ("wharfinger.cli.deploy.simulate", "Tell what the rules would have done with the pushes of the ledger."),
    "pause": ("wharfinger.cli.deploy.pause", "Pause a rule, or all of them."),
    "resume": ("wharfinger.cli.deploy.resume", "End a pause; what waited goes on."),
    "approve": ("wharfinger.cli.deploy.approve", "Approve deliveries."),
    "reject": ("wharfinger.cli.deploy.reject", "Reject deliveries."),
    "force": ("wharfinger.cli.deploy.force", "Try a delivery again that ended badly, though its digest is marked."),
    "block": ("wharfinger.cli.deploy.block", "Mark a digest as bad."),
    "unblock": ("wharfinger.cli.deploy.unblock", "Take back the marks of a digest."),
    "blocked": ("wharfinger.cli.deploy.blocked", "Show the digests that are marked as bad."),
}


@click.group(cls=LazyGroup, table=COMMANDS)
def command() -> None:
    """Steer deployments, and see what rules do."""
