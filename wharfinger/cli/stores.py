"""Which store a command talks to: the configured one, or the embedded one that ``up`` runs."""

import shlex
import sys
from typing import Final

import click

from wharfinger.runtime.configuration import STORE
from wharfinger.runtime.embedded import socket_path
from wharfinger.runtime.settings import Settings

EXIT_UNAVAILABLE: Final = 3


def url_or_exit(settings: Settings) -> str:
    """The store's URL; exit code 3 when it is the embedded one and nobody runs it."""
    if not settings.embedded:
        return settings.auth.redis_url
    socket = socket_path(settings.data / STORE)
    if not socket.exists():
        up = shlex.join(["wharfinger", "up", "-c", str(settings.file), "--data", str(settings.data)])
        click.echo(f"no store runs at {socket}: run `{up}`, which does this too, or set redis.url in {settings.file}", err=True)
        sys.exit(EXIT_UNAVAILABLE)
    return f"unix://{socket}"
