"""``wharfinger tour``: everything on this machine with a real registry, a traced push played on it, and then it stays up.

For a first look; it starts `wharfinger up` and the registry as any operator would, and pushes as any client would.
"""

import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, NoReturn
from urllib.parse import urlsplit

import click

from wharfinger.cli import init
from wharfinger.cli.loading import EXIT_MISCONFIGURED, Place, placed, settings_or_exit
from wharfinger.cli.programs import START_S, Programs
from wharfinger.cli.pusher import Image, Pusher, PushRefused, make_image
from wharfinger.cli.receiver import start_receiver
from wharfinger.cli.registries import HOW_TO_GET_ONE, registry_command
from wharfinger.cli.templates import Ports
from wharfinger.cli.texts import in_markup
from wharfinger.cli.trace import people_console, show
from wharfinger.cli.up import lock_or_exit
from wharfinger.ledger.database import Database
from wharfinger.ledger.queries import Trace, trace
from wharfinger.runtime.serving import taken
from wharfinger.runtime.settings import Address, Settings, Source, WebhookTarget
from workers.adapters.http import Endpoint, request
from workers.adapters.registry import endpoint_of
from workers.decide.challenge import parse_challenge
from workers.errors import Unavailable

EXIT_UNAVAILABLE: Final = 3
FIRST_PORT: Final = 5_000
LAST_PORT: Final = 65_535
STAY_LOOK_S: Final = 0.5
_READY: Final = 200
REPOSITORY: Final = "ubuntu"
FORBIDDEN: Final = "fedora"
ACCOUNT: Final = "hussein"
_ANYWHERE: Final = frozenset({"", "0.0.0.0", "::"})  # noqa: S104 - compared with, not bound


@click.command()
@click.option("--play/--no-play", default=True, help="Play the push, or only start everything.")
@click.option("--stay/--no-stay", default=True, help="Stay up afterwards, or stop everything.")
@click.option(
    "--ports",
    "first",
    type=click.IntRange(1, LAST_PORT - 4),
    metavar="N",
    help=f"Of a new data folder: registry N, tokens N+1, notifications N+2, webhooks N+4.  [{FIRST_PORT}]",
)
@placed
def command(place: Place, *, play: bool, stay: bool, first: int | None) -> None:
    """Start a registry wired to us, and play a traced push on it."""
    if place.config.exists():
        lock_or_exit(place.data).close()
        if first is not None:
            click.echo(
                f"{place.config} was there, so --ports {first} changes nothing: it and registry.yml say the ports", err=True
            )
    else:
        ports = _ports(first or FIRST_PORT)
        _require_free(
            {
                "registry": Address("127.0.0.1", ports.registry),
                "tokens": Address("127.0.0.1", ports.auth),
                "notifications": Address("127.0.0.1", ports.notifier),
                "the tour's webhooks": Address("127.0.0.1", ports.hook),
            },
            "take others: `make run PORTS=6000`",
        )
        init.make_or_exit(place.data, (), ports, tour=True)
        click.echo(f"made keys, secrets and configuration in {place.data}")
    settings = settings_or_exit(place)
    if not settings.notifier.sources:
        click.echo(f"{place.config} names no registry in notifier.sources, so there is none to start", err=True)
        sys.exit(EXIT_MISCONFIGURED)
    registry = registry_command(place.data)
    if registry is None:
        click.echo(HOW_TO_GET_ONE, err=True)
        sys.exit(EXIT_UNAVAILABLE)
    tour = Tour(place, settings)
    _require_free(tour.addresses(play=play), "make a folder on other ports: `make run DATA=./other PORTS=6000`")
    sys.exit(tour.run(registry, play=play, stay=stay))


def _ports(first: int) -> Ports:
    return Ports(first + 1, first + 2, first, first + 4)


def _require_free(addresses: Mapping[str, Address], otherwise: str) -> None:
    """Exit code 3 when somebody else has one: a push must never go to a registry that happens to be there."""
    busy = taken([one for one in addresses.values() if not one.unix])
    for what, address in addresses.items():
        if address in busy:
            click.echo(f"{address} ({what}) is taken by another program: stop that, or {otherwise}", err=True)
    if busy:
        sys.exit(EXIT_UNAVAILABLE)


