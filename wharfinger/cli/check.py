"""``wharfinger check``: every fault and warning of the configuration, with line and remedy. Starts nothing.

With ``--against``: who gains and who loses what where another file was in force.
"""

import json
import sys
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

import click

from wharfinger.cli.loading import Place, access_or_exit, describe, placed, read
from wharfinger.cli.texts import counted
from wharfinger.policy.acl import Decision
from wharfinger.policy.comparison import Change, Comparison, Side, compare

EXIT_DIFFERENT = 1
NO_PROOF = "This compares witnesses, requests made from the patterns of both files, and is no proof that nothing else differs."


@click.command()
@click.option(
    "--against", "other", type=click.Path(path_type=Path), metavar="OTHER", help="Tell what this file changes in OTHER."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@placed
def command(place: Place, *, other: Path | None, as_json: bool) -> None:
    """Tell all faults and warnings of the configuration.

    Exits with 0 when it is clean, 1 with warnings only, 2 with faults.

    With --against: tell who gains and who loses what by this file where OTHER was in force. Exits with 1 when anybody does.
    """
    if other is not None:
        sys.exit(_compare(place.config, other, as_json=as_json))
    loaded = read(place, keys=True, signs=True, started=False)
    if as_json:
        click.echo(json.dumps([{"file": str(place.config), **asdict(fault)} for fault in loaded.found], indent=2))
    else:
        for fault in loaded.found:
            click.echo(describe(place.config, fault))
        warnings = len(loaded.found) - len(loaded.faults())
        click.echo(f"{place.config}: {counted(len(loaded.faults()), 'fault')}, {counted(warnings, 'warning')}.")
    sys.exit(2 if loaded.faults() else 1 if loaded.found else 0)


def _compare(file: Path, other: Path, *, as_json: bool) -> int:
    found = compare(_side(other), _side(file))
    if as_json:
        click.echo(json.dumps(_to_json(found), indent=2))
    else:
        for line in _lines(found):
            click.echo(line)
    return EXIT_DIFFERENT if found.gains or found.losses else 0


def _side(file: Path) -> Side:
    access, policy = access_or_exit(file)
    return Side(policy, {user.name: user.labels for user in access.users or ()}, access.more_accounts)


def _to_json(found: Comparison) -> dict[str, object]:
    return {
        "gains": [_change(one) for one in found.gains],
        "losses": [_change(one) for one in found.losses],
        "compared": {"accounts": found.accounts, "requests": found.requests, "left_out": found.left_out},
        "note": NO_PROOF,
    }


def _change(one: Change) -> dict[str, object]:
    return {
        "account": one.account,
        "type": one.type,
        "name": one.name,
        "service": one.service,
        "ip": one.ip,
        "actions": list(one.actions),
        "can_log_in": one.known,
        "old_rule": _rule(one.old),
        "new_rule": _rule(one.new),
    }


def _rule(decision: Decision | None) -> dict[str, object] | None:
    if decision is None or decision.index is None:
        return None
    return {"index": decision.index, "line": decision.line, "comment": decision.comment}


def _lines(found: Comparison) -> Iterable[str]:
    """A line for each account, its actions and the rules that say so, with every resource where it is so."""
    for verb, changes in (("gains", found.gains), ("loses", found.losses)):
        grouped: dict[str, list[str]] = {}
        for one in changes:
            who = (repr(one.account) if one.account else "anonymous") + ("" if one.known else " (no user of either file)")
            rules = f"{_rule_text(one.old)} before, {_rule_text(one.new)} now"
            grouped.setdefault(f"{who} {verb} {', '.join(one.actions)} by {rules}: ", []).append(_resource(one))
        yield from (start + ", ".join(resources) for start, resources in grouped.items())
    if not found.gains and not found.losses:
        yield "Nobody gains and nobody loses anything."
    yield f"Asked {found.requests} requests of {found.accounts} accounts." + (
        f" {found.left_out} more were left out." if found.left_out else ""
    )
    yield NO_PROOF


def _rule_text(decision: Decision | None) -> str:
    return "no rule" if decision is None or decision.index is None else f"rule {decision.index} (line {decision.line})"


def _resource(one: Change) -> str:
    where = [f"service {one.service!r}" if one.service else "", f"from {one.ip}" if one.ip is not None else ""]
    beside = " and ".join(filter(None, where))
    return f"{one.type}:{one.name}" + (f" ({beside})" if beside else "")
