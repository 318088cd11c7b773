"""``wharfinger deploy list``: the rules, what is paused by whom and why, and what waits for what."""

import json
from dataclasses import asdict
from typing import Any, Final

import click
from rich.console import Console
from rich.table import Table

from wharfinger.cli.deploy.opening import opened
from wharfinger.cli.loading import UNREAD, Place, placed
from wharfinger.cli.texts import in_markup
from wharfinger.cli.trace import coloured, moment, people_console
from wharfinger.ledger.steering import EVERY_RULE, Pause, pauses
from wharfinger.ledger.values import NEVER
from wharfinger.ledger.waiting import OpenDelivery, waiting
from wharfinger.runtime.settings import Rule

SHOWN: Final = 50


@click.command()
@click.option("--limit", type=click.IntRange(1), default=SHOWN, show_default=True, help="Of what waits, the oldest so many.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@placed
def command(place: Place, *, limit: int, as_json: bool) -> None:
    """Show rules, pauses, and the deliveries that wait."""
    with opened(place, outcome=UNREAD) as (settings, database):
        rules, paused = settings.workers.deploy.rules, pauses(database)
        deliveries, count = waiting(database, limit=limit)
    if as_json:
        click.echo(json.dumps(to_json(rules, paused, deliveries, count), indent=2))
    else:
        show(rules, paused, deliveries, count, people_console())


def to_json(rules: tuple[Rule, ...], paused: list[Pause], deliveries: list[OpenDelivery], count: int) -> dict[str, Any]:
    """What is shown. ``waiting``: how many deliveries do, of which ``deliveries`` are the oldest."""
    return {
        "rules": [
            {"name": one.name, "line": one.line, "targets": list(one.targets), "paused": _is_paused(one, paused)}
            for one in rules
        ],
        "pauses": [asdict(one) | {"rule": None if one.rule == EVERY_RULE else one.rule} for one in paused],
        "waiting": count,
        "deliveries": [asdict(one) | {"due_at": None if one.due_at >= NEVER else one.due_at} for one in deliveries],
    }


def show(rules: tuple[Rule, ...], paused: list[Pause], deliveries: list[OpenDelivery], count: int, console: Console) -> None:
    """Print it: a row for each rule, a line for each pause, a row for each delivery."""
    table = Table("rule", "line", "targets", "", box=None, pad_edge=False)
    for one in rules:
        word = "[yellow]paused[/yellow]" if _is_paused(one, paused) else ""
        table.add_row(in_markup(one.name), str(one.line), in_markup(", ".join(one.targets)), word)
    console.print(table)
    for pause in paused:
        what = in_markup(pause.rule) if pause.rule != EVERY_RULE else "all rules"
        console.print(
            f"[yellow]paused[/yellow]  {what}  since {moment(pause.at)} by {in_markup(pause.who)}: {in_markup(pause.why)}"
        )
    if not deliveries:
        console.print("nothing waits")
        return
    table = Table("delivery", "push", "rule → target", "", "waits for", "until", box=None, pad_edge=False)
    for waits in deliveries:
        by_now = f"  [yellow]{in_markup(waits.tag)} is another digest by now[/yellow]" if waits.by_now else ""
        table.add_row(
            waits.id,
            in_markup(f"{waits.repository}:{waits.tag} {waits.digest[:19]}"),
            in_markup(f"{waits.rule} → {waits.target}"),
            coloured(waits.state, waits.state),
            in_markup(waits.reason) + by_now,
            "somebody" if waits.due_at >= NEVER else moment(waits.due_at)[:19],
        )
    console.print(table)
    if count > len(deliveries):
        console.print(f"[dim]and {count - len(deliveries)} more; --limit shows them[/dim]")


def _is_paused(rule: Rule, paused: list[Pause]) -> bool:
    return any(one.rule in {rule.name, EVERY_RULE} for one in paused)
