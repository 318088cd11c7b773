"""What a reference means, and receipts made from the ledger: verified by others, or not made at all."""

import hashlib
import json

import pytest
from sqlalchemy import delete

from tests import outside
from tests.wharfinger.ledger import logs, vectors
from tests.wharfinger.ledger.logs import DELIVERY, JTI, KEYS, NOW, PUSHED, WITNESSED, erase, fill, rewrite, sign, swapped
from wharfinger.ledger import schema
from wharfinger.ledger.checkpoint import Checkpoint
from wharfinger.ledger.checkpoint import sign as sign_checkpoint
from wharfinger.ledger.checkpoints import add_cosignature
from wharfinger.ledger.database import Database
from wharfinger.ledger.log_keys import LogKeys
from wharfinger.ledger.proving import MAX_NAMED, Uncovered, Unprovable, make_receipt, named_records
from wharfinger.ledger.receipt import Receipt
from wharfinger.ledger.record import AuditRecord, Personal, RecordKind
from wharfinger.ledger.settlement import commit
from wharfinger.ledger.values import Entry

R = schema.records.c


def numbers(database: Database, ref: str, seq: int | None = None) -> list[int]:
    """The records that a reference names."""
    return [one.seq for one in named_records(database, ref, seq=seq)]


@pytest.mark.parametrize(
    ("ref", "first"),
    [
        ("7", 7),
        ("e7", 7),
        (JTI, 0),
        (DELIVERY, 4),
        (PUSHED, 2),
        (f"registry:5000/shop/cart@{PUSHED}", 2),
        ("shop/cart:v1", 3),
    ],
)
def test_what_a_reference_means(ledger: Database, ref: str, first: int) -> None:
    """A number itself, an event itself, a token's issuance, a delivery's outcome, the newest push of a digest or tag."""
    fill(ledger, 10)
    assert numbers(ledger, ref)[0] == first


def test_what_has_no_id_is_named_by_its_hash(ledger: Database) -> None:
    """By whoever has what came, as long as it is not erased."""
    fill(ledger, 10)
    sha = hashlib.sha256(b"{").hexdigest()
    record = AuditRecord(
        kind=RecordKind.QUARANTINE, recorded_at=NOW, source="main", event_sha=sha, personal=Personal(raw_sha256=sha)
    )
    commit(ledger, [Entry(record)], now_ms=NOW)
    assert numbers(ledger, sha) == [10]
    erase(ledger, 10)
    assert numbers(ledger, sha) == []


def test_the_others_that_a_reference_names(ledger: Database) -> None:
    """Changes before reads, the newest first; one of them can be chosen, and no other."""
    fill(ledger, 10)
    assert numbers(ledger, "shop/cart:v1") == [3, 2, 4]
    assert numbers(ledger, "shop/cart:v1", seq=2) == [2]
    assert numbers(ledger, "shop/cart:v1", seq=7) == []
    fill_more(ledger, 50)
    assert len(numbers(ledger, JTI)) == MAX_NAMED
    assert numbers(ledger, JTI, seq=5) == [5]


def fill_more(database: Database, size: int) -> None:
    """More pulls with the token."""
    start = logs.size_of(database)
    commit(database, [logs.event(number) for number in range(start, size)], now_ms=NOW)


@pytest.mark.parametrize(
    "ref", ["10", "9" * 19, "9" * 5_000, "²", "", "nobody", "shop/cart:v9", "-" * 26, "sha256:" + "00" * 32]
)
def test_what_names_nothing(ledger: Database, ref: str) -> None:
    """Nothing is found, and nothing is raised, whatever was typed."""
    fill(ledger, 10)
    assert numbers(ledger, ref) == []


