"""``wharfinger up``: everything in one process group, with an embedded store unless ``redis.url`` is set.

Order of stopping: the services stop taking requests, then the workers finish, then the store. A child that ends is started
again; so is the store. After a kill -9 of this process the others end by themselves, and the next start goes on from disk.
"""

import fcntl
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import TextIO

import click

from wharfinger.cli.first_start import settings_to_start
from wharfinger.cli.loading import Place, placed
from wharfinger.cli.planning import ConfiguredPlan
from wharfinger.cli.serve import NO_SOURCES, Boards, auth_specs, notifier_specs, require_free_or_exit
from wharfinger.cli.supervise import Spec, Supervisor
from wharfinger.cli.work import ledger_spec, worker_specs
from wharfinger.runtime import embedded
from wharfinger.runtime.configuration import STORE
from wharfinger.runtime.errors import Misconfigured, Unavailable
from wharfinger.runtime.log import Log, to_stderr
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
    log = to_stderr("up")
    settings = settings_to_start(place, log, signs=True)
    with lock_or_exit(settings.data):
        sys.exit(_run(place, settings, log))


def _run(place: Place, settings: Settings, log: Log) -> int:
    require_free_or_exit(settings.auth.server.listen, "server.addr")
    try:
        store = EmbeddedStore(settings) if settings.embedded else None
        if store is None and embedded.left_behind(settings.data):
            log(
                "store.left_behind",
                folder=str(settings.data / STORE),
                why="redis.url is set, and it was not moved: docs/ledger.md",
            )
    except Misconfigured as fault:
        click.echo(str(fault), err=True)
        return EXIT_MISCONFIGURED
    except Unavailable as fault:
        click.echo(str(fault), err=True)
        return EXIT_UNAVAILABLE
    url = settings.auth.redis_url if store is None else store.url
    boards = Boards()

    def make(current: Settings) -> list[Spec]:
        if not current.notifier.sources:
            log("notifier.not_started", why=NO_SOURCES)
        return [
            *auth_specs(current, place=place, url=url, board=boards.auth),
            *notifier_specs(current, url=url, board=boards.notifier),
            *worker_specs(current, url=url, processes=DELIVER_WORKERS),
        ]

    plan = ConfiguredPlan(place, settings, make, log, signs=True)
    return Supervisor(make(settings), log=log, first=ledger_spec(settings), plan=plan, external=store).run()


def lock_or_exit(data: Path) -> TextIO:
    """The lock of a data folder, or exit code 2: a second `up` there would stop the first one's store when it ends.

    A record lock is this process's alone: children do not inherit it, so the start after a kill -9 need not wait for them.
    """
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Nobody else's to open: a lock that another user may share keeps this one from being had alone.
        lock = os.fdopen(os.open(data / "up.lock", os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600), "w")
    except OSError as error:
        click.echo(f"{error.filename}: {error.strerror}: name a folder that can be written with --data", err=True)
        sys.exit(EXIT_MISCONFIGURED)
    with suppress(PermissionError):  # another user's of the same group, who may run it too
        os.fchmod(lock.fileno(), 0o600)
    try:
        fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        lock.close()
        click.echo(f"another `wharfinger up` runs on {data}: stop it, or choose another folder with --data", err=True)
        sys.exit(EXIT_MISCONFIGURED)
    return lock