class Tour:
    """The programs of one tour, and the play."""

    def __init__(self, place: Place, settings: Settings) -> None:
        self._place = place
        self._settings = settings
        self._source = settings.notifier.sources[0]
        self._hook = next((one for one in settings.workers.deploy.targets if isinstance(one, WebhookTarget)), None)
        self._console = people_console()
        self._programs = Programs(place.data)

    def addresses(self, *, play: bool) -> dict[str, Address]:
        """Where its programs will listen, by what is there."""
        registry = urlsplit(self._source.registry)
        found = {
            "registry": Address(registry.hostname or "", registry.port or 80),
            "tokens": self._settings.auth.server.listen,
            "notifications": self._settings.notifier.listen,
        }
        if play and self._can_play() and self._hook is not None:
            found["the tour's webhooks"] = Address("127.0.0.1", urlsplit(self._hook.reach.url).port or 80)
        return found

    def run(self, registry: list[str], *, play: bool, stay: bool) -> int:
        """Start everything, play, and stop everything in the end."""
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        try:
            self._start_all(registry)
            if play:
                self._play()
            if stay:
                self._say(f"\nEverything stays up: registry {self._source.registry}. Ctrl+C stops it.")
                self._stay()
        except Unavailable as fault:
            click.echo(str(fault), err=True)
            return EXIT_UNAVAILABLE
        except PushRefused as fault:
            click.echo(f"{fault}; see {self._place.data}/*.log", err=True)
            return EXIT_UNAVAILABLE
        except KeyboardInterrupt:
            return 0
        finally:
            self._programs.stop()
        return 0

    def _start_all(self, registry: list[str]) -> None:
        ours = [sys.executable, "-m", "wharfinger.cli.main", "up"]
        ours += ["-c", str(self._place.config), "--data", str(self._place.data)]
        services = [_service(self._settings.auth.server.listen, _certificate(self._settings))]
        services.append(_service(self._settings.notifier.listen, None))
        made = (self._place.data / "registry.yml").read_text()
        for name, command_line, answers in (
            ("wharfinger", ours, lambda: all(map(_is_ready, services))),
            ("registry", registry, lambda: _is_wired(self._source, made)),
        ):
            pid = self._programs.start(name, command_line, answers)
            self._say(f"{name} runs, process {pid}")

    def _stay(self) -> NoReturn:
        while True:
            self._programs.require_all()
            time.sleep(STAY_LOOK_S)

    def _can_play(self) -> bool:
        return self._hook is not None and (self._place.data / "passwords.txt").exists()

    def _play(self) -> None:
        if self._hook is None or not self._can_play():
            self._say(
                f"\nNothing is played: {self._place.data} was not made by the tour, and sends no webhooks to it."
                "\nPush something yourself, or see the play elsewhere: make run DATA=./tour PORTS=6000"
            )
            return
        start_receiver(urlsplit(self._hook.reach.url).port or 80, self._hook.secrets[0].reveal(), self._hear)
        pusher = Pusher(self._source.registry, ACCOUNT, _password(self._place.data))
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
        pusher = Pusher(self._source.registry, ACCOUNT, _password(self._place.data))
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
            self._programs.require_all()
            time.sleep(0.05)
            found = trace(database, ref)
        database.close()
        show(found, self._console)
        if not wanted(found):
            raise Unavailable(f"{ref} was not traced to a delivery within {START_S:.0f} s; see {self._place.data}/*.log")

    def _hear(self, payload: dict[str, Any], genuine: bool) -> None:  # noqa: FBT001 - the receiver's signature
        data = payload.get("data", {})
        word = "right" if genuine else "WRONG"
        self._say(
            f"   webhook, signature {word}: {in_markup(data.get('image', ''))}, pushed by {in_markup(data.get('account', ''))}"
        )

    def _say(self, text: str) -> None:
        self._console.print(text)


def _certificate(settings: Settings) -> Path | None:
    return None if settings.auth.server.tls is None else settings.auth.server.tls.pair.certificate


def _service(listen: Address, certificate: Path | None) -> Endpoint:
    if listen.unix:
        return Endpoint("localhost", 0, unix=listen.unix)
    host = "127.0.0.1" if listen.host in _ANYWHERE else listen.host
    return Endpoint(host, listen.port, host, tls=certificate is not None, ca=str(certificate or ""))


def _is_ready(service: Endpoint) -> bool:
    try:
        return request(service, "GET", "/readyz", timeout_s=2).status == _READY
    except Unavailable:
        return False


def _is_wired(source: Source, registry_yml: str) -> bool:
    """Whether the registry that answers sends its clients to the token service that our registry.yml names."""
    try:
        answer = request(endpoint_of(source.registry, source.ca), "GET", "/v2/", timeout_s=2)
    except Unavailable:
        return False
    challenge = parse_challenge(answer.headers.get("www-authenticate", ""), registry=source.registry)
    return challenge is not None and challenge.realm in registry_yml


def _states(found: Trace) -> list[str]:
    return [delivery.state for delivery in found.deliveries]


def _password(folder: Path) -> str:
    lines = (folder / "passwords.txt").read_text().splitlines()
    return next(password for name, _, password in (line.partition(" ") for line in lines) if name == ACCOUNT)
