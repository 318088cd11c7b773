"""``wharfinger audit prove REF``: a receipt of one record, which anybody can check without us and without the ledger."""

import json
import os
import sys
import time
from pathlib import Path
from typing import Any, Final, NoReturn

import click

from wharfinger.cli.audit.keys import EXIT_NOT_PROVED, keys_of
from wharfinger.cli.audit.opening import open_ledger
from wharfinger.cli.loading import UNREAD, Place, placed, settings_or_exit
from wharfinger.cli.references import without_host
from wharfinger.cli.texts import shown
from wharfinger.ledger.checkpoint import Refuse
from wharfinger.ledger.checkpoints import key_problem, make_checkpoint
from wharfinger.ledger.database import Database
from wharfinger.ledger.log_keys import LogKeys
from wharfinger.ledger.note import cosigned_at
from wharfinger.ledger.proving import Uncovered, Unprovable, make_receipt, named_records
from wharfinger.ledger.reading import Stored
from wharfinger.ledger.receipt import DISCLOSED_SUFFIX, SUFFIX, Receipt, disclose
from wharfinger.ledger.record import PERSONAL_FIELDS

STDOUT: Final = "-"
SHOWN: Final = 5
"""Other records of a reference that are told of."""


@click.command()
@click.argument("ref")
@click.option("--seq", type=click.IntRange(0), help="The record with this number, of those that REF names.")
@click.option("--out", metavar="FILE", help="Where to write it; - is standard output.  [record-N.tlog-proof]")
@click.option(
    "--disclose",
    "disclosing",
    is_flag=True,
    help="Write the clear personal values beside it, with their salts.",
)
@click.option(
    "--field", "fields", multiple=True, type=click.Choice(PERSONAL_FIELDS), help="Disclose this one only; repeatable.  [all]"
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@placed
def command(
    place: Place, *, ref: str, seq: int | None, out: str | None, disclosing: bool, fields: tuple[str, ...], as_json: bool
) -> None:
    """Write a receipt that the record REF names is in the log.

    REF is a digest or its beginning, repository:tag, token id, event id, delivery id or log number. Of a digest or tag it is
    the newest push, of a token its issuance, of a delivery its outcome. The receipt holds the record, in which personal values
    are hashed, the proof and the signed checkpoint. Exits with 1 when there is no such record, or the log can no longer prove
    it.
    """
    keys = keys_of(place)
    with open_ledger(place) as database:
        found = named_records(database, without_host(ref, settings_or_exit(place, outcome=UNREAD).notifier.sources), seq=seq)
        if not found:
            _refuse(f"the ledger knows no record of {ref}" + ("" if seq is None else f" with the number {seq}"))
        one = found[0]
        disclosed = _disclosed(one, fields or PERSONAL_FIELDS) if disclosing or fields else None
        receipt = _receipt(database, keys, one.seq)
    file = out or f"record-{one.seq}{SUFFIX}"
    _write(file, receipt.to_bytes(), mode=0o644)
    beside = None if disclosed is None else _beside(file, one.seq)
    if beside is not None and disclosed is not None:
        _write(beside, disclosed, mode=0o600)
    if as_json:
        click.echo(json.dumps(_as_json(receipt, keys, file, beside), indent=2), err=file == STDOUT)
    else:
        _tell(found, receipt, keys, file, beside)


def _receipt(database: Database, keys: LogKeys, seq: int) -> Receipt:
    receipt = make_receipt(database, keys, seq)
    if isinstance(receipt, Uncovered) and keys.signer is not None:
        with database.reading() as connection:
            problem = key_problem(connection, keys)
        made = make_checkpoint(database, keys, keys.signer, now_ms=time.time_ns() // 1_000_000)
        if isinstance(made, Refuse):
            _refuse(problem or made.problem)
        receipt = make_receipt(database, keys, seq)
    if isinstance(receipt, Unprovable):
        _refuse(receipt.why)
    if isinstance(receipt, Uncovered):
        _refuse(f"record {seq} is in no checkpoint yet, and this machine signs none: try again after the next one")
    return receipt


def _disclosed(one: Stored, fields: tuple[str, ...]) -> bytes:
    if one.secret is None:
        _refuse(f"record {one.seq}: its personal values were erased; without --disclose a receipt can be made")
    return disclose(one.record, one.secret, seq=one.seq, names=fields)


def _refuse(why: str) -> NoReturn:
    click.echo(why, err=True)
    sys.exit(EXIT_NOT_PROVED)


def _beside(file: str, seq: int) -> str:
    return f"record-{seq}{DISCLOSED_SUFFIX}" if file == STDOUT else file.removesuffix(SUFFIX) + DISCLOSED_SUFFIX


def _write(file: str, content: bytes, *, mode: int) -> None:
    """Whole, or not at all."""
    if file == STDOUT:
        sys.stdout.buffer.write(content)
        return
    path = Path(file)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode), "wb") as stream:
            stream.write(content)
        part.replace(path)
    except OSError as error:
        raise click.FileError(file, error.strerror) from error


def _as_json(receipt: Receipt, keys: LogKeys, file: str, beside: str | None) -> dict[str, Any]:
    note = receipt.signed.note
    times = {name: cosigned_at(note, key) for name, key in keys.witnesses.items()}
    return {
        "seq": receipt.index,
        "file": file,
        "disclosed": beside,
        "origin": receipt.signed.checkpoint.origin,
        "size": receipt.signed.checkpoint.size,
        "cosigned": {name: time_s for name, time_s in times.items() if time_s is not None},
        "vkeys": [str(key) for key in keys.logs],
        "record": json.loads(receipt.entry),
    }


def _tell(found: list[Stored], receipt: Receipt, keys: LogKeys, file: str, beside: str | None) -> None:
    cosigned = [name for name, key in keys.witnesses.items() if cosigned_at(receipt.signed.note, key) is not None]
    by = f", cosigned by {', '.join(cosigned)}" if cosigned else ""
    told = [
        f"record {describe(found[0])}",
        f"is in the log {receipt.signed.checkpoint.origin} of {receipt.signed.checkpoint.size} records{by}",
        f"receipt: {file}" + ("" if beside is None else f"   disclosed values: {beside}"),
    ]
    others = found[1 : 1 + SHOWN]
    told += [f"also named: {describe(one)}" for one in others]
    told += [f"and {len(found) - 1 - len(others)} or more; --seq N takes another"] if len(found) > 1 + SHOWN else []
    click.echo("\n".join(map(shown, told)), err=True)


def describe(one: Stored) -> str:
    """A record in a line: number, what, where."""
    record = one.record
    where = record.repository + (f":{record.tag}" if record.tag else "")
    what = filter(None, (record.kind.value, record.action, record.object_kind, where, record.digest[:19], record.verdict))
    return f"{one.seq}: {' '.join(what)}"
