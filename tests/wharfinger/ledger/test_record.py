"""The canonical record and its commitments: the format that every proof rests on."""

import hashlib
import json
from dataclasses import replace
from itertools import permutations
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wharfinger.ledger.merkle import leaf_hash
from wharfinger.ledger.record import (
    PERSONAL_FIELDS,
    SECRET_BYTES,
    AuditRecord,
    Personal,
    RecordKind,
    canonical,
    canonical_json,
    commitment,
    commitments,
    event_key,
    salt,
)

GOLDEN = Path(__file__).parents[2] / "samples/ledger/record-1.json"
GOLDEN_QUARANTINE = GOLDEN.with_name("quarantine-1.json")

RECORD = AuditRecord(
    kind=RecordKind.EVENT,
    recorded_at=1_795_477_894_900,
    occurred_at=1_795_477_894_873,
    source="main",
    event_id="4f47b96d-80dc-4f23-986b-8ad3891308dc",
    event_sha="ab" * 32,
    action="push",
    object_kind="manifest",
    repository="shop/cart",
    tag="1.2",
    digest="sha256:" + "cd" * 32,
    size=135,
    verdict="exact",
    jti="0pDLmR9V8xGZ4-0_aTkqQwErTy",
    personal=Personal(account="zoë", client_addr="10.0.0.7", raw_sha256="ab" * 32),
)
SECRET = bytes(range(32))


def test_golden() -> None:
    """The entry of a record is the same bytes in every version to come."""
    entry = canonical(RECORD, seq=7, committed=commitments(RECORD, SECRET))
    assert entry == GOLDEN.read_bytes().rstrip(b"\n")
    assert leaf_hash(entry) == hashlib.sha256(b"\x00" + entry).digest()


QUARANTINED = AuditRecord(
    kind=RecordKind.QUARANTINE,
    recorded_at=1_795_477_894_900,
    occurred_at=1_795_477_894_873,
    source="main",
    event_sha="ab" * 32,
    size=135,
    reason="not JSON",
    personal=Personal(client_addr="10.0.0.7", raw_sha256="ab" * 32),
)


def test_golden_quarantine() -> None:
    """What could not be read has no id in the log: its hash would be one that whoever guesses the content could try."""
    entry = canonical(QUARANTINED, seq=8, committed=commitments(QUARANTINED, SECRET))
    assert entry == GOLDEN_QUARANTINE.read_bytes().rstrip(b"\n")
    assert b"event_id" not in entry
    assert b"ab" * 32 not in entry


def test_no_personal_value_stands_in_the_entry() -> None:
    """Erasing values and salts leaves nothing of a person in the log."""
    entry = canonical(RECORD, seq=7, committed=commitments(RECORD, SECRET)).decode()
    assert all(value not in entry for value in ("zoë", "10.0.0.7", "ab" * 32))


def test_no_personal_name_begins_another() -> None:
    """Name and value are joined without a mark, so no name may be another's beginning."""
    assert not [pair for pair in permutations(PERSONAL_FIELDS, 2) if pair[1].startswith(pair[0])]


def test_a_commitment_is_salted_name_and_value() -> None:
    """SHA-256(salt ‖ name ‖ value), with 128 bits of salt that differ by field."""
    salted = salt(SECRET, "account")
    assert len(salted) == 16
    assert salted != salt(SECRET, "actor")
    assert commitment(salted, "account", "zoë") == hashlib.sha256(salted + b"account" + "zoë".encode()).hexdigest()


@given(
    st.builds(Personal, **{name: st.text(st.characters(exclude_categories=["Cs"]), max_size=20) for name in PERSONAL_FIELDS}),
    st.binary(min_size=SECRET_BYTES, max_size=SECRET_BYTES),
)
def test_commitments_are_those_of_each_field(personal: Personal, secret: bytes) -> None:
    """However they are computed: HMAC's salt of the name, then SHA-256, for each field that says something."""
    values = {name: getattr(personal, name) for name in PERSONAL_FIELDS}
    expected = {name: commitment(salt(secret, name), name, value) for name, value in values.items() if value}
    assert commitments(replace(RECORD, personal=personal), secret) == expected


def test_only_personal_fields_are_committed_to() -> None:
    """A misspelt name is a fault of the program."""
    with pytest.raises(ValueError, match="repository"):
        commitment(bytes(16), "repository", "x")


def test_empty_fields_are_left_out() -> None:
    """A field added later, and empty, changes no old record's entry."""
    entry = canonical(AuditRecord(kind=RecordKind.REFUSAL, recorded_at=1), seq=0, committed={})
    assert entry == b'{"kind":"refusal","recorded_at":1,"seq":0,"v":1}'


def test_an_event_is_known_within_its_source() -> None:
    """Two registries may use the same ids, and no join of the two parts is another's."""
    keys = {event_key("a", "b"), event_key("b", "a"), event_key("ab", ""), event_key("", "ab")}
    assert len(keys) == 4
    assert {len(key) for key in keys} == {16}


def test_canonical_json_refuses_what_json_has_not() -> None:
    """No NaN gets into a leaf."""
    with pytest.raises(ValueError, match="JSON"):
        canonical_json(float("nan"))


@given(st.text(), st.text(), st.integers(min_value=1, max_value=2**53))
def test_the_fast_encoder_writes_the_same(repository: str, tag: str, size: int) -> None:
    """A leaf's bytes are those of the one definition, whatever a registry says."""
    text = [one.encode("utf-8", "replace").decode() for one in (repository, tag)]
    record = replace(RECORD, repository=text[0], tag=text[1], size=size)
    entry = canonical(record, seq=1, committed={})
    assert entry == canonical_json(json.loads(entry))
