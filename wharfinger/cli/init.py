"""``wharfinger init DIR``: keys, certificate, secrets, configuration and the registry's own, fit for each other.

Each file is made only if it is missing, from those that are there: a lost certificate is made anew from its key, a lost
registry.yml from the secret that the configuration names.
"""

import re
import shutil
import socket
import sys
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path
from typing import Final

import click
from click.core import ParameterSource

from wharfinger.cli import generate, templates
from wharfinger.runtime.configuration import JTI_KEY, LOG_KEY

EXIT_MISCONFIGURED: Final = 2
REGISTRY_PORT: Final = 5_000
OPTIONS: Final = {
    "--host": "hosts",
    "--auth-port": "auth_port",
    "--notifier-port": "notifier_port",
    "--registry-port": "registry_port",
}
"""What is written into files, by the names of arguments."""
_HOST: Final = re.compile(
    r"(?=.{1,253}$)[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*", re.ASCII
)
"""RFC 1123 section 2.1."""


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option(
    "--host",
    "hosts",
    multiple=True,
    metavar="NAME",
    callback=lambda _context, _option, names: tuple(map(_host, names)),
    help="Name or address that clients use; repeatable, the first stands in URLs.",
)
@click.option("--auth-port", type=click.IntRange(1, 65_535), default=5_001, show_default=True)
@click.option("--notifier-port", type=click.IntRange(1, 65_535), default=5_002, show_default=True)
@click.option("--registry-port", type=click.IntRange(1, 65_535), default=REGISTRY_PORT, show_default=True)
@click.pass_context
def command(
    context: click.Context,
    *,
    folder: Path,
    hosts: tuple[str, ...],
    auth_port: int,
    notifier_port: int,
    registry_port: int,
) -> None:
    """Make keys, certificate, configuration, registry.yml and secrets in DIR.

    With --host, token service and registry speak TLS under that name, with tls.crt made here, which clients must trust: for
    docker, copy it to /etc/docker/certs.d/NAME:5000/ca.crt. Without it everything is for this machine: plain HTTP on 127.0.0.1.
    """
    if len({auth_port, notifier_port, registry_port}) < 3:  # noqa: PLR2004 - as many as there are
        raise click.UsageError("token service, notifier and registry cannot share a port: give each one of its own")
    ports = templates.Ports(auth_port, notifier_port, registry_port)
    made = make_or_exit(folder.absolute(), hosts, ports)
    for name, new in made.items():
        click.echo(f"{'made' if new else 'kept'}  {folder / name}")
    given = [option for option, name in OPTIONS.items() if context.get_parameter_source(name) is not ParameterSource.DEFAULT]
    if given and not made["wharfinger.yml"]:
        click.echo(f"wharfinger.yml was kept, so {', '.join(given)} changed nothing in it: edit it there", err=True)
    click.echo("\n".join(_next(folder, hosts, ports)))


def _next(folder: Path, hosts: tuple[str, ...], ports: templates.Ports) -> list[str]:
    """What to do with what was made."""
    lines = ["", "Next, as this same user, whose files these are:", f"  {_program()} up --data {folder}"]
    lines.append(f"  docker-registry serve {folder / 'registry.yml'}      # or registry:2 in a container: docs/registry.md")
    if hosts:
        certificate, registry = folder / "tls.crt", f"{templates.in_url(hosts[0])}:{ports.registry}"
        lines += [
            "Clients must trust the certificate that was made:",
            f"  docker: copy {certificate} to /etc/docker/certs.d/{registry}/ca.crt on each of their machines",
            f"  skopeo, podman: SSL_CERT_FILE={certificate}; others: the system's own store",
        ]
    return [*lines, f"Passwords of admin and hussein: {folder / 'passwords.txt'}"]


def _program() -> str:
    """How this very command is called from a shell: by its name alone only where that is found."""
    beside = Path(sys.executable).with_name("wharfinger")
    return "wharfinger" if shutil.which("wharfinger") or not beside.exists() else str(beside)


def make_or_exit(folder: Path, hosts: tuple[str, ...], ports: templates.Ports, *, tour: bool = False) -> dict[str, bool]:
    """Make the folder and what is missing in it; exit code 2 when it cannot be written."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return make(folder, hosts, ports, tour=tour)
    except OSError as error:
        click.echo(f"{error.filename or folder}: {error.strerror}: name a folder that can be made and written", err=True)
        sys.exit(EXIT_MISCONFIGURED)


def make(folder: Path, hosts: tuple[str, ...], ports: templates.Ports, *, tour: bool = False) -> dict[str, bool]:
    """Make what is missing; each file's name, and whether it is new. ``tour``: with a rule and a webhook to play on."""
    made: dict[str, bool] = {}

    def once(name: str, content: bytes) -> bytes:
        made[name] = generate.write_new(folder / name, content)
        return (folder / name).read_bytes()

    key = once("signing.key", generate.new_key())
    names = [*hosts, "localhost", "127.0.0.1", "::1", socket.gethostname()]
    once("signing.crt", generate.new_certificate(key, names, now=datetime.now(UTC)))
    if hosts:
        # A pair of its own: the registry serves it, and must not hold the key that signs tokens.
        served = once("tls.key", generate.new_key())
        once("tls.crt", generate.new_certificate(served, names, now=datetime.now(UTC)))
    once(JTI_KEY, generate.new_jti_key())
    once(LOG_KEY, generate.new_log_key())
    secret = once("notification.secret", generate.new_secret()).decode().split()[0]
    worker = once("wharfinger.password", generate.new_secret()).strip()
    passwords = once("passwords.txt", _new_passwords())
    people = {name: password for name, _, password in (line.partition(" ") for line in passwords.decode().splitlines())}
    hashes = {name: generate.password_hash(password.strip().encode()) for name, password in people.items()}
    host = templates.in_url(hosts[0]) if hosts else ""
    hashes["wharfinger"] = generate.password_hash(worker)
    if tour:
        once("hook.secret", generate.new_webhook_secret())
    deploy = templates.tour_deploy(ports) if tour else templates.EXAMPLE_DEPLOY
    once("wharfinger.yml", (templates.configuration(hashes, host=host, ports=ports) + deploy).encode())
    once("registry.yml", templates.registry(folder, secret, host=host, ports=ports).encode())
    once("registry.env", templates.registry_environment(secret, host=host, ports=ports).encode())
    return made


def _host(name: str) -> str:
    try:
        ip_address(name)
    except ValueError:
        # A name's last label is never all digits (RFC 1123 section 2.1): that is an address gone wrong.
        if _HOST.fullmatch(name) is None or name.rpartition(".")[2].isdigit():
            raise click.BadParameter(f"{name!r} is no host name and no address; leave port and scheme out") from None
    return name


def _new_passwords() -> bytes:
    return b"".join(name + b" " + generate.new_secret() for name in (b"admin", b"hussein"))
