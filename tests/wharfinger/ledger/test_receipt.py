"""Receipts stand alone: what they prove, what they do not, and that nothing malformed gets through."""

import base64
import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.wharfinger.ledger import vectors
from wharfinger.ledger.checkpoint import Checkpoint, sign
from wharfinger.ledger.merkle import Frontier, leaf_hash, node_hash
from wharfinger.ledger.note import MalformedNote, Note, VerifierKey
from wharfinger.ledger.receipt import (
    NotProved,
    Proved,
    Receipt,
    check_disclosed,
    check_receipt,
    disclose,
    parse_receipt,
)
from wharfinger.ledger.record import AuditRecord, Personal, RecordKind, canonical, commitments

SECRET = bytes(16)
RECORD = AuditRecord(
    kind=RecordKind.EVENT, recorded_at=5, repository="shop/cart", personal=Personal(account="zoë", client_addr="10.0.0.7")
)
ENTRIES = [canonical(replace(RECORD, tag=str(seq)), seq=seq, committed=commitments(RECORD, SECRET)) for seq in range(3)]
LEAVES = [leaf_hash(entry) for entry in ENTRIES]
SIGNED = sign(Checkpoint(vectors.ORIGIN, 3, Frontier().append(LEAVES).root()), vectors.LOG)
RECEIPT = Receipt(ENTRIES[1], 1, (LEAVES[0], LEAVES[2]), SIGNED)
LOG, WITNESS = vectors.LOG.verifier, vectors.WITNESS.verifier


def cosigned(receipt: Receipt) -> Receipt:
    """The receipt with a witness's cosignature under its checkpoint."""
    note = receipt.signed.note
    more = Note(note.text, (*note.signatures, vectors.WITNESS.cosign(note.text, time_s=vectors.WITNESS_TIME)))
    return replace(receipt, signed=replace(receipt.signed, note=more))


def test_the_file_is_c2sps() -> None:
    """tlog-proof, line by line."""
    encoded = [base64.b64encode(one).decode() for one in (ENTRIES[1], LEAVES[0], LEAVES[2])]
    assert RECEIPT.to_bytes().decode() == (
        f"c2sp.org/tlog-proof@v1\nextra {encoded[0]}\nindex 1\n{encoded[1]}\n{encoded[2]}\n\n{SIGNED.note.to_bytes().decode()}"
    )


def test_a_receipt_proves_its_record() -> None:
    """With the log's key alone: the public fields, and the tree's size."""
    found = check_receipt(parse_receipt(RECEIPT.to_bytes()), [LOG])
    assert isinstance(found, Proved)
    assert (found.record["repository"], found.record["seq"], found.size, dict(found.cosigned)) == ("shop/cart", 1, 3, {})


def test_witnesses_that_are_asked_for_must_have_signed() -> None:
    """Each key that is given must have signed, and the time comes with it."""
    assert check_receipt(RECEIPT, [LOG, WITNESS]) == NotProved(
        "witness.example/w1 (key 20324abe) has not signed the checkpoint"
    )
    found = check_receipt(cosigned(RECEIPT), [LOG, WITNESS])
    assert isinstance(found, Proved)
    assert dict(found.cosigned) == {"witness.example/w1": vectors.WITNESS_TIME}


OTHER = sign(Checkpoint(vectors.ORIGIN, 3, node_hash(LEAVES[0], LEAVES[1])), vectors.LOG)
FORGED = replace(SIGNED, note=Note(SIGNED.note.text, OTHER.note.signatures))
FOREIGN = sign(Checkpoint("other.example/log", 3, SIGNED.checkpoint.root), vectors.LOG)


@pytest.mark.parametrize(
    ("receipt", "keys", "why"),
    [
        (replace(RECEIPT, entry=ENTRIES[2]), [LOG], "entry, index or proof was changed"),
        (replace(RECEIPT, index=0), [LOG], "entry, index or proof was changed"),
        (replace(RECEIPT, index=7), [LOG], "entry, index or proof was changed"),
        (replace(RECEIPT, proof=RECEIPT.proof[:1]), [LOG], "entry, index or proof was changed"),
        (replace(RECEIPT, proof=(*RECEIPT.proof, LEAVES[2])), [LOG], "entry, index or proof was changed"),
        (replace(RECEIPT, signed=OTHER), [LOG], "entry, index or proof was changed"),
        (replace(RECEIPT, signed=FORGED), [LOG], "signature of registry.example/audit is wrong"),
        (replace(RECEIPT, signed=FOREIGN), [LOG], "no key of the log other.example/log"),
        (cosigned(RECEIPT), [WITNESS], "no key of the log"),
        (RECEIPT, [], "no key of the log"),
    ],
)
def test_what_proves_nothing(receipt: Receipt, keys: list[VerifierKey], why: str) -> None:
    """Another entry, index, proof, root or signature; a witness without the log."""
    found = check_receipt(receipt, keys)
    assert isinstance(found, NotProved)
    assert why in found.why


