"""``wharfinger tour``: everything on this machine with a real registry, a traced push played on it, and then it stays up.

For a first look; it starts `wharfinger up` and the registry as any operator would, and pushes as any client would.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import click

from wharfinger.cli import init
from wharfinger.cli.loading import Place, placed, settings_or_exit
from wharfinger.cli.pusher import Image, Pusher, PushRefused, make_image
from wharfinger.cli.receiver import start_receiver
from wharfinger.cli.registries import HOW_TO_GET_ONE, registry_command
from wharfinger.cli.templates import Ports
from wharfinger.cli.trace import people_console, show
from wharfinger.ledger.database import Database
from wharfinger.ledger.queries import Trace, trace
from wharfinger.runtime.settings import Settings, WebhookTarget
from workers.adapters.http import request
from workers.adapters.registry import endpoint_of
from workers.errors import Unavailable

START_S: Final = 60.0
EXIT_UNAVAILABLE: Final = 3
_READY: Final = 200
_ANSWERS: Final = frozenset({200, 401})
REPOSITORY: Final = "ubuntu"
FORBIDDEN: Final = "fedora"
ACCOUNT: Final = "hussein"


@click.command()
@click.option("--play/--no-play", default=True, help="Play the push, or only start everything.")
@click.option("--stay/--no-stay", default=True, help="Stay up afterwards, or stop everything.")
@placed
def command(place: Place, *, play: bool, stay: bool) -> None:
    """Start a registry wired to us, and play a traced push on it."""
    if not place.config.exists():
        place.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        init.make(place.data, (), Ports(5_001, 5_002, 5_000), tour=True)
        click.echo(f"made keys, secrets and configuration in {place.data}")
    settings = settings_or_exit(place)
    registry = registry_command(place.data)
    if registry is None:
        click.echo(HOW_TO_GET_ONE, err=True)
        sys.exit(EXIT_UNAVAILABLE)
    sys.exit(Tour(place, settings).run(registry, play=play, stay=stay))


class Tour:
    """The programs of one tour, and the play."""

    def __init__(self, place: Place, settings: Settings) -> None:
        self._place = place
        self._settings = settings
        self._console = people_console()
        self._children: list[subprocess.Popen[bytes]] = []

    def run(self, registry: list[str], *, play: bool, stay: bool) -> int:
        """Start everything, play, and stop everything in the end."""
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        try:
            ours = [
                sys.executable,
                "-m",
                "wharfinger.cli.main",
                "up",
                "-c",
                str(self._place.config),
                "--data",
                str(self._place.data),
            ]
            self._start("wharfinger", ours, f"http://127.0.0.1:{self._settings.auth.server.listen.port}/readyz")
            self._start("registry", registry, f"{self._settings.notifier.sources[0].registry}/v2/")
            if play:
                self._play()
            if stay:
                self._say(f"\nEverything stays up: registry {self._settings.notifier.sources[0].registry}. Ctrl+C stops it.")
                while all(child.poll() is None for child in self._children):
                    time.sleep(0.5)
        except (Unavailable, PushRefused) as fault:
            self._say(f"[red]{fault}[/red]; the programs' own words are in {self._place.data}/*.log")
            return EXIT_UNAVAILABLE
        except KeyboardInterrupt:
            return 0
        finally:
            self._stop()
        return 0

    def _start(self, name: str, command_line: list[str], url: str) -> None:
        with (self._place.data / f"{name}.log").open("ab") as log:
            # A session of its own: Ctrl+C is ours to hand on, in order.
            child = subprocess.Popen(command_line, stdout=log, stderr=log, start_new_session=True)  # noqa: S603 - ours
        self._children.append(child)
        path = urlsplit(url).path
        until = time.monotonic() + START_S
        while time.monotonic() < until:
            if child.poll() is not None:
                raise Unavailable(f"{name} ended with {child.returncode} at once")
            try:
                if request(endpoint_of(url), "GET", path, timeout_s=2).status in _ANSWERS:
                    self._say(f"{name} runs, process {child.pid}")
                    return
            except Unavailable:
                time.sleep(0.1)
        raise Unavailable(f"{name} did not answer within {START_S:.0f} s")

    def _stop(self) -> None:
        for child in reversed(self._children):
            if child.poll() is None:
                child.terminate()
                try:
                    child.wait(30)
                except subprocess.TimeoutExpired:
                    child.kill()
                    child.wait()

    def _play(self) -> None:
        hook = next((one for one in self._settings.workers.deploy.targets if isinstance(one, WebhookTarget)), None)
        if hook is None or not (self._place.data / "passwords.txt").exists():
            self._say("this data folder was not made for the tour: it has no webhook target or no passwords.txt")
            return
        start_receiver(urlsplit(hook.url).port or 80, hook.secrets[0].reveal(), self._hear)
        pusher = Pusher(self._settings.notifier.sources[0].registry, ACCOUNT, _password(self._place.data))
        image, tag = make_image(os.urandom(64)), time.strftime("%H%M%S")
        self._say(f"\n[bold]1.[/bold] {ACCOUNT} pushes {REPOSITORY}:{tag}")
        pusher.push(image, REPOSITORY, tag)
        self._show(f"{REPOSITORY}:{tag}", lambda found: _states(found) == ["delivered"])
        self._say(f"\n[bold]2.[/bold] {ACCOUNT} pushes {FORBIDDEN}:{tag}")
        self._refused(image, tag)
        self._say("\n[bold]3.[/bold] the same bytes again")
        Pusher(pusher.registry, ACCOUNT, pusher.password).push(image, REPOSITORY, tag)
        self._show(f"{REPOSITORY}:{tag}", lambda found: _states(found) == ["delivered", "unchanged"])

    def _refused(self, image: Image, tag: str) -> None:
        pusher = Pusher(self._settings.notifier.sources[0].registry, ACCOUNT, _password(self._place.data))
        try:
            pusher.push(image, FORBIDDEN, tag)
        except PushRefused as fault:
            self._say(f"refused: {fault}")
        else:
            raise PushRefused(f"{FORBIDDEN} was pushed, and should have been refused")

    def _show(self, ref: str, wanted: Callable[[Trace], bool]) -> None:
        database = Database(self._settings.workers.ledger_url)
        until = time.monotonic() + START_S
        found = trace(database, ref)
        while not wanted(found) and time.monotonic() < until:
            time.sleep(0.05)
            found = trace(database, ref)
        database.close()
        show(found, self._console)
        if not wanted(found):
            raise Unavailable(f"{ref} was not traced to a delivery within {START_S:.0f} s")

    def _hear(self, payload: dict[str, Any], genuine: bool) -> None:  # noqa: FBT001 - the receiver's signature
        data = payload.get("data", {})
        word = "right" if genuine else "WRONG"
        self._say(f"   webhook, signature {word}: {data.get('image', '')}, pushed by {data.get('account', '')}")

    def _say(self, text: str) -> None:
        self._console.print(text)


def _states(found: Trace) -> list[str]:
    return [delivery.state for delivery in found.deliveries]


def _password(folder: Path) -> str:
    lines = (folder / "passwords.txt").read_text().splitlines()
    return next(password for name, _, password in (line.partition(" ") for line in lines) if name == ACCOUNT)
