"""Erasure: nothing of the person is left anywhere in the database, every leaf can be computed again, and the log tells of it."""

import hashlib
import json
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Row, select

from tests.wharfinger.ledger.crashes import killed_at
from tests.wharfinger.ledger.logs import KEYS, fill, sign
from tests.wharfinger.ledger.test_settlement import ISSUANCE, JTI, NOW, issuance_entry, push
from wharfinger.ledger import schema
from wharfinger.ledger.database import Database
from wharfinger.ledger.erasure import CHUNK, erase_account, knows, numbers_text, told_numbers
from wharfinger.ledger.log import read_tile, read_tree
from wharfinger.ledger.merkle import leaf_hash
from wharfinger.ledger.packing import unpack_commitments
from wharfinger.ledger.raw import pack_raw
from wharfinger.ledger.reading import read_range
from wharfinger.ledger.record import PERSONAL_FIELDS, AuditRecord, Personal, RecordKind, canonical, commitments
from wharfinger.ledger.rows import content_key, row_key
from wharfinger.ledger.search import Criteria, search
from wharfinger.ledger.settlement import commit, find_issuances
from wharfinger.ledger.values import Entry
from wharfinger.ledger.verification.anchors import Kept
from wharfinger.ledger.verification.whole import verify_whole


def yans() -> Entry:
    """A push by somebody else, from the same address."""
    entry = push("yans")
    return replace(
        entry,
        record=replace(
            entry.record, jti="", personal=replace(entry.record.personal, account="yan", actor="", client_addr="10.0.0.7")
        ),
    )


def quarantined(text: bytes) -> Entry:
    """What could not be read."""
    sha = hashlib.sha256(text).hexdigest()
    record = AuditRecord(
        kind=RecordKind.QUARANTINE, recorded_at=NOW, event_sha=sha, reason="not JSON",
        personal=Personal(client_addr="10.9.9.9", raw_sha256=sha),
    )  # fmt: skip
    return Entry(record, raw=pack_raw(text))


def leaves(database: Database) -> list[bytes]:
    """Every leaf, computed again from its row and what was kept of erased ones."""
    with database.reading() as connection:
        kept = {
            row.seq: unpack_commitments(row.commitments, PERSONAL_FIELDS) for row in connection.execute(select(schema.erased))
        }
        stored = list(read_range(connection, database.words, 0, read_tree(connection).size))
    return [
        leaf_hash(
            canonical(
                one.record, seq=one.seq, committed=kept[one.seq] if one.erased else commitments(one.record, one.secret or b"")
            )
        )
        for one in stored
    ]


def filled(ledger: Database) -> None:
    """Zoe's token and pushes, yan's push, and an unreadable notification that names zoe."""
    entries = [
        issuance_entry(),
        replace(push("e1"), raw=pack_raw(b'{"actor":"zoe"}')),
        yans(),
        quarantined(b"{zoe"),
        quarantined(b"{yan"),
    ]
    commit(ledger, entries, now_ms=NOW)


def test_nothing_of_her_is_left_and_every_leaf_holds(ledger: Database) -> None:
    """Records, raw events and quarantine; others' values stay, also those they shared."""
    filled(ledger)
    with ledger.reading() as connection:
        before = read_tile(connection, 0, 0)
    erased = erase_account(ledger, "zoe", now_ms=NOW + 5)
    assert (erased.records, erased.jtis) == (3, (JTI,))
    with ledger.reading() as connection:
        everything = [row for table in schema.metadata.sorted_tables for row in connection.execute(select(table)).all()]
        after = read_tile(connection, 0, 0)
        people = [one.record.personal for one in read_range(connection, ledger.words, 0, 5)]
    assert "zoe" not in repr(everything)
    assert "docker/28" not in repr(everything)
    assert people[:2] == [Personal(), Personal()]
    assert people[2] == Personal(account="yan", client_addr="10.0.0.7", raw_sha256=hashlib.sha256(b"yans").hexdigest())
    assert after.startswith(before)
    assert b"".join(leaves(ledger)) == after


