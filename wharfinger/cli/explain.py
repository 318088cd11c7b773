"""``wharfinger explain``: what a request would be granted, by which rule, and why no earlier one matched. Issues nothing."""

import json
import sys
from ipaddress import ip_address

import click
from rich.console import Console
from rich.table import Table

from wharfinger.cli.loading import Place, access_or_exit, placed
from wharfinger.cli.texts import in_markup
from wharfinger.cli.trace import people_console
from wharfinger.policy import Policy, Request, compile_acl
from wharfinger.policy.address import Address
from wharfinger.policy.explain import Examined, Explanation, Tried, explain
from wharfinger.runtime.configuration import Access
from wharfinger.wire.scope import Scope, ScopeFault, parse_scope

EXIT_DENIED = 1
Labels = dict[str, tuple[str, ...]]


@click.command()
@click.option("--account", required=True, metavar="A", help="Who asks; '' for the anonymous client.")
@click.option("--name", required=True, metavar="REPO", help="The repository, or the name of another kind of resource.")
@click.option("--actions", required=True, help="What is asked, parted by commas: pull,push.")
@click.option("--type", "kind", default="repository", show_default=True, metavar="T", help="The kind of resource.")
@click.option("--service", default="", metavar="S", help="The registry's auth.token.service.")
@click.option("--ip", "address", metavar="IP", help="Where the request comes from.")
@click.option("--label", "labels", multiple=True, metavar="K=V", help="A label; repeatable. Without any: those of the file.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@placed
def command(
    place: Place,
    *,
    account: str,
    name: str,
    actions: str,
    kind: str,
    service: str,
    address: str | None,
    labels: tuple[str, ...],
    as_json: bool,
) -> None:
    """Say what a request is granted, and why.

    Of the access list alone: no password is asked for, and no other program. Exits with 1 when nothing is granted.
    """
    scope = _scope(kind, name, actions)
    source, given = _address(address), _labels(labels)
    access, policy = access_or_exit(place.config)
    if not given:
        given = next((dict(user.labels) for user in access.users or () if user.name == account), {})
    request = Request(account, scope.type, scope.name, service, source, scope.actions, given)
    explained = explain(policy or _empty(), request)
    notes = _notes(access, request, explained)
    if as_json:
        click.echo(json.dumps(to_json(explained, policy, notes), indent=2))
    else:
        show(explained, notes, people_console())
    sys.exit(0 if explained.decision.granted else EXIT_DENIED)


def to_json(explained: Explanation, policy: Policy | None, notes: list[str]) -> dict[str, object]:
    """An explanation. ``granted``, ``matched``, ``rule`` and ``why`` are fixed; more may come beside them."""
    decision, request = explained.decision, explained.request
    deciding = {"index": decision.index, "line": decision.line, "comment": decision.comment}
    return {
        "granted": list(decision.granted),
        "matched": decision.matched,
        "rule": deciding if decision.matched else None,
        "why": explained.why,
        "request": {
            "account": request.account,
            "type": request.type,
            "name": request.name,
            "service": request.service,
            "ip": None if request.ip is None else str(request.ip),
            "actions": list(request.actions),
            "labels": {name: list(values) for name, values in request.labels.items()},
        },
        "rules": [
            {**_rule(one), "adds": list(one.adds), "substitutions": _tried(one.substitutions())} for one in explained.matching()
        ],
        "passed_over": [{**_rule(one), "failed": _tried(one.failed())} for one in explained.passed_over()],
        "notes": notes,
        "union": policy is not None and policy.options.union,
        "policy": "" if policy is None else policy.hash,
    }


def show(explained: Explanation, notes: list[str], console: Console) -> None:
    """Print an explanation: the answer, why, and a row for each rule that was looked at."""
    request, granted = explained.request, explained.decision.granted
    who, what = request.account or "anonymous", f"{request.type}:{request.name}"
    answer = f"[green]granted {in_markup(', '.join(granted))}[/green]" if granted else "[red]granted nothing[/red]"
    console.print(
        f"[bold]{in_markup(who)}[/bold] on [bold]{in_markup(what)}[/bold]: {answer} of {in_markup(', '.join(request.actions))}"
    )
    console.print(in_markup(f"{explained.why[:1].upper()}{explained.why[1:]}."))
    if explained.examined:
        table = Table(box=None, pad_edge=False, show_edge=False)
        for heading in ("rule", "line", "", "why", "comment"):
            table.add_column(heading, overflow="fold")
        for one in explained.examined:
            word = "[green]matches[/green]" if one.matched else "[dim]no[/dim]"
            table.add_row(str(one.index), str(one.line), word, in_markup(_reasons(one)), in_markup(one.comment))
        console.print()
        console.print(table)
    for note in notes:
        console.print(f"[yellow]Note:[/yellow] {in_markup(note)}.")


def _reasons(one: Examined) -> str:
    if one.matched:
        put = "; ".join(f"{tried.field} {tried.pattern!r} became {tried.became!r}" for tried in one.substitutions())
        return f"allows {', '.join(one.actions) or 'nothing'}" + (f"; {put}" if put else "")
    return "; ".join(map(_failed, one.failed()))


def _failed(tried: Tried) -> str:
    became = f", which became {tried.became!r}," if tried.substituted() else ""
    value = repr(tried.value) if tried.value or tried.field in {"account", "service"} else "nothing"
    return f"{tried.field} {tried.pattern!r}{became} is not met by {value}"


def _notes(access: Access, request: Request, explained: Explanation) -> list[str]:
    notes = []
    users = {user.name for user in access.users or ()}
    if access.acl is None:
        notes.append("the file has no acl")
    if access.more_rules and not explained.decision.matched:
        notes.append("another authorizer of the file is asked where no rule matches; it was not asked here")
    if request.account not in users and not access.more_accounts:
        who = repr(request.account) if request.account else "the anonymous client"
        notes.append(f"{who} is no user of the file, so no token is issued to it at all")
    asked = {tried.field for one in explained.examined for tried in one.tried}
    if "ip" in asked and request.ip is None:
        notes.append("a rule asks for the address, and no --ip was given")
    if "service" in asked and not request.service:
        notes.append("a rule asks for the service, and no --service was given")
    return notes


def _rule(one: Examined) -> dict[str, object]:
    return {"index": one.index, "line": one.line, "comment": one.comment, "actions": list(one.actions)}


def _tried(tried: tuple[Tried, ...]) -> list[dict[str, object]]:
    return [{"field": one.field, "pattern": one.pattern, "became": one.became, "value": one.value} for one in tried]


def _empty() -> Policy:
    policy = compile_acl(())
    assert isinstance(policy, Policy)  # noqa: S101 - a list without rules has no faults
    return policy


def _scope(kind: str, name: str, actions: str) -> Scope:
    # What no request can ask must not be explained as if one could.
    scope = parse_scope(f"{kind}:{name}:{actions}")
    if isinstance(scope, ScopeFault):
        raise click.UsageError(f"no request can ask for {kind}:{name}:{actions}: {scope.problem}")
    return scope


def _address(text: str | None) -> Address | None:
    try:
        return None if text is None else ip_address(text)
    except ValueError:
        raise click.BadParameter(f"{text!r} is no address", param_hint="--ip") from None


def _labels(texts: tuple[str, ...]) -> Labels:
    found: Labels = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise click.BadParameter(f"{text!r} is not of the form KEY=VALUE", param_hint="--label")
        found[name] = (*found.get(name, ()), value)
    return found
