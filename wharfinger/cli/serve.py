"""``wharfinger serve auth``, ``notifier`` or ``shadow``: one service in this process, for set-ups with their own supervisor."""

import os
import sys
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Final

import click

import authsvc.app
import authsvc.metrics
import authsvc.shadow.app
import notifier.app
import notifier.metrics
from wharfinger.cli.first_start import settings_to_start
from wharfinger.cli.loading import EXIT_MISCONFIGURED, Place, placed, read
from wharfinger.cli.planning import ConfiguredPlan, log_found
from wharfinger.cli.stores import url_or_exit
from wharfinger.cli.supervise import Spec, Supervisor
from wharfinger.runtime.configuration.server import MAX_PROCESSES
from wharfinger.runtime.errors import Misconfigured
from wharfinger.runtime.log import to_stderr
from wharfinger.runtime.metrics import Board
from wharfinger.runtime.serving import require_free
from wharfinger.runtime.settings import Address, Settings, TlsPair

NO_PAIR: Final = TlsPair(Path(), Path())
"""Stands for any pair: its files may change while the service runs."""
NO_SOURCES: Final = "notifier.sources names no registry, so nobody's notifications could be taken"


@click.command()
@click.argument("service", type=click.Choice(["auth", "notifier", "shadow"]))
@placed
def command(place: Place, *, service: str) -> None:
    """Run one service in the foreground.

    shadow stands in front of a running docker_auth (shadow.upstream), hands everything on as it is, and tells where our answers
    would differ: in the log, in /metrics, and to this machine in /shadow.
    """
    log = to_stderr("serve")
    settings = settings_to_start(place, log)
    if service == "shadow":
        log_found(read(place), to_stderr("shadow"))
        sys.exit(authsvc.shadow.app.serve(settings.auth, partial(read, place), Board(authsvc.metrics.SHADOW_TABLE).meter()))
    if service == "notifier" and not settings.notifier.sources:
        click.echo(f"{settings.file}: {NO_SOURCES}. Add a section notifier: with sources.", err=True)
        sys.exit(EXIT_MISCONFIGURED)
    url = url_or_exit(settings)
    boards = Boards()
    make = (
        partial(auth_specs, place=place, url=url, board=boards.auth)
        if service == "auth"
        else partial(notifier_specs, url=url, board=boards.notifier)
    )
    if service == "auth":
        require_free_or_exit(settings.auth.server.listen, "server.addr")
    sys.exit(Supervisor(make(settings), log=log, plan=ConfiguredPlan(place, settings, make, log)).run())


@dataclass(frozen=True, slots=True)
class Boards:
    """Each service's numbers, for as long as this process lives: its children come and go."""

    auth: Board = field(default_factory=partial(Board, authsvc.metrics.TABLE, MAX_PROCESSES))
    notifier: Board = field(default_factory=partial(Board, notifier.metrics.TABLE))


def auth_specs(settings: Settings, *, place: Place, url: str, board: Board) -> list[Spec]:
    """The token service's processes, which share its address. They read the configuration anew by themselves."""
    server = settings.auth.server
    # A unix socket cannot be shared so.
    processes = 1 if server.listen.unix else server.processes or len(os.sched_getaffinity(0))
    auth = replace(settings.auth, redis_url=url)
    run = partial(authsvc.app.serve, auth, partial(read, place), shared=processes > 1)
    names = [f"auth-{number}" for number in range(1, processes + 1)] if processes > 1 else ["auth"]
    kept = replace(server, tls=replace(server.tls, pair=NO_PAIR) if server.tls else None)
    settled = (kept, auth.on_store_failure)
    return [Spec(name, partial(run, meter=board.meter(row)), settings=settled) for row, name in enumerate(names)]


def notifier_specs(settings: Settings, *, url: str, board: Board) -> list[Spec]:
    """The notifier's process; none without sources. While it is replaced, registries keep their events."""
    if not settings.notifier.sources:
        return []
    ready = replace(settings.notifier, redis_url=url)
    return [Spec("notifier", partial(notifier.app.serve, ready, board.meter()), settings=ready)]


def require_free_or_exit(listen: Address, setting: str) -> None:
    """Exit code 2 when somebody else has the address."""
    try:
        require_free(listen, setting)
    except Misconfigured as fault:
        click.echo(str(fault), err=True)
        sys.exit(EXIT_MISCONFIGURED)
