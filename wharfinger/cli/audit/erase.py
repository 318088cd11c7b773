"""``wharfinger audit erase --account A``: what tells of a person goes from ledger and Redis; every proof still holds."""

import json
import sys
from typing import Final

import click
import redis

from wharfinger.cli.audit.opening import EXIT_UNAVAILABLE, open_ledger
from wharfinger.cli.audit.redis_memory import forget, forget_on_disk, remembers
from wharfinger.cli.loading import Place, placed, settings_or_exit
from wharfinger.cli.progress import counting, now_ms
from wharfinger.cli.stores import url_or_exit
from wharfinger.cli.texts import shown
from wharfinger.ledger.erasure import erase_account, knows

EXIT_NOT_FOUND: Final = 1


@click.command()
@click.option("--account", required=True, help='Whose; "" for everybody who came without saying who.')
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@placed
def command(place: Place, *, account: str, yes: bool, as_json: bool) -> None:
    """Erase an account's personal values: names, addresses, agents and raw events, everywhere. It cannot be undone.

    The erasure is told by records of the log itself. Exits with 1 when nothing was known of the account.
    """
    settings = settings_or_exit(place, outcome="nothing was erased")
    url = url_or_exit(settings)
    whom = account or "anonymous clients"
    if not yes and _is_known(place, url, account):
        click.confirm(f"Erase what is known of {whom}? It cannot be undone", abort=True)
    # Also where nothing is known: an erasure that was broken off may have left the name itself.
    with open_ledger(place) as database, counting("erasing") as told:
        erased = erase_account(database, account, now_ms=now_ms(), told=told)
    try:
        with redis.Redis.from_url(url, socket_timeout=10) as client:
            entries = forget(client, account, erased.jtis)
            # Also where nothing went: an erasure before this one may have been broken off here.
            gone = forget_on_disk(client)
    except redis.RedisError as error:
        click.echo(f"the ledger is done, but Redis did not answer ({type(error).__name__}): run this again", err=True)
        sys.exit(EXIT_UNAVAILABLE)
    if not gone:
        click.echo("Redis still has it in its append-only file: run BGREWRITEAOF there", err=True)
    if as_json:
        click.echo(json.dumps({"records": erased.records, "redis_entries": entries, "told_by": erased.told_by}))
    elif not erased.records and not entries:
        click.echo(f"nothing is known of {shown(whom)}", err=True)
    else:
        records = ", ".join(map(str, erased.told_by))
        told_by = f"; the log tells of it in {records}" if records else ""
        click.echo(f"erased {erased.records} records and {entries} entries in Redis{told_by}")
    sys.exit(0 if erased.records or entries else EXIT_NOT_FOUND)


def _is_known(place: Place, url: str, account: str) -> bool:
    with open_ledger(place) as database:
        if knows(database, account):
            return True
    try:
        with redis.Redis.from_url(url, socket_timeout=10) as client:
            return remembers(client, account)
    except redis.RedisError:
        return True  # that it cannot be told is no reason not to ask
