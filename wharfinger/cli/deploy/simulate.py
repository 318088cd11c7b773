"""``wharfinger deploy simulate``: what rules would have done with the pushes of the ledger. Asks no registry, writes nothing.

Prints as it goes, so that a year of pushes takes no more memory than a day.
"""

import json
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import click

from wharfinger.cli.audit.criteria import moment_ms
from wharfinger.cli.deploy.opening import opened
from wharfinger.cli.loading import UNREAD, Place, placed
from wharfinger.cli.progress import now_ms
from wharfinger.cli.texts import shown
from wharfinger.cli.trace import moment
from wharfinger.ledger.database import Database
from wharfinger.ledger.pushes import pushes_since
from wharfinger.ledger.reading import Stored
from wharfinger.ledger.steering import EVERYWHERE, blocked
from wharfinger.runtime.settings import Settings
from workers.adapters.destinations import ConfiguredDestinations
from workers.decide.matching import Push
from workers.decide.rules import CompiledRule, compile_rules, push_in_trail
from workers.decide.simulation import Simulated, Simulation

EXIT_NOTHING = 1


@click.command()
@click.option("--since", default="30d", show_default=True, help="From when on: 30d, 12h, or 2026-11-24.")
@click.option("--all", "every", is_flag=True, help="Also the pushes that no rule matches.")
@click.option("--json", "as_lines", is_flag=True, help="Print one JSON object a line.")
@placed
def command(place: Place, *, since: str, every: bool, as_lines: bool) -> None:
    """Tell what the rules of the configuration would have done with the pushes of the ledger.

    With -c it is another file's rules, and the ledger is that file's. Exits with 1 when there was no push.
    """
    since_ms = moment_ms(since, now_s=time.time())
    with opened(place, outcome=UNREAD) as (settings, database):
        run = Run(settings, database)
        for line in run.lines(pushes_since(database, since_ms), every=every, now=now_ms()):
            click.echo(json.dumps(line) if as_lines else _row(line))
    if not as_lines:
        click.echo(run.total(), err=True)
    sys.exit(0 if run.pushes else EXIT_NOTHING)


class Run:
    """One simulation over a ledger, and what it counts."""

    def __init__(self, settings: Settings, database: Database) -> None:
        deploy = settings.workers.deploy
        self._rules = compile_rules(deploy)
        marks = {(one.digest, one.target): one.why for one in blocked(database)}
        destinations = ConfiguredDestinations(settings.workers)
        names = [target.name for target in deploy.targets]
        runs_one = frozenset(name for name in names if (found := destinations.find(name)) is not None and found.runs_one)
        self._simulation = Simulation(deploy.rules, bad=lambda digest, target: _bad(marks, digest, target), runs_one=runs_one)
        self.pushes = 0
        self._passed_over = 0
        self._counts: Counter[str] = Counter()

    def lines(self, pushes: Iterable[Stored], *, every: bool, now: int) -> Iterator[dict[str, Any]]:
        """What is printed, in the order in which it would have come."""
        for one in pushes:
            self.pushes += 1
            push = push_in_trail(one.record, erased=one.erased)
            yield from map(self._said, self._simulation.push(one.seq, one.record.recorded_at, push))
            if not _taken(self._rules, push):
                self._passed_over += 1
                if every:
                    yield _line(one.seq, push, one.record.recorded_at, "unmatched", rule="", target="", why="no rule matches")
        yield from map(self._said, self._simulation.until(now))
        yield from map(self._said, self._simulation.rest())

    def total(self) -> str:
        """How much of what there was."""
        counts = ", ".join(f"{count} {word}" for word, count in sorted(self._counts.items()))
        pushes = f"{self.pushes} push{'' if self.pushes == 1 else 'es'}"
        return f"{pushes}: " + ", ".join(filter(None, (counts, f"{self._passed_over} that no rule matches")))

    def _said(self, one: Simulated) -> dict[str, Any]:
        self._counts[one.would.value] += 1
        return _line(one.seq, one.push, one.at, one.would.value, rule=one.rule, target=one.target, why=one.why)


def _bad(marks: dict[tuple[str, str], str], digest: str, target: str) -> str:
    why = marks.get((digest, EVERYWHERE)) or marks.get((digest, target))
    return f"the digest is marked as bad: {why}" if why else ""


def _taken(rules: Iterable[CompiledRule], push: Push) -> bool:
    return any(rule.matcher.matches(push) for rule in rules)


def _line(seq: int, push: Push, at: int, would: str, **more: str) -> dict[str, Any]:
    return {
        "push": seq,
        "repository": push.repository,
        "tag": push.tag,
        "digest": push.digest,
        "account": push.account,
        "would_be": would,
        "at": at,
        **more,
    }


def _row(line: dict[str, Any]) -> str:
    # No table of rich's: that would hold every row until the last is there.
    image = f"{line['repository']}:{line['tag']} {line['digest'][:19]}"
    goes = f"{line['rule']} → {line['target']}" if line["rule"] else "-"
    return shown(f"{moment(line['at'])[:19]}  {line['would_be']:<10}  {goes:<24}  {image}  {line['why']}".rstrip())
