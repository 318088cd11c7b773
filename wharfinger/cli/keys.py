"""``wharfinger keys``: the signing keys as registries need them, when each is used, and a new pair. Shows public parts only."""

import json
import os
import sys
import time
from datetime import UTC, datetime, timedelta
from typing import Final

import click
from rich.table import Table

from authsvc.adapters.signing import TokenSigner
from authsvc.decide.keys import algorithm_of, current, warnings
from authsvc.errors import Misconfigured
from wharfinger.cli.generate import KINDS, new_certificate, new_key, write_new
from wharfinger.cli.loading import EXIT_MISCONFIGURED, UNREAD, Place, placed, settings_or_exit
from wharfinger.cli.trace import people_console
from wharfinger.runtime.configuration.texts import NAME
from wharfinger.runtime.settings import KeyIdForm, TokenSettings

EXIT_WARNED: Final = 1
OVERLAP: Final = timedelta(days=8)
"""Until a new key signs: a week, and what is left of today."""
PUBLIC: Final = 0o644


@click.group()
def command() -> None:
    """Make a signing key, and show them: list, bundle (for a registry's rootcertbundle), jwks (for a registry's jwks)."""


@command.command("new")
@click.argument("ident", metavar="ID")
@click.option(
    "--kind", type=click.Choice(list(KINDS)), default="rsa", show_default=True, help="What every registry takes: rsa."
)
@placed
def new(place: Place, ident: str, *, kind: str) -> None:
    """Make a key and its certificate, ID.key and ID.crt, beside the configuration; nothing is overwritten.

    Prints the line for token.keys. Registries must know the certificate before the key signs: docs/keys.md.
    """
    if NAME.fullmatch(ident) is None:
        raise click.BadParameter(f"{ident!r} is not 1 to 64 letters, digits, - or _", param_hint="ID")
    folder = place.config.absolute().parent
    key, certificate = folder / f"{ident}.key", folder / f"{ident}.crt"
    if os.path.lexists(certificate):
        click.echo(f"{certificate} is there already, and nothing was made: choose another id", err=True)
        sys.exit(EXIT_MISCONFIGURED)
    now = datetime.now(UTC)
    try:
        # A key without its certificate is one that a crash left: it gets the certificate now, and signed nothing before.
        made = write_new(key, new_key(kind))
        write_new(certificate, new_certificate(key.read_bytes(), [ident], now=now), mode=PUBLIC)
    except (OSError, ValueError, TypeError) as error:
        why = error.strerror if isinstance(error, OSError) else "there is no such key in it"
        click.echo(f"{key}: {why}; nothing was overwritten", err=True)
        sys.exit(EXIT_MISCONFIGURED)
    click.echo(f"{'made' if made else 'kept'}  {key}\nmade  {certificate}\n")
    since = (now + OVERLAP).strftime("%Y-%m-%dT00:00:00Z")
    line = f'- {{id: "{ident}", certificate: {certificate.name}, key: {key.name}, signs_from: "{since}"}}'
    click.echo(f"Add to token.keys, beside the keys of before:\n    {line}")
    click.echo("Then give registries what `wharfinger keys bundle` prints, and restart them, before that day.")


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
