"""Searching: every criterion finds what a plain scan finds, in its order, page by page; and by an index."""

import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.engine import Engine

from wharfinger.ledger.database import Database
from wharfinger.ledger.log import read_tree
from wharfinger.ledger.reading import Stored, read_range
from wharfinger.ledger.record import AuditRecord, Personal, RecordKind
from wharfinger.ledger.search import Criteria, search
from wharfinger.ledger.settlement import commit
from wharfinger.ledger.values import Entry
from wharfinger.wire.jti import JtiKeys, mint
from wharfinger.wire.names import Account

KEYS = JtiKeys((b"k" * 32,))
NOW = 1_795_477_900_000
NOISE = random.Random(7)


def record(number: int) -> AuditRecord:
    """One of many, each field of few values."""
    account = NOISE.choice(["zoe", "yan", ""])
    tag = NOISE.choice(["", "v1", "v2"])
    verdict = NOISE.choice(["exact"] * 8 + ["forged", "unattributed"])
    kind = NOISE.choice([RecordKind.EVENT] * 9 + [RecordKind.REFUSAL])
    return AuditRecord(
        kind=kind,
        recorded_at=NOW + 10 * (number // 3),
        source=NOISE.choice(["main", "other"]),
        event_id=f"e{number}",
        event_sha=f"{number:064x}",
        action=NOISE.choice(["push", "pull", "probe", "delete"]),
        object_kind=NOISE.choice(["manifest", "blob"]),
        repository=NOISE.choice(["shop/cart", "shop/web", "team/a", "team/b"]),
        tag=tag,
        digest="sha256:" + f"{NOISE.randrange(5):064x}",
        verdict=verdict,
        flags=NOISE.choice(["", "", "", "addr_differs", "addr_differs id_reused"]),
        jti=mint(KEYS, account=Account(account), now_ms=NOW, nonce=NOISE.randrange(4)),
        credential_kind="static" if account else "anonymous",
        credential_id=f"c-{account}" if account else "",
        personal=Personal(
            account=account,
            client_addr=NOISE.choice(["10.0.0.1", "10.0.0.2"]),
            raw_sha256=f"{number:064x}" if kind is RecordKind.EVENT else "",
        ),
    )


RECORDS = [record(number) for number in range(400)]
JTI = RECORDS[5].jti

CASES: list[tuple[dict[str, Any], Callable[[AuditRecord], bool]]] = [
    ({}, lambda _: True),
    ({"account": "zoe"}, lambda one: one.personal.account == "zoe"),
    ({"account": ""}, lambda one: one.personal.account == ""),
    ({"account": "nobody"}, lambda _: False),
    ({"credential": "c-yan"}, lambda one: one.credential_id == "c-yan"),
    ({"credential": "static/c-zoe"}, lambda one: one.credential_id == "c-zoe"),
    ({"credential": "c-none"}, lambda _: False),
    ({"jti": JTI}, lambda one: one.jti == JTI),
    ({"jti": "odd"}, lambda _: False),
    ({"repositories": lambda name: name.startswith("team/")}, lambda one: one.repository.startswith("team/")),
    ({"repositories": lambda name: name == "shop/web", "tag": "v1"}, lambda one: (one.repository, one.tag) == ("shop/web", "v1")),
    ({"repositories": lambda _: False}, lambda _: False),
    ({"repositories": lambda name: "a" in name, "account": "zoe"}, lambda one: "a" in one.repository and one.personal.account == "zoe"),
    ({"tag": "v2"}, lambda one: one.tag == "v2"),
    ({"digest": RECORDS[9].digest}, lambda one: one.digest == RECORDS[9].digest),
    ({"actions": ("delete",)}, lambda one: one.action == "delete"),
    ({"actions": ("pull", "push")}, lambda one: one.action in {"pull", "push"}),
    ({"object_kinds": ("manifest",), "actions": ("push",)}, lambda one: (one.object_kind, one.action) == ("manifest", "push")),
    ({"kinds": ("refusal",)}, lambda one: one.kind == "refusal"),
    ({"kinds": ("event", "refusal")}, lambda _: True),
    ({"verdicts": ("forged",)}, lambda one: one.verdict == "forged"),
    ({"verdicts": ("exact",)}, lambda one: one.verdict == "exact"),
    ({"verdicts": ("forged", "unattributed", "outside_grant")}, lambda one: one.verdict in {"forged", "unattributed"}),
    ({"flag": "id_reused"}, lambda one: "id_reused" in one.flags.split()),
    ({"flag": "clock_skew"}, lambda _: False),
    ({"client_addr": "10.0.0.2"}, lambda one: one.personal.client_addr == "10.0.0.2"),
    ({"client_addr": "10.9.9.9"}, lambda _: False),
    ({"source": "other"}, lambda one: one.source == "other"),
    ({"source": "none"}, lambda _: False),
    ({"since_ms": NOW + 500, "until_ms": NOW + 900}, lambda one: NOW + 500 <= one.recorded_at < NOW + 900),
    ({"since_ms": NOW + 10**9}, lambda _: False),
    ({"account": "yan", "actions": ("pull",), "since_ms": NOW + 300}, lambda one: one.personal.account == "yan" and one.action == "pull" and one.recorded_at >= NOW + 300),
]  # fmt: skip


@pytest.fixture
def filled(ledger: Database) -> Database:
    """The ledger with every record."""
    for at in range(0, len(RECORDS), 90):
        commit(ledger, [Entry(replace(one, tag=one.tag)) for one in RECORDS[at : at + 90]], now_ms=NOW)
    return ledger


def everything(database: Database) -> list[Stored]:
    """A plain scan, newest first."""
    with database.reading() as connection:
        return list(read_range(connection, database.words, 0, read_tree(connection).size))[::-1]


def test_every_criterion_finds_what_a_scan_finds(filled: Database) -> None:
    """One after the other and together, whatever index answers."""
    scanned = everything(filled)
    for asked, holds in CASES:
        expected = [one.seq for one in scanned if holds(one.record)]
        found = search(filled, Criteria(**asked), limit=1_000)
        assert [one.seq for one in found.records] == expected, asked
        assert found.next is None


def test_pages_neither_skip_nor_repeat(filled: Database) -> None:
    """Also while records are added."""
    for asked, holds in CASES[:14]:
        expected = [one.seq for one in everything(filled) if holds(one.record)]
        collected: list[int] = []
        cursor = None
        while True:
            page = search(filled, Criteria(**asked), limit=7, before=cursor)
            collected += [one.seq for one in page.records]
            if page.next is None:
                break
            cursor = page.next
        assert collected == expected, asked
    first = search(filled, Criteria(), limit=5)
    commit(filled, [Entry(replace(RECORDS[0], event_id="new"))], now_ms=NOW)
    assert [one.seq for one in search(filled, Criteria(), limit=5, before=first.next).records] == list(range(394, 389, -1))


@pytest.mark.parametrize(
    ("asked", "index"),
    [
        ({"account": "zoe"}, "records_account"),
        ({"credential": "c-zoe"}, "records_credential"),
        ({"jti": JTI}, "records_jti"),
        ({"digest": RECORDS[9].digest}, "records_digest"),
        ({"client_addr": "10.0.0.1"}, "records_client_addr"),
        ({"verdicts": ("forged",)}, "records_verdict"),
        ({"verdicts": ("forged", "unattributed", "outside_grant")}, "records_verdict"),
        ({"flag": "id_reused"}, "records_flags"),
        ({"kinds": ("refusal",)}, "records_kind"),
        ({"actions": ("delete",)}, "records_action"),
        ({"repositories": lambda name: name == "team/a"}, "records_repository"),
        ({"account": "zoe", "verdicts": ("exact",), "actions": ("push",)}, "records_account"),
    ],
)
def test_an_index_answers(tmp_path: Path, asked: dict[str, Any], index: str) -> None:
    """SQLite's own plan names the index; nothing people ask for scans millions of rows."""
    database = Database(f"sqlite:///{tmp_path}/ledger.db")
    commit(database, [Entry(one) for one in RECORDS[:50]], now_ms=NOW)
    asked_for: list[tuple[str, Any]] = []

    def hear(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        asked_for.append((statement, parameters))

    event.listen(Engine, "before_cursor_execute", hear)
    try:
        search(database, Criteria(**asked), limit=5)
    finally:
        event.remove(Engine, "before_cursor_execute", hear)
    queries = [one for one in asked_for if "FROM records" in one[0] and "ORDER BY records.seq DESC" in one[0]]
    with database.reading() as connection:
        plans = [str(connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {query}", values).all()) for query, values in queries]
    database.close()
    assert queries
    assert all(index in plan for plan in plans), plans