@pytest.mark.parametrize("size", [6, 256, 300, 600])
def test_receipts_are_verified_by_others(ledger: Database, size: int) -> None:
    """By pymerkle and a plain Ed25519 call, with nothing of ours: the record, its number, and the witness's time."""
    fill(ledger, size)
    signed = sign(ledger)
    add_cosignature(ledger, size, vectors.WITNESS.cosign(signed.note.text, time_s=vectors.WITNESS_TIME))
    for seq in sorted({0, 4, size // 2, size - 1}):
        receipt = make_receipt(ledger, WITNESSED, seq)
        assert isinstance(receipt, Receipt)
        record, opened = outside.open_receipt(receipt.to_bytes().decode(), vectors.LOG_VKEY)
        assert (record["seq"], opened.size) == (seq, size)
        assert outside.open_cosignature(opened, str(vectors.WITNESS.verifier)) == vectors.WITNESS_TIME


def test_our_log_is_a_tree_by_others(ledger: Database) -> None:
    """Every signed root is that of the entries, and the checkpoints are consistent: pymerkle builds and proves it all anew."""
    notes = []
    for size in (6, 255, 256, 300):
        fill_to(ledger, size)
        notes.append(sign(ledger).note.to_bytes().decode())
    receipts = [make_receipt(ledger, KEYS, seq) for seq in range(300)]
    tree = outside.tree_of([one.entry for one in receipts if isinstance(one, Receipt)])
    opened = [outside.open_checkpoint(note, vectors.LOG_VKEY) for note in notes]
    assert [tree.get_root(one.size) for one in opened] == [one.root for one in opened]
    for old in opened:
        for new in opened:
            if old.size <= new.size:
                proof = tree.prove_consistency(old.size, new.size)
                proof.verify(old.root, new.root, prior_size=old.size, later_size=new.size, algorithm="sha256")


def fill_to(database: Database, size: int) -> None:
    """A log of this size."""
    if logs.size_of(database) == 0:
        fill(database, size)
    else:
        fill_more(database, size)


def test_an_erased_record_keeps_its_receipt(ledger: Database) -> None:
    """The same receipt before and after: byte for byte."""
    fill(ledger, 10)
    sign(ledger)
    before = make_receipt(ledger, KEYS, 6)
    erase(ledger, 6)
    assert isinstance(before, Receipt)
    assert make_receipt(ledger, KEYS, 6) == before
    assert "zoë" not in json.dumps(json.loads(before.entry), ensure_ascii=False)


def test_the_best_cosigned_checkpoint_is_taken(ledger: Database) -> None:
    """An older one with a known witness's word before a newer one without; a stranger's word counts for nothing."""
    fill(ledger, 10)
    first = sign(ledger)
    add_cosignature(ledger, 10, vectors.WITNESS.cosign(first.note.text, time_s=1))
    fill_more(ledger, 12)
    sign(ledger)
    sizes = [
        one.signed.checkpoint.size if isinstance(one := make_receipt(ledger, keys, seq), Receipt) else one
        for keys, seq in ((WITNESSED, 6), (WITNESSED, 11), (KEYS, 6))
    ]
    assert sizes == [10, 12, 12]


def test_what_no_checkpoint_has_yet(ledger: Database) -> None:
    """Newer than the newest; or the only one is not signed by the log."""
    fill(ledger, 10)
    assert make_receipt(ledger, KEYS, 6) == Uncovered()
    sign(ledger)
    fill_more(ledger, 11)
    assert make_receipt(ledger, KEYS, 10) == Uncovered()
    assert make_receipt(ledger, LogKeys(None, (vectors.WITNESS.verifier,), {}), 6) == Uncovered()
    rewrite(ledger, schema.checkpoints.c.note, lambda _note: "x")
    assert make_receipt(ledger, KEYS, 6) == Uncovered()


def test_no_receipt_of_what_was_changed(ledger: Database) -> None:
    """A row, its stored event, its hash, those above it, or the signed root: the reason instead of a false receipt."""
    fill(ledger, 600)
    sign(ledger)

    def why(seq: int) -> str:
        found = make_receipt(ledger, KEYS, seq)
        assert isinstance(found, Unprovable)
        return found.why

    rewrite(ledger, R.size, lambda size: size + 1, seq=6)
    assert "does not give its leaf" in why(6)
    rewrite(ledger, R.kind, lambda _code: 999, seq=7)
    assert "cannot be read" in why(7)
    rewrite(ledger, R.event_key, lambda _key: b"x" * 8, seq=8)
    assert "questions may miss it" in why(8)
    rewrite(ledger, schema.raw_events.c.body, lambda _body: b"x", seq=9)
    assert "stored event" in why(9)
    with ledger.writing() as connection:
        connection.execute(delete(schema.raw_events).where(schema.raw_events.c.seq == 10))
        connection.execute(delete(schema.records).where(R.seq == 10))
    assert "its row is gone" in why(10)
    rewrite(ledger, schema.tiles.c.hashes, swapped, level=1, number=0)
    assert "do not lead" in why(300)
    rewrite(ledger, schema.tiles.c.hashes, lambda hashes: hashes[:32], level=1, number=0)
    assert "lacks hashes" in why(590)


def test_no_receipt_under_a_root_of_another_log(ledger: Database) -> None:
    """Signed with the log's own key, but never of this log."""
    fill(ledger, 10)
    sign(ledger)
    other = sign_checkpoint(Checkpoint(vectors.ORIGIN, 10, b"x" * 32), vectors.LOG).note.to_bytes().decode()
    rewrite(ledger, schema.checkpoints.c.note, lambda _note: other)
    found = make_receipt(ledger, KEYS, 6)
    assert isinstance(found, Unprovable)
    assert "do not lead" in found.why
