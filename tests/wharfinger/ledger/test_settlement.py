"""Settled batches in a real SQLite file: once each, with leaves, issuances and deliveries in one transaction."""

import hashlib
import os
import threading
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import event, func, select, text
from sqlalchemy.engine import Engine

from wharfinger.ledger import outbox, schema
from wharfinger.ledger.database import Database
from wharfinger.ledger.errors import LeaseLost, LedgerMisuse, LedgerUnavailable
from wharfinger.ledger.issued import to_record
from wharfinger.ledger.log import append, read_tile, read_tree
from wharfinger.ledger.merkle import Frontier, leaf_hash
from wharfinger.ledger.queries import trace
from wharfinger.ledger.reading import read_range
from wharfinger.ledger.record import AuditRecord, Personal, RecordKind, canonical, commitments
from wharfinger.ledger.rows import row_key
from wharfinger.ledger.settlement import commit, find_issuances
from wharfinger.ledger.values import Around, DeliveryState, Entry, NewDelivery, Standing
from wharfinger.ledger.words import Words
from wharfinger.wire.issuance import Credential, Issuance
from wharfinger.wire.jti import JtiKeys, mint
from wharfinger.wire.names import Account, DeliveryId, Jti
from wharfinger.wire.scope import Scope

JTI = Jti("0pDLmR9V8xGZ4-0_aTkqQwErTy")
KEYS = JtiKeys((b"k" * 32,))
NOW = 1_795_477_900_000
DIGEST = "sha256:" + "ab" * 32
LATER = "sha256:" + "cd" * 32

ISSUANCE = Issuance(
    jti=JTI,
    account=Account("zoe"),
    credential=Credential(kind="static", id="c1"),
    authenticated_by="basic",
    client_addr="10.0.0.7",
    user_agent="docker/28",
    service="registry",
    asked=(Scope("repository", "shop/cart", ("pull", "push")),),
    granted=(Scope("repository", "shop/cart", ("pull", "push")),),
    rules=(1, None),
    policy="p1",
    issued_at=1_795_477_890,
    not_before=1_795_477_880,
    expires_at=1_795_478_790,
)


def issuance_entry(issuance: Issuance = ISSUANCE) -> Entry:
    """A settled issuance."""
    return Entry(to_record(issuance, now_ms=NOW), issuance=issuance)


def push(event_id: str, *, digest: str = DIGEST, sha: str = "", tag: str = "v1", target: str = "hook") -> Entry:
    """A settled push with one delivery."""
    record = AuditRecord(
        kind=RecordKind.EVENT,
        recorded_at=NOW,
        source="main",
        event_id=event_id,
        event_sha=hashlib.sha256((sha or event_id).encode()).hexdigest(),
        action="push",
        object_kind="manifest",
        repository="shop/cart",
        tag=tag,
        digest=digest,
        verdict="exact",
        jti=JTI,
        personal=Personal(account="zoe", actor=f"zoe#{JTI}", raw_sha256=hashlib.sha256((sha or event_id).encode()).hexdigest()),
    )
    return Entry(record, raw=b"raw", deliveries=(NewDelivery(DeliveryId(f"dlv_{event_id}{sha}"), "web", target),))


def count(database: Database, table: str) -> int:
    """Rows of a table."""
    with database.reading() as connection:
        return connection.execute(select(func.count()).select_from(schema.metadata.tables[table])).scalar_one()


def test_a_batch_is_written_once(ledger: Database) -> None:
    """The same batch again, as after a crash before the acknowledgement, changes nothing."""
    batch = [issuance_entry(), push("e1")]
    first = commit(ledger, batch, now_ms=NOW)
    again = commit(ledger, batch, now_ms=NOW + 5)
    assert (first.records, first.duplicates, first.due) == (2, 0, ("dlv_e1",))
    assert (again.records, again.duplicates, again.due) == (0, 2, ())
    assert [count(ledger, name) for name in ("records", "raw_events", "issuances", "deliveries")] == [2, 1, 1, 1]


def test_a_crash_in_the_transaction_leaves_nothing(ledger: Database) -> None:
    """Half a batch never exists: neither rows nor leaves."""
    broken = replace(push("e2"), deliveries=(NewDelivery(DeliveryId("d"), None, "hook"),))  # type: ignore[arg-type]  # the fault
    with pytest.raises(LedgerUnavailable):
        commit(ledger, [push("e1"), broken], now_ms=NOW)
    assert [count(ledger, name) for name in ("records", "tiles", "deliveries")] == [0, 0, 0]
    assert commit(ledger, [push("e1")], now_ms=NOW).records == 1


