"""``wharfinger work``: the workers alone, supervised, for set-ups that run the services elsewhere."""

import sys
from dataclasses import replace
from functools import partial

import click

from wharfinger.cli.first_start import settings_to_start
from wharfinger.cli.loading import Place, placed
from wharfinger.cli.planning import ConfiguredPlan
from wharfinger.cli.stores import url_or_exit
from wharfinger.cli.supervise import Spec, Supervisor
from wharfinger.runtime.log import to_stderr
from wharfinger.runtime.settings import Settings
from workers.app import WORKERS, make_ledger


@click.command()
@click.option("--processes", type=click.IntRange(1, 64), default=2, show_default=True, help="Deliver workers.")
@placed
def command(place: Place, *, processes: int) -> None:
    """Run the workers: settle, deliver and sweep."""
    log = to_stderr("work")
    settings = settings_to_start(place, log, signs=True)
    make = partial(worker_specs, url=url_or_exit(settings), processes=processes)
    plan = ConfiguredPlan(place, settings, make, log, signs=True)
    sys.exit(Supervisor(make(settings), log=log, first=ledger_spec(settings), plan=plan).run())


def ledger_spec(settings: Settings) -> Spec:
    """Makes the ledger, or brings it to this version's schema: the memory that takes ends with the process."""
    return Spec("ledger", partial(make_ledger, settings.workers))


def worker_specs(settings: Settings, *, url: str, processes: int) -> list[Spec]:
    """The workers' processes: one settles (a second would gain nothing), one sweeps, some deliver."""
    ready = replace(settings.workers, redis_url=url)
    names = ["settle", "sweep", *(f"deliver-{number}" for number in range(1, processes + 1))]
    names += [] if settings.workers.listen is None else ["metrics"]
    names += ["forward"] if settings.workers.forwards else []
    return [Spec(name, partial(WORKERS[name.partition("-")[0]], ready), order=1, settings=ready) for name in names]
