"""``wharfinger audit checkpoint``: the newest checkpoint, signed now when there is news; to be kept where none of us can write.

Shown only after the ledger has it, so nothing that somebody keeps is ever unknown to the log.
"""

import json
import os
import sys
import time
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import click

from wharfinger.cli.audit.keys import EXIT_NOT_PROVED, keys_of, signer_or_exit
from wharfinger.cli.audit.opening import EXIT_UNAVAILABLE, open_ledger
from wharfinger.cli.loading import Place, placed
from wharfinger.ledger.checkpoint import Refuse, SignedCheckpoint
from wharfinger.ledger.checkpoints import key_problem, make_checkpoint, newest
from wharfinger.ledger.database import Database
from wharfinger.ledger.log_keys import LogKeys
from wharfinger.ledger.note import MalformedNote, Signer, cosigned_at
from wharfinger.runtime.disk import sync_folder
from workers.adapters.http import request
from workers.adapters.registry import endpoint_of
from workers.errors import Unavailable

EXIT_MISCONFIGURED: Final = 2
TIMEOUT_S: Final = 10.0
_GOOD: Final = range(200, 300)


@click.command()
@click.option("--to", "target", metavar="FILE|URL", help="Append it to a file, or POST it to a URL, as well.")
@click.option("--vkey", "only_vkey", is_flag=True, help="Print the log's verifier key instead: whoever checks needs it.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@placed
def command(place: Place, *, target: str | None, only_vkey: bool, as_json: bool) -> None:
    """Print the newest checkpoint of the log, signing it first when there is news.

    Exits with 1 when the log is empty, or not the one that was signed before; with 3 when it cannot be delivered.
    """
    keys = keys_of(place)
    signer = signer_or_exit(place, keys)
    if only_vkey:
        click.echo(str(signer.verifier))
        return
    with open_ledger(place) as database:
        signed, made_at = _newest(database, keys, signer)
    if target is not None:
        _deliver(signed.note.to_bytes(), target)
    click.echo(
        json.dumps(_as_json(signed, keys, made_at), indent=2) if as_json else signed.note.to_bytes().decode(), nl=as_json
    )


def _newest(database: Database, keys: LogKeys, signer: Signer) -> tuple[SignedCheckpoint, int]:
    with database.reading() as connection:
        problem = key_problem(connection, keys)
    if problem:
        click.echo(problem, err=True)
        sys.exit(EXIT_MISCONFIGURED)
    made = make_checkpoint(database, keys, signer, now_ms=time.time_ns() // 1_000_000)
    if isinstance(made, Refuse):
        click.echo(made.problem, err=True)
        sys.exit(EXIT_NOT_PROVED)
    with database.reading() as connection:
        stored = newest(connection)
    if stored is None:
        click.echo("the log is empty: there is nothing to sign yet", err=True)
        sys.exit(EXIT_NOT_PROVED)
    try:
        return stored.signed(), stored.made_at
    except MalformedNote as fault:
        click.echo(str(fault), err=True)
        sys.exit(EXIT_NOT_PROVED)


def _as_json(signed: SignedCheckpoint, keys: LogKeys, made_at: int) -> dict[str, Any]:
    checkpoint, note = signed.checkpoint, signed.note
    times = {name: cosigned_at(note, key) for name, key in keys.witnesses.items()}
    return {
        "origin": checkpoint.origin,
        "size": checkpoint.size,
        "root": checkpoint.root.hex(),
        "made_at": made_at,
        "cosigned": {name: time_s for name, time_s in times.items() if time_s is not None},
        "vkeys": [str(key) for key in keys.logs],
        "note": note.to_bytes().decode(),
    }


def _deliver(note: bytes, target: str) -> None:
    try:
        if urlsplit(target).scheme in {"http", "https"}:
            _post(note, target)
        else:
            append_once(note, Path(target))
    except (OSError, Unavailable) as fault:
        click.echo(f"the checkpoint is in the ledger, but not at {target}: {fault}", err=True)
        sys.exit(EXIT_UNAVAILABLE)


def _post(note: bytes, url: str) -> None:
    parts = urlsplit(url)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    headers = {"Host": parts.netloc, "Content-Type": "text/plain; charset=utf-8"}
    answer = request(endpoint_of(url), "POST", path, headers=headers, body=note, timeout_s=TIMEOUT_S)
    if answer.status not in _GOOD:
        raise Unavailable(f"it answered {answer.status}")


def append_once(note: bytes, file: Path) -> None:
    """Append a checkpoint, unless it is the last one there already. Synced: what was said to be kept is kept.

    Crash before: it is not there, and comes with the next call. After: the next call finds it.
    """
    descriptor = os.open(file, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        size = os.fstat(descriptor).st_size
        if os.pread(descriptor, len(note), max(0, size - len(note))) == note:
            return
        os.write(descriptor, (b"\n" if size else b"") + note)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    if not size:
        sync_folder(file.parent)
