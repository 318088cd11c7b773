"""``wharfinger serve auth`` and ``serve notifier``: one service in this process, for set-ups with their own supervisor."""

import os
import sys
from dataclasses import replace
from functools import partial

import click

import authsvc.app
import notifier.app
from wharfinger.cli.loading import EXIT_MISCONFIGURED, Place, placed, read, settings_or_exit
from wharfinger.cli.stores import url_or_exit
from wharfinger.cli.supervise import Spec, Supervisor
from wharfinger.runtime.errors import Misconfigured
from wharfinger.runtime.log import to_stderr
from wharfinger.runtime.serving import require_free
from wharfinger.runtime.settings import AuthSettings


@click.command()
@click.argument("service", type=click.Choice(["auth", "notifier"]))
@placed
def command(place: Place, *, service: str) -> None:
    """Run one service in the foreground."""
    settings = settings_or_exit(place)
    url = url_or_exit(settings)
    if service == "auth":
        auth = replace(settings.auth, redis_url=url)
        sys.exit(Supervisor(auth_specs(auth, place), log=to_stderr("serve")).run())
    sys.exit(notifier.app.serve(replace(settings.notifier, redis_url=url)))


def auth_specs(settings: AuthSettings, place: Place) -> list[Spec]:
    """The token service's processes, which share its address. Exit code 2 when somebody else has it."""
    try:
        require_free(settings.server.listen, "server.addr")
    except Misconfigured as fault:
        click.echo(str(fault), err=True)
        sys.exit(EXIT_MISCONFIGURED)
    # A unix socket cannot be shared so.
    processes = 1 if settings.server.listen.unix else settings.server.processes or len(os.sched_getaffinity(0))
    run = partial(authsvc.app.serve, settings, partial(read, place), shared=processes > 1)
    return [Spec(f"auth-{number}" if processes > 1 else "auth", run) for number in range(1, processes + 1)]
