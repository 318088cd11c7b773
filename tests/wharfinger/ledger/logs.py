"""Logs to sign, to prove from and to tamper with: every kind of row, in as many records as wanted."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from sqlalchemy import Column, delete, func, insert, select, update

from tests.wharfinger.ledger import vectors
from wharfinger.ledger import outbox, schema
from wharfinger.ledger.checkpoint import SignedCheckpoint
from wharfinger.ledger.checkpoints import make_checkpoint
from wharfinger.ledger.database import Database
from wharfinger.ledger.erasure import erase_records
from wharfinger.ledger.issued import to_record
from wharfinger.ledger.log_keys import LogKeys
from wharfinger.ledger.packing import pack_commitments
from wharfinger.ledger.raw import pack_raw
from wharfinger.ledger.reading import read_records
from wharfinger.ledger.record import PERSONAL_FIELDS, AuditRecord, Personal, RecordKind, commitments
from wharfinger.ledger.settlement import commit
from wharfinger.ledger.values import DeliveryState, Entry, NewDelivery
from wharfinger.wire.issuance import Credential, Issuance
from wharfinger.wire.names import Account, DeliveryId, Jti
from wharfinger.wire.scope import Scope

KEYS = LogKeys(vectors.LOG, (vectors.LOG.verifier,), {})
WITNESSED = LogKeys(vectors.LOG, (vectors.LOG.verifier,), {"w1": vectors.WITNESS.verifier})
NOW = 1_795_477_900_000
JTI = Jti("0pDLmR9V8xGZ4-0_aTkqQwErTy")
PUSHED = "sha256:" + "ab" * 32
DELIVERY = DeliveryId("dlv_e2")

ISSUANCE = Issuance(
    jti=JTI,
    account=Account("zoë"),
    credential=Credential(kind="static", id="c1"),
    authenticated_by="basic",
    client_addr="10.0.0.7",
    claimed_addr="192.0.2.1",
    user_agent="docker/28",
    service="registry",
    asked=(Scope("repository", "shop/cart", ("pull", "push")),),
    granted=(Scope("repository", "shop/cart", ("pull",)),),
    rules=(1,),
    policy="p1",
    issued_at=NOW // 1_000,
    not_before=NOW // 1_000 - 10,
    expires_at=NOW // 1_000 + 900,
)


def event(number: int, *, jti: str = JTI, tag: str = "", digest: str = "", action: str = "pull") -> Entry:
    """An event with all that an event can say."""
    raw = b'{"number":%d,"account":"zoe"}' % number
    sha = hashlib.sha256(raw).hexdigest()
    record = AuditRecord(
        kind=RecordKind.EVENT,
        recorded_at=NOW + number,
        occurred_at=NOW,
        source="main",
        event_id=f"e{number}",
        event_sha=sha,
        action=action,
        object_kind="manifest",
        repository="shop/cart",
        from_repository="shop/base" if action == "mount" else "",
        tag=tag,
        digest=digest or "sha256:" + f"{number:064x}",
        media_type="application/vnd.oci.image.manifest.v1+json",
        size=135,
        method="GET",
        request_id="0f47b96d-80dc-4f23-986b-8ad3891308dc",
        instance_id="1f47b96d-80dc-4f23-986b-8ad3891308dc",
        registry_host="registry:5000",
        verdict="exact" if jti else "unattributed",
        reason="" if jti else "no_id",
        flags="addr_differs",
        jti=jti,
        credential_kind="static",
        credential_id="c1",
        detail='{"missing":["push"]}',
        personal=Personal(
            account="zoë",
            actor=f"zoë#{jti}" if jti else "somebody",
            client_addr="10.0.0.7",
            claimed_addr="192.0.2.1",
            user_agent="docker/28",
            raw_sha256=sha,
        ),
    )
    return Entry(record, raw=pack_raw(raw, record))


def fill(database: Database, size: int) -> None:
    """A log of some records: an issuance, a mount, two pushes of a tag of which one was delivered, its outcome, then pulls."""
    delivery = NewDelivery(DELIVERY, "web", "hook")
    pushes = [
        replace(event(2, action="push", tag="v1", digest=PUSHED), deliveries=(delivery,)),
        event(3, action="push", tag="v1"),
    ]
    commit(database, [Entry(to_record(ISSUANCE, now_ms=NOW), issuance=ISSUANCE), event(1, action="mount"), *pushes], now_ms=NOW)
    held = outbox.claim(database, DELIVERY, now_ms=NOW + 10)
    assert held is not None
    outbox.finish(database, held, state=DeliveryState.DELIVERED, reason="", now_ms=NOW + 11)
    for start in range(5, size, 500):
        pulls = [event(number, jti=JTI if number % 2 else "") for number in range(start, min(start + 500, size))]
        commit(database, pulls, now_ms=NOW + start)


def sign(database: Database, *, keys: LogKeys = KEYS, now_ms: int = NOW) -> SignedCheckpoint:
    """Sign what is there."""
    assert keys.signer is not None
    made = make_checkpoint(database, keys, keys.signer, now_ms=now_ms)
    assert isinstance(made, SignedCheckpoint), made
    return made


def erase(database: Database, seq: int) -> None:
    """Erase one record's personal values, told of by the log."""
    with database.writing() as connection:
        erase_records(connection, database.words, read_records(connection, database.words, [seq]), now_ms=NOW)


def erase_untold(database: Database, seq: int) -> None:
    """Erase a record's personal values as the format has it, by hand: commitments kept, values, secret and the event gone."""
    with database.writing() as connection:
        (one,) = read_records(connection, database.words, [seq])
        kept = pack_commitments(commitments(one.record, one.secret or b""), PERSONAL_FIELDS)
        connection.execute(insert(schema.erased).values(seq=seq, commitments=kept))
        connection.execute(delete(schema.raw_events).where(schema.raw_events.c.seq == seq))
        gone = {
            "secret": None,
            "account": 0,
            "actor": "",
            "client_addr": 0,
            "claimed_addr": 0,
            "user_agent": 0,
            "event_sha": None,
        }
        connection.execute(update(schema.records).where(schema.records.c.seq == seq).values(gone))


def size_of(database: Database) -> int:
    """Records in the log."""
    with database.reading() as connection:
        return connection.execute(select(schema.tree.c.size)).scalar_one()


def rewrite(database: Database, column: Column[Any], change: Callable[[Any], Any], **key: object) -> None:
    """Change a column behind the log's back, in the rows that a key names; in all of them without one."""
    table = column.table
    chosen = [table.c[name] == value for name, value in key.items()]
    with database.writing() as connection:
        rows = connection.execute(select(*table.primary_key.columns, column).where(*chosen)).all()
        assert rows
        for row in rows:
            mine = [one == value for one, value in zip(table.primary_key.columns, row, strict=False)]
            connection.execute(update(table).where(*mine).values({column.name: change(row[-1])}))


def swapped(hashes: bytes) -> bytes:
    """The same hashes in another order."""
    return hashes[32:] + hashes[:32]


def rows_of(database: Database, table: str) -> int:
    """Rows of a table."""
    with database.reading() as connection:
        return int(connection.execute(select(func.count()).select_from(schema.metadata.tables[table])).scalar_one())