def test_the_leaves_are_the_records(ledger: Database) -> None:
    """Every leaf can be computed again from its row, and the stored frontier is their tree."""
    commit(ledger, [issuance_entry(), push("e1")], now_ms=NOW)
    commit(ledger, [push("e2")], now_ms=NOW)
    with ledger.reading() as connection:
        found = list(read_range(connection, ledger.words, 0, 3))
        stored = read_tile(connection, 0, 0)
        tree = read_tree(connection)
    hashes = [
        leaf_hash(canonical(one.record, seq=one.seq, committed=commitments(one.record, one.secret or b""))) for one in found
    ]
    assert b"".join(hashes) == stored
    assert Frontier.from_bytes(tree.size, tree.frontier) == Frontier().append(hashes)


def test_records_come_back_as_they_went_in(ledger: Database) -> None:
    """What a leaf commits to is what the row says, field by field."""
    entries = [issuance_entry(), push("e1"), push("odd id", digest="md5:" + "0A" * 16)]
    commit(ledger, entries, now_ms=NOW)
    with ledger.reading() as connection:
        found = [one.record for one in read_range(connection, ledger.words, 0, 3)]
    assert found[:2] == [entry.record for entry in entries[:2]]
    assert found[2] == replace(entries[2].record, previous_digest=DIGEST)


def test_a_tags_history_is_known(ledger: Database) -> None:
    """Each push of a tag tells what it was before, within a batch and across batches; its removal too."""
    untag = replace(push("e3").record, action="untag", object_kind="tag", digest="", media_type="")
    commit(ledger, [push("e1"), push("e2", digest=LATER)], now_ms=NOW)
    commit(ledger, [Entry(untag), push("e4")], now_ms=NOW)
    with ledger.reading() as connection:
        found = [one.record.previous_digest for one in read_range(connection, ledger.words, 0, 4)]
    assert found == ["", DIGEST, LATER, ""]


def test_the_same_id_with_another_body_is_kept_and_flagged(ledger: Database) -> None:
    """A clash or a forgery: both stand in the ledger, the second with a mark."""
    commit(ledger, [push("e1", sha="s1"), push("e1", sha="s2")], now_ms=NOW)
    commit(ledger, [push("e1", sha="s3")], now_ms=NOW)
    with ledger.reading() as connection:
        found = [one.record for one in read_range(connection, ledger.words, 0, read_tree(connection).size)]
    flags = [one.flags for one in found if one.kind is RecordKind.EVENT]
    assert flags == ["", "id_reused", "id_reused"]


def test_an_issuance_is_read_back_whole(ledger: Database) -> None:
    """What Redis has forgotten, the ledger still attributes by."""
    commit(ledger, [issuance_entry()], now_ms=NOW)
    assert find_issuances(ledger, [JTI, Jti("-" * 26)]) == {JTI: ISSUANCE}


def test_one_delivery_of_a_target_at_a_time(ledger: Database) -> None:
    """A second delivery waits while the first is being sent; other targets do not."""
    commit(ledger, [push("e1"), push("e2"), push("e3", target="other")], now_ms=NOW)
    assert outbox.due(ledger, now_ms=NOW) == ["dlv_e1", "dlv_e3"]
    first = outbox.claim(ledger, DeliveryId("dlv_e1"), now_ms=NOW)
    assert outbox.due(ledger, now_ms=NOW) == ["dlv_e3"]
    assert first is not None
    assert outbox.claim(ledger, DeliveryId("dlv_e1"), now_ms=NOW) is None
    assert outbox.claim(ledger, DeliveryId("dlv_e2"), now_ms=NOW) is None
    assert outbox.claim(ledger, DeliveryId("dlv_e3"), now_ms=NOW) is not None
    outbox.finish(ledger, first, state=DeliveryState.DELIVERED, reason="", now_ms=NOW + 1)
    assert outbox.claim(ledger, DeliveryId("dlv_e2"), now_ms=NOW + 1) is not None


def test_a_stopped_worker_does_no_harm(ledger: Database) -> None:
    """After its lease ran out and another took over, a woken worker can neither renew, postpone nor finish."""
    commit(ledger, [push("e1")], now_ms=NOW)
    stopped = outbox.claim(ledger, DeliveryId("dlv_e1"), now_ms=NOW)
    late = NOW + outbox.LEASE_MS + 1
    taken = outbox.claim(ledger, DeliveryId("dlv_e1"), now_ms=late)
    assert stopped is not None
    assert taken is not None
    assert taken.fence > stopped.fence
    with pytest.raises(LeaseLost):
        outbox.renew(ledger, stopped, now_ms=late)
    with pytest.raises(LeaseLost):
        outbox.finish(ledger, stopped, state=DeliveryState.DELIVERED, reason="", now_ms=late)
    with pytest.raises(LeaseLost):
        outbox.postpone(ledger, stopped, reason="", now_ms=late, due_at=late, counts=True)
    outbox.renew(ledger, taken, now_ms=late)
    outbox.finish(ledger, taken, state=DeliveryState.DELIVERED, reason="ok", now_ms=late)
    traced = trace(ledger, "dlv_e1").deliveries[0]
    assert (traced.state, [one.outcome for one in traced.attempts]) == ("delivered", ["", "delivered"])


