"""``wharfinger keys``: the signing keys as registries need them, and when each is used. Shows public parts only."""

import json
import sys
import time
from datetime import UTC, datetime
from typing import Final

import click
from rich.table import Table

from authsvc.adapters.signing import TokenSigner
from authsvc.decide.keys import algorithm_of, current, warnings
from authsvc.errors import Misconfigured
from wharfinger.cli.loading import EXIT_MISCONFIGURED, UNREAD, Place, placed, settings_or_exit
from wharfinger.cli.trace import people_console
from wharfinger.runtime.settings import KeyIdForm, TokenSettings

EXIT_WARNED: Final = 1


@click.group()
def command() -> None:
    """Show the signing keys: list, bundle (for a registry's rootcertbundle), jwks (for a registry's jwks)."""


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list.")
@placed
def list_keys(place: Place, *, as_json: bool) -> None:
    """Each key with its ids, its algorithm, when its certificate ends, and which one signs now.

    Exits with 1 when there is something to see to.
    """
    settings = settings_or_exit(place, outcome=UNREAD).auth.token
    now = int(time.time())
    signer = _signer(settings, now)
    signing = current(signer.public, now=now)
    found = warnings(signer.public, {"*": settings.default, **settings.services}, now=now)
    rows = [
        {
            "id": key.id,
            "signs": key is signing,
            "algorithm": algorithm_of(key, settings.algorithm),
            "signs_from": key.signs_from,
            "certificate_ends": key.not_after,
            "ids": {form.value: key.key_id(form) for form in KeyIdForm},
        }
        for key in signer.public
    ]
    if as_json:
        click.echo(json.dumps(rows, indent=2))
    else:
        table = Table("id", "signs now", "algorithm", "signs from", "certificate ends", "libtrust id", "RFC 7638 thumbprint")
        for key, row in zip(signer.public, rows, strict=True):
            table.add_row(
                key.id,
                "yes" if row["signs"] else "",
                str(row["algorithm"]) if key.can_sign else "published only",
                _day(key.signs_from) if key.signs_from else "",
                _day(key.not_after),
                key.key_id(KeyIdForm.LIBTRUST),
                key.key_id(KeyIdForm.RFC7638),
            )
        people_console().print(table)
    for warning in found:
        click.echo(warning, err=True)
    sys.exit(EXIT_WARNED if found else 0)


@command.command("bundle")
@placed
def bundle(place: Place) -> None:
    """Every certificate, PEM: a registry's auth.token.rootcertbundle. Registries read it at their start only."""
    settings = settings_or_exit(place, outcome=UNREAD).auth.token
    click.echo(_signer(settings, int(time.time())).bundle(), nl=False)


@command.command("jwks")
@placed
def jwks(place: Place) -> None:
    """Every public key under each of its ids, a JWK set: a registry 3.x's auth.token.jwks."""
    settings = settings_or_exit(place, outcome=UNREAD).auth.token
    click.echo(json.dumps(_signer(settings, int(time.time())).key_set(), indent=2))


def _signer(settings: TokenSettings, now: int) -> TokenSigner:
    try:
        return TokenSigner(settings, now=now)
    except Misconfigured as fault:
        click.echo(str(fault), err=True)
        sys.exit(EXIT_MISCONFIGURED)


def _day(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M")