def test_the_log_tells_of_it(ledger: Database) -> None:
    """Which records were erased, without the name; by whatever way they were found. Erasing nobody leaves none."""
    filled(ledger)
    assert erase_account(ledger, "nobody", now_ms=NOW + 5).told_by == ()
    told_by = erase_account(ledger, "zoe", now_ms=NOW + 5).told_by
    told = search(ledger, Criteria(kinds=("erasure",))).records[::-1]
    assert tuple(one.seq for one in told) == told_by
    assert [json.loads(one.record.detail) for one in told] == [{"numbers": "0-1", "records": 2}, {"numbers": "3", "records": 1}]


@given(st.sets(st.integers(0, 40)))
def test_numbers_come_back(seqs: set[int]) -> None:
    """Whatever was erased: as the record tells it, in order, and no other."""
    record = AuditRecord(kind=RecordKind.ERASURE, recorded_at=NOW, detail=json.dumps({"numbers": numbers_text(sorted(seqs))}))
    found = [seq for run in told_numbers(record) for seq in run] if seqs else []
    assert found == sorted(seqs)


MANY = 700
"""More than one chunk, and less than two."""


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("time", [1, 2, 3, 4])
def test_a_crash_at_any_commit(ledger: Database, *, time: int, after: bool) -> None:
    """What is erased is told of, the rest is as it was, and the log is proved; the same call again erases the rest."""
    fill(ledger, MANY)
    signed = sign(ledger)
    killed_at(
        "COMMIT", lambda: erase_account(Database(ledger.url, create=False), "zoë", now_ms=NOW + 5), time=time, after=after
    )
    commits = time if after else time - 1
    found = verify_whole(ledger, KEYS, kept=[Kept(signed, "a file")])
    assert (found.findings.kept, found.erased) == ([], min(commits * CHUNK, MANY))
    told = [json.loads(one.record.detail)["records"] for one in search(ledger, Criteria(kinds=("erasure",))).records]
    assert sum(told) == found.erased
    assert erase_account(ledger, "zoë", now_ms=NOW + 6).records == MANY - found.erased
    sign(ledger)
    whole = verify_whole(ledger, KEYS)
    assert (whole.findings.kept, whole.erased) == ([], MANY)
    with ledger.reading() as connection:
        assert "zoë" not in repr(connection.execute(select(schema.words)).all())


def test_erasing_twice_changes_nothing(ledger: Database) -> None:
    """As after a crash in the middle."""
    filled(ledger)
    erase_account(ledger, "zoe", now_ms=NOW + 5)
    assert erase_account(ledger, "zoe", now_ms=NOW + 6).records == 0


def test_a_repeated_event_does_not_bring_her_back(ledger: Database) -> None:
    """A registry may post again what was erased meanwhile."""
    filled(ledger)
    erase_account(ledger, "zoe", now_ms=NOW + 5)
    assert commit(ledger, [push("e1"), issuance_entry()], now_ms=NOW + 9).records == 0


def rows_of_records(database: Database) -> list[Row[Any]]:
    """The trail's rows, as somebody has them who was given the database."""
    with database.reading() as connection:
        return list(connection.execute(select(schema.records)).all())


def test_a_guess_cannot_be_tried(tmp_path: Path) -> None:
    """What came and could not be read has no id but its hash: once erased, what is left is the same whatever it was."""
    left = []
    for secret in (b"{zoe: 1}", b"{zoe: 2}"):
        with closing(Database(f"sqlite:///{tmp_path}/{secret.hex()}.db")) as database:
            commit(database, [quarantined(secret)], now_ms=NOW)
            (kept,) = rows_of_records(database)
            assert hashlib.sha256(secret).digest() == kept.event_sha
            erase_account(database, "zoe", now_ms=NOW + 5)
            with database.reading() as connection:
                entry = canonical(next(read_range(connection, database.words, 0, 1)).record, seq=0, committed={})
            left.append((rows_of_records(database)[0], entry))
    assert left[0] == left[1]


