"""Voting on deliveries: who votes proves to be a user of the file, whose vote the rule counts, and then the vote is written.

The password comes from a terminal, without being shown, or is the first line of standard input; never an argument, which
everybody on the machine could read.
"""

import sys
from collections.abc import Sequence

import click

from authsvc.adapters.passwords import compare_bcrypt
from authsvc.decide.credentials import cut
from wharfinger.cli.deploy.opening import no, opened
from wharfinger.cli.loading import Place
from wharfinger.cli.progress import now_ms
from wharfinger.cli.texts import shown
from wharfinger.ledger.database import Database
from wharfinger.ledger.steering import Statement, vote
from wharfinger.ledger.waiting import OpenDelivery, open_delivery
from wharfinger.runtime.settings import Approvals, DeploySettings, User
from wharfinger.wire.names import DeliveryId
from workers.decide.approvals import counted, deadline, why_not
from workers.decide.matching import pusher_of
from workers.decide.times import moment


def cast(place: Place, deliveries: Sequence[str], account: str, why: str, *, approves: bool) -> None:
    """Vote on some deliveries, all or, when one of them takes no vote, none. Exits with 1 and why it is not done."""
    with opened(place, outcome="nobody voted") as (settings, database):
        if not _proved(settings.auth.users or (), account):
            no(f"that is not the password of a user {shown(account)}: nobody voted")
        found = [_votable(database, settings.workers.deploy, one, account, now_ms()) for one in deliveries]
        for delivery, asked in found:
            if vote(database, delivery.id, Statement(account, why, now_ms()), approves=approves) is None:
                no(f"{delivery.id} has ended meanwhile")
            click.echo(_said(database, delivery, asked, approves=approves))


def _proved(users: Sequence[User], account: str) -> bool:
    password = _password(account)
    hashed = next((one.password_hash for one in users if one.name == account), None)
    return hashed is not None and compare_bcrypt(cut(password), hashed.reveal())


def _password(account: str) -> str:
    if sys.stdin.isatty():
        return str(click.prompt(f"Password of {shown(account)}", hide_input=True, err=True))
    return sys.stdin.buffer.readline().decode("utf-8", "surrogateescape").rstrip("\r\n")


def _votable(database: Database, deploy: DeploySettings, ident: str, account: str, now: int) -> tuple[OpenDelivery, Approvals]:
    delivery = open_delivery(database, DeliveryId(ident))
    if delivery is None:
        no(f"there is no delivery {shown(ident)} that waits")
    asked = next((one.approvals for one in deploy.rules if one.name == delivery.rule), None)
    if asked is None:
        no(f"{delivery.id} is of rule {shown(delivery.rule)}, which asks for no approvals")
    problem = why_not(asked, account, _pusher(delivery))
    if problem:
        no(shown(problem))
    if now > deadline(asked, delivery.created_at):
        no(f"{delivery.id} could be approved until {moment(deadline(asked, delivery.created_at))}")
    return delivery, asked


def _pusher(delivery: OpenDelivery) -> str | None:
    return pusher_of(delivery.verdict, delivery.account)


def _said(database: Database, delivery: OpenDelivery, asked: Approvals, *, approves: bool) -> str:
    what = f"{delivery.repository}:{delivery.tag} ({delivery.digest}) for {delivery.target}"
    if not approves:
        return shown(f"rejected {what}")
    now = open_delivery(database, delivery.id) or delivery
    count = len(counted(asked, now.votes, pusher=_pusher(delivery), pushed_at=delivery.created_at))
    by_now = f"; but {now.tag} is {now.by_now} by now, which nobody approves by this" if now.by_now else ""
    return shown(f"approved {what}: {count} of {asked.needed}{by_now}")
