"""``wharfinger why REF``: for each push that a reference names, rule by rule, why it was deployed or not. Writes nothing."""

import json
import sys
from dataclasses import asdict, dataclass
from typing import Any

import click
from rich.console import Console
from rich.tree import Tree

from wharfinger.cli.deploy.opening import opened
from wharfinger.cli.loading import UNREAD, Place, placed
from wharfinger.cli.references import without_host
from wharfinger.cli.texts import in_markup, shown
from wharfinger.cli.trace import EXIT_NOT_FOUND, HINT, add_delivery, coloured, moment, people_console
from wharfinger.ledger.database import Database
from wharfinger.ledger.queries import TracedDelivery, TracedEvent, trace
from wharfinger.ledger.reading import ANONYMOUS, ERASED, read_records
from wharfinger.runtime.settings import DeploySettings
from workers.decide.matching import Condition, Push
from workers.decide.rules import CompiledRule, compile_rules, push_in_trail

_KINDS = frozenset({"manifest", "index"})


@dataclass(frozen=True, slots=True)
class RuleSays:
    """What one rule says of a push, and what became of it. ``line`` 0: the file has no such rule any more."""

    rule: str
    line: int
    matches: bool
    conditions: tuple[Condition, ...]
    deliveries: tuple[TracedDelivery, ...]


@dataclass(frozen=True, slots=True)
class Why:
    """One push. ``starts``: empty, or why it could start nothing, whatever the rules."""

    event: TracedEvent
    starts: str
    rules: tuple[RuleSays, ...]


@click.command()
@click.argument("ref")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@placed
def command(place: Place, *, ref: str, as_json: bool) -> None:
    """Say why the pushes that REF names were, or were not, deployed, rule by rule.

    REF is what `wharfinger trace` takes. Rules are those of the file as it is now. Exits with 1 when REF names no push.
    """
    with opened(place, outcome=UNREAD) as (settings, database):
        found = explain(database, settings.workers.deploy, without_host(ref, settings.notifier.sources))
    if as_json:
        click.echo(json.dumps({"ref": ref, "pushes": [to_json(one) for one in found]}, indent=2))
    elif found:
        show(found, people_console())
    else:
        click.echo(f"the ledger knows no push of {shown(ref)}. {HINT}", err=True)
    sys.exit(0 if found else EXIT_NOT_FOUND)


def explain(database: Database, deploy: DeploySettings, ref: str) -> list[Why]:
    """What can be said of each push of a manifest that a reference names, oldest first. Raises LedgerUnavailable."""
    chain = trace(database, ref)
    events = {one.seq: one for one in chain.events if one.action == "push" and one.kind in _KINDS}
    with database.reading() as connection:
        records = read_records(connection, database.words, events)
    compiled = compile_rules(deploy)
    found = []
    for stored in records:
        mine = [one for one in chain.deliveries if one.push == stored.seq]
        starts = _starts(events[stored.seq])
        push = push_in_trail(stored.record, erased=stored.erased)
        rules = [_says(one, push, mine) for one in ([] if starts else compiled)]
        gone = dict.fromkeys(one.rule for one in mine if one.rule not in {rule.rule for rule in rules})
        rules += [RuleSays(name, 0, matches=False, conditions=(), deliveries=_of(name, mine)) for name in gone]
        found.append(Why(events[stored.seq], starts, tuple(rules)))
    return found


def _says(rule: CompiledRule, push: Push, deliveries: list[TracedDelivery]) -> RuleSays:
    conditions, named = rule.matcher.conditions(push), rule.rule
    return RuleSays(named.name, named.line, all(one.holds for one in conditions), conditions, _of(named.name, deliveries))


def _of(rule: str, deliveries: list[TracedDelivery]) -> tuple[TracedDelivery, ...]:
    return tuple(one for one in deliveries if one.rule == rule)


def _starts(event: TracedEvent) -> str:
    if not event.tag:
        return "it has no tag: a child of an index, or a push by digest, starts nothing"
    return "" if event.digest else "its registry did not tell its digest"


def to_json(one: Why) -> dict[str, Any]:
    """One push as programs read it; its event, deliveries and decisions as in ``trace --json``."""
    rules = [asdict(rule) | {"line": rule.line or None} for rule in one.rules]
    return {"event": asdict(one.event), "starts_nothing": one.starts or None, "rules": rules}


def show(found: list[Why], console: Console) -> None:
    """Print a tree for each push: a branch for each rule, under it what became of it."""
    for one in found:
        event = one.event
        who = ERASED if event.erased else event.attribution.account or ANONYMOUS
        image = f"{event.repository}:{event.tag}" if event.tag else event.repository
        verdict = "/".join(filter(None, (event.attribution.verdict, event.attribution.reason)))
        tree = Tree(
            f"[bold]push[/bold] {in_markup(image)} {in_markup(event.digest)} by {in_markup(who)},"
            f" {coloured(verdict, event.attribution.verdict)}, {moment(event.occurred_at)}"
        )
        if one.starts:
            tree.add(in_markup(one.starts))
        elif not one.rules:
            tree.add("there is no rule")
        for rule in one.rules:
            _add(tree, rule)
        console.print(tree)


def _add(tree: Tree, rule: RuleSays) -> None:
    name = f"[bold]rule[/bold] {in_markup(rule.rule)}"
    if not rule.line:
        branch = tree.add(f"{name} is not in the file any more")
    elif rule.matches:
        branch = tree.add(f"{name} (line {rule.line}) [green]matches[/green]")
    else:
        failed = "; ".join(one.why for one in rule.conditions if not one.holds)
        branch = tree.add(f"{name} (line {rule.line}) does not match: {in_markup(failed)}")
    if rule.matches and not rule.deliveries:
        branch.add("no delivery: it did not match when the push came, or was not there")
    for one in rule.deliveries:
        add_delivery(branch, one)
