"""The log's keys for a command: those of the configuration, and verifier keys that were given by hand."""

import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import click

from wharfinger.cli.loading import EXIT_MISCONFIGURED, UNREAD, Place, settings_or_exit
from wharfinger.ledger.log_keys import LogKeys, log_keys
from wharfinger.ledger.note import KeyType, MalformedNote, Signer, VerifierKey, parse_vkey

EXIT_NOT_PROVED: Final = 1


class VkeyType(click.ParamType[VerifierKey]):
    """A verifier key on the command line."""

    name = "vkey"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> VerifierKey:
        """Read it, or tell what is wrong with it."""
        if isinstance(value, VerifierKey):
            return value
        try:
            return parse_vkey(str(value))
        except MalformedNote as fault:
            self.fail(str(fault), param, ctx)


def keys_of(place: Place, given: Sequence[VerifierKey] = ()) -> LogKeys:
    """The keys whose signatures count. Ends with exit code 2 when there is none of a log."""
    found = log_keys(settings_or_exit(place, outcome=UNREAD).workers.log)
    logs = (*found.logs, *(key for key in given if key.type is KeyType.ED25519))
    witnesses = found.witnesses | {key.name: key for key in given if key.type is KeyType.COSIGNATURE}
    if not logs:
        click.echo("no key says whose checkpoints count: give the log's verifier key with --vkey", err=True)
        sys.exit(EXIT_MISCONFIGURED)
    return replace(found, logs=logs, witnesses=witnesses)


def signer_or_exit(place: Place, keys: LogKeys) -> Signer:
    """The log's signer; exit code 2, and what to do, when this machine has none."""
    if keys.signer is None:
        file = settings_or_exit(place, outcome=UNREAD).workers.log.key_file
        click.echo(f"there is no {file}, so nothing can be signed here: docs/audit.md tells how to get it back", err=True)
        sys.exit(EXIT_MISCONFIGURED)
    return keys.signer