def test_a_lease_that_ran_out_is_lost(ledger: Database) -> None:
    """Though nobody took this very delivery: another of the same target may have been taken since, and is being sent."""
    commit(ledger, [push("e1"), push("e2")], now_ms=NOW)
    stopped = outbox.claim(ledger, DeliveryId("dlv_e1"), now_ms=NOW)
    assert stopped is not None
    outbox.renew(ledger, stopped, now_ms=NOW + outbox.LEASE_MS)
    late = NOW + 2 * outbox.LEASE_MS + 1
    other = outbox.claim(ledger, DeliveryId("dlv_e2"), now_ms=late)
    assert other is not None
    with pytest.raises(LeaseLost):
        outbox.renew(ledger, stopped, now_ms=late)
    outbox.finish(ledger, other, state=DeliveryState.DELIVERED, reason="", now_ms=late)
    with pytest.raises(LeaseLost):
        outbox.renew(ledger, stopped, now_ms=late + 1)
    assert outbox.due(ledger, now_ms=late + 1) == ["dlv_e1"]


def test_an_outcome_is_a_record_of_the_log(ledger: Database) -> None:
    """What was deployed is provable as what was pushed is."""
    commit(ledger, [push("e1")], now_ms=NOW)
    held = outbox.claim(ledger, DeliveryId("dlv_e1"), now_ms=NOW)
    assert held is not None
    outbox.finish(ledger, held, state=DeliveryState.DELIVERED, reason="", now_ms=NOW)
    assert count(ledger, "records") == 2


def test_looking_again_is_no_attempt(ledger: Database) -> None:
    """A delivery that waits for its tag keeps its attempts for the target."""
    commit(ledger, [push("e1")], now_ms=NOW)
    held = outbox.claim(ledger, DeliveryId("dlv_e1"), now_ms=NOW)
    assert held is not None
    outbox.postpone(ledger, held, reason="no tag yet", now_ms=NOW, due_at=NOW + 1_000, counts=False)
    assert outbox.due(ledger, now_ms=NOW + 999) == []
    again = outbox.claim(ledger, DeliveryId("dlv_e1"), now_ms=NOW + 1_000)
    assert again is not None
    assert (again.attempt, again.fence) == (1, 2)


def test_what_stands_around_a_delivery(ledger: Database) -> None:
    """A later push of the tag, a later delivery, and the digest delivered last are known."""
    commit(ledger, [push("e1"), push("e2", digest=LATER), push("e3", tag="v2")], now_ms=NOW)
    later = outbox.claim(ledger, DeliveryId("dlv_e3"), now_ms=NOW)
    assert later is not None
    outbox.finish(ledger, later, state=DeliveryState.DELIVERED, reason="", now_ms=NOW)
    held = outbox.claim(ledger, DeliveryId("dlv_e1"), now_ms=NOW)
    assert held is not None
    expected = Standing(LATER, overtaken=False, last_delivered=DIGEST, later_tag="v1", last_tag="v2", last_seq=2)
    assert outbox.standing(ledger, held, Around()) == expected
    assert outbox.standing(ledger, held, Around(whole_target=True)).overtaken
    outbox.finish(ledger, held, state=DeliveryState.SUPERSEDED, reason="", now_ms=NOW)


@pytest.mark.parametrize("ref", [JTI, "e1", DIGEST, "shop/cart:v1", "dlv_e1", f"host/shop/cart@{DIGEST}"])
def test_any_end_of_the_chain_gives_the_whole(ledger: Database, ref: str) -> None:
    """From a token, an event, a digest, a tag or a delivery the same chain is walked."""
    commit(ledger, [issuance_entry(), push("e1")], now_ms=NOW)
    found = trace(ledger, ref)
    assert [one.jti for one in found.issuances] == [JTI]
    assert [one.event_id for one in found.events] == ["e1"]
    assert [one.id for one in found.deliveries] == ["dlv_e1"]


def test_an_unknown_reference_is_not_found(ledger: Database) -> None:
    """Nothing is nothing, not an error."""
    assert not trace(ledger, "nobody").found()


class Undone(Exception):  # noqa: N818 - named for what it is
    """Raised by a test to have its transaction undone."""


