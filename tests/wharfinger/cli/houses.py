"""Set-ups for tests of the command: what ``init`` makes, with a ledger that knows a push."""

import hashlib
import json
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result
from msgspec import structs

from wharfinger.cli import init
from wharfinger.cli.main import main
from wharfinger.cli.templates import Ports
from wharfinger.ledger import outbox
from wharfinger.ledger.database import Database
from wharfinger.ledger.issued import to_record
from wharfinger.ledger.record import AuditRecord, Personal, RecordKind
from wharfinger.ledger.settlement import commit
from wharfinger.ledger.values import DeliveryState, Entry, NewDelivery
from wharfinger.wire.issuance import Credential, Issuance
from wharfinger.wire.names import Account, DeliveryId, Jti
from wharfinger.wire.scope import Scope

OTHER_JTI = Jti("1pDLmR9V8xGZ4-0_aTkqQwErTy")
JTI = Jti("0pDLmR9V8xGZ4-0_aTkqQwErTy")
NOW = 1_795_477_900_000
DIGEST = "sha256:" + "ab" * 32
PORTS = Ports(5_551, 5_552, 5_550)
HOSTILE = "evil\x1b[31m\x9b2J\u202e[bold]x[/bold]\nfake line"
"""A User-Agent that would like to paint the terminal of whoever looks at it."""


def run(*arguments: object, environ: dict[str, str] | None = None) -> Result:
    """The command, in this process."""
    return CliRunner().invoke(main, [str(one) for one in arguments], env=environ, prog_name="wharfinger")


def house(folder: Path, *hosts: str) -> Path:
    """What ``init`` makes."""
    folder.mkdir(exist_ok=True)
    init.make(folder, hosts, PORTS)
    return folder


def parsed(result: Result) -> Any:
    """What was printed, as JSON."""
    return json.loads(result.stdout)


def ledger_with_a_push(folder: Path) -> None:
    """A token, a push by it, a pull of another, a forged push, and a delivery that was tried twice."""
    database = Database(f"sqlite:///{folder}/ledger.db")
    issuance = Issuance(
        jti=JTI,
        account=Account("hussein"),
        credential=Credential(kind="static", id="c1"),
        authenticated_by="basic",
        client_addr="10.0.0.7",
        user_agent=HOSTILE,
        service="registry",
        asked=(Scope("repository", "ubuntu", ("pull", "push")),),
        granted=(Scope("repository", "ubuntu", ("pull", "push")),),
        rules=(2,),
        policy="p1",
        issued_at=NOW // 1_000,
        not_before=NOW // 1_000 - 10,
        expires_at=NOW // 1_000 + 900,
    )
    other = structs.replace(issuance, jti=OTHER_JTI)
    delivery = NewDelivery(DeliveryId("dlv_1"), "web", "hook")
    entries = [
        Entry(to_record(issuance, now_ms=NOW), issuance=issuance),
        Entry(_event("e-push", "push", "exact", tag="v1"), deliveries=(delivery,)),
        Entry(to_record(other, now_ms=NOW), issuance=other),
        Entry(_event("e-pull", "pull", "exact", jti=OTHER_JTI)),
        Entry(_event("e-forged", "push", "forged", tag="v2", jti="", flags="addr_differs id_reused")),
    ]
    commit(database, entries, now_ms=NOW)
    held = outbox.claim(database, DeliveryId("dlv_1"), now_ms=NOW)
    assert held is not None
    outbox.postpone(database, held, reason="answered 503", now_ms=NOW, due_at=NOW, counts=True)
    held = outbox.claim(database, DeliveryId("dlv_1"), now_ms=NOW)
    assert held is not None
    outbox.finish(database, held, state=DeliveryState.DELIVERED, reason="answered 200", now_ms=NOW)
    database.close()


def _event(ident: str, action: str, verdict: str, *, tag: str = "", jti: str = JTI, flags: str = "") -> AuditRecord:
    body = hashlib.sha256(ident.encode()).hexdigest()
    return AuditRecord(
        kind=RecordKind.EVENT,
        recorded_at=NOW,
        occurred_at=NOW + 123,
        source="main",
        event_id=ident,
        event_sha=body,
        action=action,
        object_kind="manifest",
        repository="ubuntu",
        tag=tag,
        digest=DIGEST,
        verdict=verdict,
        jti=jti,
        flags=flags,
        personal=Personal(account="hussein", client_addr="10.0.0.7", user_agent=HOSTILE, raw_sha256=body),
    )
