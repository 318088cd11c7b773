"""``wharfinger up``: everything in one process group, with an embedded store unless ``redis.url`` is set.

Order of stopping: the services stop taking requests, then the workers finish, then the store. A child that ends is started
again; so is the store. After a kill -9 of this process the others end by themselves, and the next start goes on from disk.
"""

import sys
from dataclasses import replace
from functools import partial

import click

import notifier.app
from wharfinger.cli.loading import Place, placed, settings_or_exit
from wharfinger.cli.serve import auth_specs
from wharfinger.cli.supervise import Spec, Supervisor
from wharfinger.cli.work import specs
from wharfinger.runtime import embedded
from wharfinger.runtime.errors import Misconfigured, Unavailable
from wharfinger.runtime.log import to_stderr
from wharfinger.runtime.settings import Settings

EXIT_MISCONFIGURED = 2
EXIT_UNAVAILABLE = 3
DELIVER_WORKERS = 2


class EmbeddedStore:
    """The embedded store, as the supervisor knows it."""

    def __init__(self, settings: Settings) -> None:
        self._data = settings.data
        self._running = embedded.start(settings.data)

    @property
    def url(self) -> str:
        """Its URL, the same after a restart."""
        return self._running.store.url

    def alive(self) -> bool:
        """Whether it runs."""
        return self._running.alive()

    def restart(self) -> None:
        """Start it again."""
        self._running = embedded.start(self._data)

    def stop(self) -> None:
        """Stop it and wait."""
        self._running.stop()


@click.command()
@placed
def command(place: Place) -> None:
    """Run everything: token service, notifier, workers, and an embedded store."""
    settings = settings_or_exit(place)
    try:
        store = EmbeddedStore(settings) if settings.embedded else None
    except Misconfigured as fault:
        click.echo(str(fault), err=True)
        sys.exit(EXIT_MISCONFIGURED)
    except Unavailable as fault:
        click.echo(str(fault), err=True)
        sys.exit(EXIT_UNAVAILABLE)
    ready = with_store(settings, settings.auth.redis_url if store is None else store.url)
    children = [
        *auth_specs(ready.auth, place),
        Spec("notifier", partial(notifier.app.serve, ready.notifier)),
        *specs(ready.workers, DELIVER_WORKERS),
    ]
    sys.exit(Supervisor(children, log=to_stderr("up"), external=store).run())


def with_store(settings: Settings, url: str) -> Settings:
    """The settings with the store's URL in each service's."""
    return replace(
        settings,
        auth=replace(settings.auth, redis_url=url),
        notifier=replace(settings.notifier, redis_url=url),
        workers=replace(settings.workers, redis_url=url),
    )
