"""Packed values come back exactly; what no writer wrote is no value."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wharfinger.ledger.packing import (
    pack_commitments,
    pack_digest,
    pack_id,
    pack_jti,
    unpack_commitments,
    unpack_digest,
    unpack_id,
    unpack_jti,
)
from wharfinger.ledger.record import PERSONAL_FIELDS
from wharfinger.wire.jti import ALPHABET, LENGTH

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
IDS = st.one_of(
    TEXTS,
    st.uuids().map(str),
    st.uuids().map(lambda one: str(one).upper()),
    st.binary(min_size=32, max_size=32).map(lambda one: f"sha256:{one.hex()}"),
    st.binary(min_size=64, max_size=64).map(lambda one: f"sha512:{one.hex()}"),
)


@given(st.text(ALPHABET, min_size=LENGTH, max_size=LENGTH))
def test_token_ids(jti: str) -> None:
    """156 bits, most significant first, in twenty bytes."""
    packed = pack_jti(jti)
    assert packed is not None
    assert (unpack_jti(packed), len(packed)) == (jti, 20)
    number = 0
    for letter in jti:
        number = number << 6 | ALPHABET.index(letter)
    assert int.from_bytes(packed) == number


@given(IDS)
def test_ids_and_digests(text: str) -> None:
    """Whatever a registry calls its things."""
    assert unpack_id(pack_id(text)) == text
    assert unpack_digest(pack_digest(text)) == text


def test_a_uuid_takes_its_bytes() -> None:
    """Most ids are UUIDs; that is why they are packed."""
    assert pack_id("4f47b96d-80dc-4f23-986b-8ad3891308dc") == b"\x03" + bytes.fromhex("4f47b96d80dc4f23986b8ad3891308dc")


COMMITTED = st.dictionaries(
    st.sampled_from(PERSONAL_FIELDS), st.binary(max_size=3).map(lambda one: hashlib.sha256(one).hexdigest())
)


@given(COMMITTED)
def test_commitments(committed: dict[str, str]) -> None:
    """Which fields are there, and their hashes: two bytes and thirty-two for each."""
    packed = pack_commitments(committed, PERSONAL_FIELDS)
    assert len(packed) == 2 + 32 * len(committed)
    assert unpack_commitments(packed, PERSONAL_FIELDS) == committed


def test_the_form_of_commitments() -> None:
    """Bit n stands for field n, in their order: the form is kept for ever."""
    packed = pack_commitments({"account": "aa" * 32, "raw_sha256": "bb" * 32}, PERSONAL_FIELDS)
    assert packed == bytes([0, 0b100001]) + b"\xaa" * 32 + b"\xbb" * 32


@pytest.mark.parametrize(
    "packed", [b"\x00\x01", b"\x00\x01" + bytes(31), b"\x00\x01" + bytes(33), b"\x00\x40" + bytes(32), b"\x01"]
)
def test_damaged_commitments(packed: bytes) -> None:
    """Too short, too long, of a field that nobody knows."""
    with pytest.raises(ValueError, match="damaged"):
        unpack_commitments(packed, PERSONAL_FIELDS)
