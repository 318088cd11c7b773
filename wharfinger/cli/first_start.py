"""The first start in a data folder: makes the key of token ids, so that a docker_auth file starts as it is.

Only where nothing was started yet and the file names no key. A lost key is not made anew: every token id of before would count
as forged, so that is a fault.
"""

import sys

import click

from wharfinger.cli.generate import new_jti_key, write_new
from wharfinger.cli.loading import EXIT_MISCONFIGURED, Place, settings_or_exit
from wharfinger.runtime.configuration import JTI_KEY
from wharfinger.runtime.log import Log
from wharfinger.runtime.settings import Settings


def settings_to_start(place: Place, log: Log, *, signs: bool = False) -> Settings:
    """Settings for what mints or verifies token ids; or every fault on stderr, and exit code 2. ``signs``: as for ``read``."""
    settings = settings_or_exit(place, signs=signs)
    if settings.auth.token.jti_keys:
        return settings
    file = place.data / JTI_KEY
    try:
        place.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        # A crash before this leaves nothing that is read, so the next start makes a key; one after it leaves this key, whole.
        # Of several that start at once the first one's key stays, and the others read it.
        if write_new(file, new_jti_key()):
            log("jti_key.made", file=str(file), why="the first start in this folder; keep it, it proves token ids")
    except OSError as error:
        click.echo(f"{file} cannot be made: {error.strerror}; name a folder of ours with --data", err=True)
        sys.exit(EXIT_MISCONFIGURED)
    return settings_or_exit(place, signs=signs)