def test_threads_do_not_mix_up_their_words(ledger: Database) -> None:
    """One commits while another's transaction has given words that are then undone: nobody remembers those."""
    commit(ledger, [push("e0")], now_ms=NOW)
    new = AuditRecord(kind=RecordKind.GAP, recorded_at=NOW, source="another", event_id="g1")

    def commit_elsewhere() -> None:
        ledger.words.committed()  # as at the end of any transaction of that thread

    def undo() -> None:
        with ledger.writing() as connection:
            append(connection, ledger.words, [(new, b"")])
            thread = threading.Thread(target=commit_elsewhere)
            thread.start()
            thread.join()
            raise Undone

    with pytest.raises(Undone):
        undo()
    with ledger.writing() as connection:
        append(connection, ledger.words, [(new, b"")])
    with ledger.reading() as connection:
        assert [one.record.source for one in read_range(connection, Words(), 0, 2)] == ["main", "another"]


def test_a_handle_does_not_cross_a_fork(ledger: Database) -> None:
    """A child that inherits a handle is told so, before SQLite's locks are lost."""
    child = os.fork()
    if child == 0:
        try:
            count(ledger, "records")
        except LedgerMisuse:
            os._exit(42)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 42


def test_commits_are_synced(tmp_path: Path) -> None:
    """A commit that returned is on disk: WAL with synchronous=FULL (2)."""
    with Database(f"sqlite:///{tmp_path}/ledger.db").reading() as connection:
        assert connection.execute(text("PRAGMA journal_mode")).scalar() == "wal"
        assert connection.execute(text("PRAGMA synchronous")).scalar() == 2


def test_a_newer_schema_is_refused(ledger: Database) -> None:
    """An older version does not write into what it does not know."""
    with ledger.writing() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(LedgerMisuse, match="schema 9999"):
        Database(ledger.url)


def test_a_ledger_that_cannot_be_opened(tmp_path: Path) -> None:
    """A path that is a folder is named in the error."""
    (tmp_path / "ledger.db").mkdir()
    with pytest.raises(LedgerUnavailable, match=r"ledger\.db"):
        Database(f"sqlite:///{tmp_path}/ledger.db")


def test_a_url_without_a_file() -> None:
    """A ledger in memory would be lost with its process."""
    with pytest.raises(LedgerMisuse, match="names no file"):
        Database("sqlite://")


def test_the_file_is_private(tmp_path: Path) -> None:
    """Accounts and addresses are nobody else's to read."""
    Database(f"sqlite:///{tmp_path}/ledger.db").close()
    assert (tmp_path / "ledger.db").stat().st_mode & 0o077 == 0


def uuid7(at_ms: int, noise: int) -> str:
    """An id as registries give them since 3.0: RFC 9562, version 7."""
    return str(UUID(int=at_ms << 80 | 7 << 76 | 2 << 62 | noise))


def test_events_are_filed_by_the_time_of_their_ids() -> None:
    """What is new goes to the index's end, where ids tell their time; and no two events have one place."""
    second = 1_000
    later = [row_key(source, uuid7(NOW + at * second, 9)) for at in range(4) for source in ("main", "other")]
    assert [key[:4] for key in later] == sorted(key[:4] for key in later)
    assert len(set(later)) == 8
    minted = [row_key("", mint(KEYS, account=Account("zoe"), now_ms=NOW + at * second, nonce=7)) for at in range(4)]
    assert minted == sorted(minted)
    at_once = {row_key("main", uuid7(NOW, noise)) for noise in range(100)}
    assert len(at_once) == 100
    assert len({key[:4] for key in at_once}) == 1


def test_settling_reads_nothing_that_no_index_finds(tmp_path: Path) -> None:
    """SQLite's own plan of every statement of a batch: none goes through a table that grows."""
    asked: list[tuple[str, Any]] = []

    def hear(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        asked.append((statement, parameters[0] if isinstance(parameters, list) else parameters))

    with closing(Database(f"sqlite:///{tmp_path}/ledger.db")) as database:
        commit(database, [issuance_entry(), push("e1")], now_ms=NOW)
        event.listen(Engine, "before_cursor_execute", hear)
        try:
            commit(database, [push("e1"), push("e2", tag="new"), push("e3", digest=LATER)], now_ms=NOW)
            find_issuances(database, [JTI])
        finally:
            event.remove(Engine, "before_cursor_execute", hear)
        with database.reading() as connection:
            plans = [
                (statement, str(connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values).all()))
                for statement, values in asked
                if statement.startswith(("SELECT", "UPDATE", "INSERT", "DELETE"))
            ]
    assert len(plans) > 10
    grow = ("records", "tags", "issuances", "instances", "words", "tiles", "raw_events")
    assert [one for one in plans if any(f"SCAN {table}" in one[1] for table in grow)] == []
