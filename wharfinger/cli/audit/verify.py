"""``wharfinger audit verify``: the whole log, some records, its hashes alone, or a receipt for which no ledger is needed."""

import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from wharfinger.cli.audit.keys import EXIT_NOT_PROVED, VkeyType, keys_of
from wharfinger.cli.audit.opening import open_ledger
from wharfinger.cli.audit.receipts import verify_receipt
from wharfinger.cli.loading import Place, placed
from wharfinger.cli.texts import in_markup
from wharfinger.cli.trace import people_console
from wharfinger.ledger.checkpoint import parse_kept
from wharfinger.ledger.database import Database
from wharfinger.ledger.log_keys import LogKeys
from wharfinger.ledger.note import MalformedNote, VerifierKey
from wharfinger.ledger.verification.anchors import Kept
from wharfinger.ledger.verification.findings import Report
from wharfinger.ledger.verification.part import NoSuchRange, verify_hashes, verify_range
from wharfinger.ledger.verification.pool import collect_seldom
from wharfinger.ledger.verification.whole import verify_whole

SHOWN: Final = 20
"""Findings printed for people; --json has more."""
_FILE: Final = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.command()
@click.option("--from", "start", type=click.IntRange(0), help="Only the records from this number on.")
@click.option("--to", "end", type=click.IntRange(0), help="Only the records up to this number, itself included.")
@click.option("--hashes", "only_hashes", is_flag=True, help="Only tiles, frontier and checkpoints: quick, and reads no record.")
@click.option(
    "--checkpoint", "kept", type=_FILE, multiple=True, help="Checkpoints kept elsewhere, to hold the log to; repeatable."
)
@click.option("--receipt", type=_FILE, help="Verify a receipt instead; needs no ledger and, with --vkey, no configuration.")
@click.option("--disclosed", type=_FILE, help="With --receipt: hold these personal values to it.")
@click.option("--processes", type=click.IntRange(1, 64), help="How many look at the records of a large log.  [one a CPU]")
@click.option("--vkey", "vkeys", type=VkeyType(), multiple=True, help="A log's or witness's verifier key; repeatable.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@placed
def command(
    place: Place,
    *,
    start: int | None,
    end: int | None,
    only_hashes: bool,
    kept: tuple[Path, ...],
    receipt: Path | None,
    disclosed: Path | None,
    processes: int | None,
    vkeys: tuple[VerifierKey, ...],
    as_json: bool,
) -> None:
    """Verify the log: every record against its leaf, every hash, every checkpoint.

    Without options all of it. Exits with 0 when it is proved, 1 when it is not, naming what was found.
    """
    if receipt is not None:
        if start is not None or end is not None or only_hashes or kept:
            raise click.UsageError("--receipt stands alone: it goes with --vkey, --disclosed and --json")
        sys.exit(verify_receipt(place, receipt, disclosed, vkeys, as_json=as_json))
    if disclosed is not None:
        raise click.UsageError("--disclosed goes with --receipt")
    if only_hashes and (start is not None or end is not None):
        raise click.UsageError("--hashes reads no records, so it has no range")
    keys = keys_of(place, vkeys)
    held = _read_kept(kept)
    collect_seldom()
    with open_ledger(place) as database, _progress() as progress:
        if only_hashes:
            report = verify_hashes(database, keys, kept=held)
        elif start is None and end is None:
            report = verify_whole(database, keys, kept=held, progress=progress, processes=processes or os.cpu_count() or 1)
        else:
            report = _verify_range(database, keys, held, progress, start=start or 0, end=None if end is None else end + 1)
    if as_json:
        click.echo(json.dumps(as_dictionary(report), indent=2))
    else:
        _tell(report, only_hashes=only_hashes)
    sys.exit(0 if report.proved else EXIT_NOT_PROVED)


Told = Callable[[int, int], None]


def _verify_range(
    database: Database, keys: LogKeys, held: Sequence[Kept], progress: Told, *, start: int, end: int | None
) -> Report:
    try:
        return verify_range(database, keys, start, end, kept=held, progress=progress)
    except NoSuchRange as fault:
        raise click.UsageError(str(fault)) from fault


def _read_kept(files: Sequence[Path]) -> list[Kept]:
    found = []
    for file in files:
        try:
            checkpoints = parse_kept(file.read_bytes())
        except MalformedNote as fault:
            raise click.UsageError(f"{file} holds no checkpoints: {fault}") from fault
        if not checkpoints:
            raise click.UsageError(f"{file} is empty")
        found += [Kept(one, str(file)) for one in checkpoints]
    return found


@contextmanager
def _progress() -> Iterator[Told]:
    console = Console(stderr=True)
    columns = (TextColumn("verifying"), BarColumn(), MofNCompleteColumn(), TextColumn("records"), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def as_dictionary(report: Report) -> dict[str, Any]:
    """The report as ``--json`` prints it."""
    findings = report.findings
    return {
        "proved": report.proved,
        "size": report.size,
        "root": report.root.hex(),
        "signed": report.signed,
        "records": report.records,
        "erased": report.erased,
        "raw_events": report.raw_events,
        "pruned": report.pruned,
        "checkpoints": report.checkpoints,
        "cosignatures": report.cosignatures,
        "counts": {what.value: number for what, number in sorted(findings.counts.items())},
        "findings": [{"what": one.what.value, "seq": one.seq, "detail": one.detail} for one in findings.kept],
    }


def _tell(report: Report, *, only_hashes: bool) -> None:
    console, findings = people_console(), report.findings
    for one in findings.kept[:SHOWN]:
        console.print(f"[red]{one.what.value}[/red]  {in_markup(str(one))}")
    more = findings.counts.total() - len(findings.kept[:SHOWN])
    if more > 0:
        console.print(f"and {more} findings more: --json has up to {len(findings.kept)}")
    looked = (
        "hashes only"
        if only_hashes
        else f"{report.records} records, {report.erased} of them erased, {report.raw_events} events; {report.pruned} are pruned"
    )
    signed = f"{report.checkpoints} checkpoints, {report.cosignatures} cosignatures"
    console.print(f"log of {report.size} records: looked at {looked}, {signed}")
    if report.proved:
        unsigned = report.size - report.signed
        newer = f"; the last {unsigned} are newer than any checkpoint" if unsigned > 0 else ""
        console.print(f"[green]proved[/green] up to the checkpoint of {report.signed} records{newer}")
    else:
        console.print("[red]not proved[/red]")