def test_what_could_not_be_read_comes_again(ledger: Database) -> None:
    """Once, as long as it is kept, however often it comes. Erased, nothing knows it any more: it would be a guess that is tried."""
    commit(ledger, [quarantined(b"{zoe"), quarantined(b"{zoe"), quarantined(b"{yan")], now_ms=NOW)
    assert commit(ledger, [quarantined(b"{zoe")], now_ms=NOW + 1).records == 0
    erase_account(ledger, "zoe", now_ms=NOW + 5)
    assert commit(ledger, [quarantined(b"{yan"), quarantined(b"{kim")], now_ms=NOW + 9).records == 1
    assert commit(ledger, [quarantined(b"{zoe")], now_ms=NOW + 10).records == 1
    sign(ledger)
    assert verify_whole(ledger, KEYS).findings.kept == []


def test_an_event_without_an_id_is_erased_alike(ledger: Database) -> None:
    """Its hash is its identity too, for as long as it is kept."""
    nameless = push("e1")
    nameless = replace(nameless, record=replace(nameless.record, event_id=""), deliveries=())
    assert [commit(ledger, [nameless], now_ms=NOW).records for _ in range(2)] == [1, 0]
    with ledger.reading() as connection:
        before = connection.execute(select(schema.records.c.event_key)).scalar_one()
    erase_account(ledger, "zoe", now_ms=NOW + 5)
    with ledger.reading() as connection:
        after = connection.execute(select(schema.records.c.event_key).where(schema.records.c.seq == 0)).scalar_one()
    assert (before, after) == (content_key("main", nameless.record.event_sha), row_key("main", ""))
    sign(ledger)
    assert verify_whole(ledger, KEYS).findings.kept == []


def test_the_account_may_come_back(ledger: Database) -> None:
    """A new event of the same name is a new record with a new word, also in a process that remembered the old one."""
    filled(ledger)
    erase_account(ledger, "zoe", now_ms=NOW + 5)
    commit(ledger, [push("later")], now_ms=NOW + 9)
    assert [one.record.event_id for one in search(ledger, Criteria(account="zoe")).records] == ["later"]


def test_another_process_forgets_the_words(ledger: Database) -> None:
    """Its dictionary is of another epoch: it never writes a number whose word is gone."""
    other = Database(ledger.url)
    filled(ledger)
    commit(other, [push("e5")], now_ms=NOW)
    erase_account(ledger, "zoe", now_ms=NOW + 5)
    commit(other, [push("e6")], now_ms=NOW + 6)
    found = search(other, Criteria()).records[0].record.personal.account
    other.close()
    assert found == "zoe"


def test_an_erased_token_is_no_mismatch(ledger: Database) -> None:
    """Its issuance is found and says that its account is gone, which is not the anonymous one."""
    filled(ledger)
    erase_account(ledger, "zoe", now_ms=NOW + 5)
    found = find_issuances(ledger, [JTI])[JTI]
    assert (found.erased, found.account, found.granted) == (True, "", ISSUANCE.granted)


def test_the_anonymous_can_be_erased(ledger: Database) -> None:
    """Their addresses are personal too."""
    nobody = push("anonymous")
    commit(
        ledger,
        [
            replace(
                nobody,
                record=replace(
                    nobody.record, personal=replace(nobody.record.personal, account="", actor="", client_addr="10.1.1.1")
                ),
            )
        ],
        now_ms=NOW,
    )
    assert erase_account(ledger, "", now_ms=NOW + 1).records == 1
    assert search(ledger, Criteria(client_addr="10.1.1.1")).records == ()


def test_the_disk_does_not_hold_her_either(tmp_path: Path) -> None:
    """Neither the database's file nor its write-ahead log has the name or the address in it."""
    database = Database(f"sqlite:///{tmp_path}/ledger.db")
    filled(database)
    erase_account(database, "zoe", now_ms=NOW + 5)
    content = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    database.close()
    assert b"zoe" not in content
    assert b"docker/28" not in content
    assert b"yan" in content


def test_whether_anybody_is_known(tmp_path: Path) -> None:
    """Before anything is asked or erased: by a record, by what could not be read, and not any more once it is done."""
    database = Database(f"sqlite:///{tmp_path}/ledger.db")
    assert not knows(database, "yan")
    commit(database, [yans(), quarantined(b'{"actor": "zed"')], now_ms=NOW)
    assert (knows(database, "yan"), knows(database, "zed"), knows(database, "nobody")) == (True, True, False)
    erase_account(database, "yan", now_ms=NOW)
    assert not knows(database, "yan")
    database.close()
