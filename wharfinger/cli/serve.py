"""``wharfinger serve auth`` and ``serve notifier``: one service in this process, for set-ups with their own supervisor."""

import sys
from dataclasses import replace

import click

import authsvc.app
import notifier.app
from wharfinger.cli.loading import Place, placed, settings_or_exit
from wharfinger.cli.stores import url_or_exit


@click.command()
@click.argument("service", type=click.Choice(["auth", "notifier"]))
@placed
def command(place: Place, *, service: str) -> None:
    """Run one service in the foreground."""
    settings = settings_or_exit(place)
    url = url_or_exit(settings)
    if service == "auth":
        sys.exit(authsvc.app.serve(replace(settings.auth, redis_url=url)))
    sys.exit(notifier.app.serve(replace(settings.notifier, redis_url=url)))
