"""``wharfinger trace REF``: the chain around a reference, as a tree for people or as JSON. Reads the ledger, writes nothing."""

import json
import sys
from dataclasses import replace
from datetime import UTC, datetime

import click
from rich.console import Console
from rich.tree import Tree

from wharfinger.cli.loading import UNREAD, Place, placed, settings_or_exit
from wharfinger.cli.references import without_host
from wharfinger.cli.texts import in_markup, shown
from wharfinger.ledger.database import Database
from wharfinger.ledger.errors import LedgerError
from wharfinger.ledger.groups import was
from wharfinger.ledger.queries import Trace, TracedDelivery, TracedEvent, TracedIssuance, trace
from wharfinger.ledger.reading import ANONYMOUS, ERASED

EXIT_NOT_FOUND = 1
EXIT_UNAVAILABLE = 3
PLAIN_WIDTH = 180
HINT = (
    "REF is a digest or 7 and more of its hex digits (sha256:173015d), repository:tag, a token, event or delivery id, or a "
    "number of the log. A repository's pushes: wharfinger audit search --repository NAME --grouped"
)
_READS = frozenset({"pull", "probe"})
_GOOD = frozenset({"exact", "delivered", "unchanged", "go"})
_BAD = frozenset({"forged", "account_mismatch", "outside_grant", "failed", "refused", "undone", "stop"})


@click.command()
@click.argument("ref")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@placed
def command(place: Place, *, ref: str, as_json: bool) -> None:
    """Walk from REF to everything it is tied to: tokens, events, deliveries.

    REF is a digest or its beginning, repository:tag, a token, event or delivery id, or a number of the log; in front of a
    repository may stand the registry. Exits with 1 when the ledger does not know it.
    """
    settings = settings_or_exit(place, outcome=UNREAD)
    try:
        database = Database(settings.workers.ledger_url, create=False)
        found = replace(trace(database, without_host(ref, settings.notifier.sources)), ref=ref)
        database.close()
    except LedgerError as fault:
        click.echo(str(fault), err=True)
        sys.exit(EXIT_UNAVAILABLE)
    if as_json:
        click.echo(json.dumps(found.to_json(), indent=2))
    elif found.found():
        show(found, people_console())
    else:
        click.echo(f"the ledger knows nothing of {shown(ref)}. {HINT}", err=True)
    sys.exit(0 if found.found() else EXIT_NOT_FOUND)


def show(found: Trace, console: Console) -> None:
    """Print a chain: each token with its events, each push with its deliveries; what has no token last."""
    changes = [event for event in found.events if event.action not in _READS]
    listed = changes or found.events
    tree = Tree(f"[bold]{in_markup(found.ref)}[/bold]")
    placed_events: set[int] = set()
    for issuance in found.issuances:
        events = [event for event in listed if event.attribution.jti == issuance.jti]
        if not events and found.events:
            continue
        branch = tree.add(_issuance(issuance))
        _add_events(branch, events, found.deliveries)
        placed_events |= {event.seq for event in events}
    _add_events(tree, [event for event in listed if event.seq not in placed_events], found.deliveries)
    if len(listed) < len(found.events):
        tree.add(f"[dim]and {len(found.events) - len(listed)} reads; --json has them[/dim]")
    console.print(tree)


def people_console() -> Console:
    """Where trees are printed: as wide as the terminal, and wide enough for a digest elsewhere."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else PLAIN_WIDTH)


def _add_events(branch: Tree, events: list[TracedEvent], deliveries: list[TracedDelivery]) -> None:
    for event in events:
        leaf = branch.add(_event(event))
        for delivery in deliveries:
            if delivery.push == event.seq:
                add_delivery(leaf, delivery)


def _issuance(one: TracedIssuance) -> str:
    granted = " ".join(f"{scope['type']}:{scope['name']}:{','.join(scope['actions'])}" for scope in one.granted) or "nothing"
    rules = ", ".join("none" if rule is None else str(rule) for rule in one.rules) or "none"
    where = f"  from {in_markup(one.client_addr)}" if one.client_addr else ""
    agent = f"  {in_markup(one.user_agent)}" if one.user_agent else ""
    return (
        f"[bold]token[/bold] {in_markup(one.jti)}  {in_markup(_who(one.account, erased=one.erased))}"
        f"  {in_markup(one.credential['kind'])} {in_markup(one.credential['id'])}{where}\n"
        f"{moment(one.issued_at * 1_000)}  granted {in_markup(granted)} by rule {rules}{agent}"
    )


def _who(account: str, *, erased: bool) -> str:
    return ERASED if erased else account or ANONYMOUS


def _event(one: TracedEvent) -> str:
    what = f"{one.repository}:{one.tag}" if one.tag else one.repository
    tie = coloured("/".join(filter(None, (one.attribution.verdict, one.attribution.reason))), one.attribution.verdict)
    flags = f"  [yellow]{' '.join(one.attribution.flags)}[/yellow]" if one.attribution.flags else ""
    before = "".join(f"  {text}" for text in [was(one.previous_digest, one.digest)] if text)
    return (
        f"[bold]{in_markup(one.action)}[/bold] {in_markup(one.kind)} {in_markup(what)}  {tie}{flags}"
        f"  {in_markup(_who(one.attribution.account, erased=one.erased))}\n"
        f"{moment(one.occurred_at)}  {in_markup(one.digest)}{in_markup(before)}  event {in_markup(one.event_id)}  log {one.seq}"
    )


def add_delivery(leaf: Tree, one: TracedDelivery) -> None:
    """A delivery, and what each guard said of it."""
    branch = leaf.add(_delivery(one))
    for line in one.decisions:
        branch.add(f"{moment(line.at)}  {in_markup(line.guard)}  {coloured(line.said, line.said)}  {in_markup(line.why)}")


def _delivery(one: TracedDelivery) -> str:
    tries = f"{len(one.attempts)} attempt{'' if len(one.attempts) == 1 else 's'}"
    reason = f"  {in_markup(one.reason)}" if one.reason else ""
    return (
        f"[bold]delivery[/bold] {in_markup(one.rule)} → {in_markup(one.target)}  {coloured(one.state, one.state)}{reason}\n"
        f"{moment(one.updated_at)}  {in_markup(one.id)}  {tries}"
    )


def coloured(text: str, word: str) -> str:
    """A text in the colour of what a verdict or state means."""
    colour = "green" if word in _GOOD else "red" if word in _BAD else "yellow"
    return f"[{colour}]{in_markup(text)}[/{colour}]"


def moment(milliseconds: int) -> str:
    """A time for people, UTC."""
    found = datetime.fromtimestamp(milliseconds / 1_000, UTC)
    return found.strftime("%Y-%m-%d %H:%M:%S.") + f"{milliseconds % 1_000:03d}"