@pytest.mark.parametrize("entry", [b"not JSON", b"[1]", b'{"seq":1}', b'{"v":1}', b"[" * 100_000])
def test_an_entry_that_is_no_record(entry: bytes) -> None:
    """A leaf that somebody else's log has, or that says another number, is no record of ours."""
    signed = sign(Checkpoint(vectors.ORIGIN, 1, leaf_hash(entry)), vectors.LOG)
    found = check_receipt(Receipt(entry, 0, (), signed), [LOG])
    assert isinstance(found, NotProved)
    assert "is no record of ours" in found.why


GOOD = RECEIPT.to_bytes().decode()


@pytest.mark.parametrize(
    "text",
    [
        "",
        GOOD.replace("@v1", "@v2"),
        GOOD.replace("extra ", "extras "),
        GOOD.replace("index 1\n", ""),
        GOOD.replace("index 1\n", "index 01\n"),
        GOOD.replace("index 1\n", "index \n"),
        GOOD.replace("index 1\n", "index 1 \n"),
        "".join(line for line in GOOD.splitlines(keepends=True) if not line.startswith("extra")),
        GOOD.replace("\n\nregistry", "\nregistry"),
        GOOD.replace("\nregistry", "\n\nregistry"),
        GOOD.replace("index 1\n", f"index 1\n{base64.b64encode(LEAVES[0]).decode()}\n" + "AAAA\n"),
        GOOD.replace("index 1\n", "index 1\n" + f"{base64.b64encode(LEAVES[0]).decode()}\n" * 62),
        GOOD.replace("index", "indéx"),
        GOOD + "x" * (8 << 20),
    ],
)
def test_what_is_no_receipt_is_refused(text: str) -> None:
    """Each of these differs from a receipt by a little."""
    with pytest.raises(MalformedNote):
        parse_receipt(text.encode())


@given(st.one_of(st.binary(max_size=300), st.binary(max_size=100).map(lambda rest: RECEIPT.to_bytes()[:-50] + rest)))
def test_anything_is_a_receipt_or_malformed(data: bytes) -> None:
    """No other error, and what is read is written back byte for byte."""
    try:
        receipt = parse_receipt(data)
    except MalformedNote:
        return
    assert receipt.to_bytes() == data


@given(st.integers(min_value=0, max_value=len(RECEIPT.to_bytes()) - 1), st.integers(min_value=1, max_value=255))
def test_no_changed_byte_is_overlooked(at: int, change: int) -> None:
    """Whatever byte of a receipt is another, it proves nothing."""
    data = bytearray(RECEIPT.to_bytes())
    data[at] ^= change
    try:
        receipt = parse_receipt(bytes(data))
    except MalformedNote:
        return
    assert isinstance(check_receipt(receipt, [LOG]), NotProved)


PROVED = json.loads(ENTRIES[1])


def test_disclosed_values_are_held_to_the_record() -> None:
    """What was committed to can be checked by whoever gets value and salt; fields that are not told stay unknown."""
    both = disclose(RECORD, SECRET, seq=1, names=["account", "client_addr", "user_agent"])
    assert check_disclosed(both, PROVED) == {"account": "zoë", "client_addr": "10.0.0.7"}
    one = disclose(RECORD, SECRET, seq=1, names=["client_addr"])
    assert check_disclosed(one, PROVED) == {"client_addr": "10.0.0.7"}
    assert "zoë" not in one.decode()


def told(seq: int = 1, **personal: object) -> bytes:
    """A file of disclosed values as somebody could write it."""
    return json.dumps({"seq": seq, "personal": personal}).encode()


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (told(account={"value": "zoé", "salt": "00" * 16}), "the disclosed account is not what the record commits to"),
        (disclose(RECORD, bytes(15) + b"x", seq=1, names=["account"]), "the disclosed account is not what"),
        (disclose(RECORD, SECRET, seq=2, names=["account"]), "are of record 2"),
        (told(repository={"value": "x", "salt": "00" * 16}), "does not commit to repository"),
        (told(account={"value": "zoë", "salt": "00"}), "does not commit to account"),
        (told(actor={"value": "x", "salt": "00" * 16}), "the disclosed actor is not what"),
    ],
)
def test_disclosed_values_that_do_not_fit(data: bytes, why: str) -> None:
    """A value, a salt, a number or a field that is another."""
    found = check_disclosed(data, PROVED)
    assert isinstance(found, NotProved)
    assert why in found.why


def test_a_record_without_commitments_discloses_nothing() -> None:
    """Whatever stands under ``personal`` of a proved entry."""
    data = told(account={"value": "zoë", "salt": "00" * 16})
    assert isinstance(check_disclosed(data, {"seq": 1}), NotProved)
    assert isinstance(check_disclosed(data, {"seq": 1, "personal": "x"}), NotProved)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"{}",
        told(account="x"),
        told(account={"value": "x"}),
        told(account={"value": "x", "salt": "zz"}),
        b'{"seq":1,"personal":{"account":{"value":"\\ud800","salt":""}}}',
        b'{"seq":1,"personal":[]}',
    ],
)
def test_what_is_no_file_of_disclosed_values(data: bytes) -> None:
    """Anything else is malformed, and nothing else is raised."""
    with pytest.raises(MalformedNote):
        check_disclosed(data, PROVED)
