"""``wharfinger audit verify --receipt``: what a receipt proves, offline, with nothing of ours but this program."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from rich.table import Table

from wharfinger.cli.audit.keys import EXIT_NOT_PROVED, keys_of
from wharfinger.cli.loading import Place
from wharfinger.cli.texts import in_markup
from wharfinger.cli.trace import people_console
from wharfinger.ledger.note import MalformedNote, Verdict, VerifierKey, verify
from wharfinger.ledger.receipt import NotProved, Proved, Receipt, check_disclosed, check_receipt, parse_receipt


def verify_receipt(place: Place, file: Path, disclosed: Path | None, vkeys: Sequence[VerifierKey], *, as_json: bool) -> int:
    """Verify and tell; the exit code.

    Args:
        place: where the configuration is, read only without ``vkeys``.
        file: the receipt.
        disclosed: personal values to hold to it.
        vkeys: whose signatures it must bear, all of them; empty: the log's of the configuration.
        as_json: print JSON.
    """
    try:
        receipt = parse_receipt(file.read_bytes())
        found = check_receipt(receipt, tuple(vkeys) or _own_keys(place, receipt))
        values = check_disclosed(disclosed.read_bytes(), found.record) if disclosed and isinstance(found, Proved) else {}
    except MalformedNote as fault:
        found, values = NotProved(f"malformed: {fault}"), {}
    if isinstance(found, NotProved):
        return _refuse(found, as_json=as_json)
    if isinstance(values, NotProved):
        return _refuse(values, as_json=as_json)
    if as_json:
        click.echo(json.dumps(_as_dictionary(found, values), indent=2))
    else:
        _tell(found, values)
    return 0


def _own_keys(place: Place, receipt: Receipt) -> tuple[VerifierKey, ...]:
    """The log's own keys that have signed it; all of them when none has, so that the reason is told."""
    keys = keys_of(place).logs
    return tuple(key for key in keys if verify(receipt.signed.note, key) is not Verdict.ABSENT) or keys


def _refuse(found: NotProved, *, as_json: bool) -> int:
    if as_json:
        click.echo(json.dumps({"proved": False, "why": found.why}, indent=2))
    else:
        people_console().print(f"[red]not proved[/red]  {in_markup(found.why)}")
    return EXIT_NOT_PROVED


def _as_dictionary(found: Proved, values: dict[str, str]) -> dict[str, Any]:
    return {
        "proved": True,
        "origin": found.origin,
        "size": found.size,
        "cosigned": dict(found.cosigned),
        "record": dict(found.record),
        "disclosed": values,
    }


def _tell(found: Proved, values: dict[str, str]) -> None:
    console = people_console()
    table = Table(box=None, show_header=False, pad_edge=False)
    for name, value in found.record.items():
        if name == "personal":
            hidden = ", ".join(sorted(set(value) - set(values))) if isinstance(value, dict) else ""
            table.add_row("[dim]hidden[/dim]", f"[dim]{in_markup(hidden)}[/dim]")
        else:
            table.add_row(in_markup(name), in_markup(str(value)))
    for name, value in values.items():
        table.add_row(f"[bold]{in_markup(name)}[/bold]", in_markup(value))
    console.print(
        f"[green]proved[/green]  record {found.record['seq']} of the log {in_markup(found.origin)}, {found.size} records"
    )
    for name, time_s in found.cosigned.items():
        console.print(f"cosigned by {in_markup(name)} at {datetime.fromtimestamp(time_s, UTC):%Y-%m-%d %H:%M:%S} UTC")
    console.print(table)
