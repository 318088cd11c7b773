"""Signed notes and their keys against the published vectors; nothing malformed gets through, and nothing raises otherwise."""

import base64
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from tests.wharfinger.ledger import vectors
from wharfinger.ledger.note import (
    MAX_NOTE,
    MAX_SIGNATURES,
    KeyType,
    MalformedNote,
    Note,
    Signature,
    Verdict,
    VerifierKey,
    cosigned_at,
    parse_note,
    parse_signatures,
    parse_vkey,
    signer,
    verify,
)

SIGNED = "— a AAAAAAE=\n"


def test_the_logs_vector() -> None:
    """Key id, verifier key and signature of a published seed come out as other implementations have them."""
    assert str(vectors.LOG.verifier) == vectors.LOG_VKEY
    made = Note(vectors.CHECKPOINT.to_text(), (vectors.LOG.sign(vectors.CHECKPOINT.to_text()),))
    assert made.to_bytes().decode() == vectors.NOTE
    assert verify(parse_note(vectors.NOTE.encode()), parse_vkey(vectors.LOG_VKEY)) is Verdict.VALID


def test_the_witness_vector() -> None:
    """A cosignature at a known time; its time is read back."""
    signature = vectors.WITNESS.cosign(vectors.CHECKPOINT.to_text(), time_s=vectors.WITNESS_TIME)
    assert signature.line() == vectors.COSIGNATURE
    note = parse_note((vectors.NOTE + vectors.COSIGNATURE).encode())
    assert verify(note, vectors.WITNESS.verifier) is Verdict.VALID
    assert cosigned_at(note, vectors.WITNESS.verifier) == vectors.WITNESS_TIME


def test_the_specifications_own_example() -> None:
    """C2SP's note verifies with C2SP's key."""
    assert verify(parse_note(vectors.C2SP_NOTE.encode()), parse_vkey(vectors.C2SP_VKEY)) is Verdict.VALID


def test_a_signature_is_plain_ed25519() -> None:
    """What we sign is the text with its last newline, and nothing of ours is needed to verify it."""
    blob = vectors.LOG.sign("a\nb\n").blob
    Ed25519PublicKey.from_public_bytes(base64.b64decode(vectors.LOG_VKEY.split("+", 2)[2])[1:]).verify(blob, b"a\nb\n")


@pytest.mark.parametrize(
    ("note", "expected"),
    [
        (vectors.NOTE.replace("\n3\n", "\n4\n"), Verdict.WRONG),
        (vectors.NOTE.replace("puK5ZiLs", "puK5ZiLt"), Verdict.WRONG),
        (vectors.NOTE + vectors.NOTE.rpartition("\n\n")[2].replace("puK5ZiLs", "puK5ZiLt"), Verdict.WRONG),
        (vectors.NOTE.replace("— registry.example/audit", "— other.example/audit"), Verdict.ABSENT),
        (vectors.NOTE.replace("puK5Z", "puK5a"), Verdict.ABSENT),
        (vectors.NOTE + SIGNED, Verdict.VALID),
    ],
    ids=["text", "signature", "second signature", "other name", "other id", "stranger beside"],
)
def test_what_a_note_says_of_a_key(note: str, expected: Verdict) -> None:
    """Signatures of strangers count for nothing; one wrong one of ours spoils the note."""
    assert verify(parse_note(note.encode()), vectors.LOG.verifier) is expected


@pytest.mark.parametrize(
    "blob", [b"", bytes(64), bytes(71), bytes(73), b"\xff" * 8 + bytes(64)], ids=["empty", "no time", "short", "long", "late"]
)
def test_a_cosignature_of_another_form_is_wrong(blob: bytes) -> None:
    """Time and signature have their lengths, and a time its bound."""
    signature = Signature(vectors.WITNESS.verifier.name, vectors.WITNESS.verifier.key_id, blob)
    note = Note(vectors.CHECKPOINT.to_text(), (signature,))
    assert verify(note, vectors.WITNESS.verifier) is Verdict.WRONG
    assert cosigned_at(note, vectors.WITNESS.verifier) is None


def test_only_a_witness_says_when() -> None:
    """A log's signature has no time."""
    assert cosigned_at(parse_note(vectors.NOTE.encode()), vectors.LOG.verifier) is None


def test_one_key_for_two_purposes_has_two_ids() -> None:
    """A log's signature is never taken for a cosignature, or the other way round."""
    as_witness = replace(vectors.LOG.verifier, type=KeyType.COSIGNATURE)
    assert as_witness.key_id != vectors.LOG.verifier.key_id
    assert verify(parse_note(vectors.NOTE.encode()), as_witness) is Verdict.ABSENT


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n",
        b"text\n",
        b"text\n\n",
        b"text\n" + SIGNED.encode(),
        b"text\n\n" + SIGNED.encode()[:-1],
        b"text\n\n" + SIGNED.encode() + b"\n",
        b"text\r\n\n" + SIGNED.encode(),
        b"te\x00xt\n\n" + SIGNED.encode(),
        b"te\xffxt\n\n" + SIGNED.encode(),
        b"text\n\n- a AAAAAAE=\n",
        "text\n\n—  AAAAAAE=\n".encode(),
        "text\n\n— a\n".encode(),
        "text\n\n— a+b AAAAAAE=\n".encode(),
        "text\n\n— a\u00a0b AAAAAAE=\n".encode(),
        "text\n\n— a AAAAAAE\n".encode(),
        "text\n\n— a AAAAAAF=\n".encode(),
        "text\n\n— a  AAAAAAE=\n".encode(),
        "text\n\n— a AAAAAA==\n".encode(),
        "text\n\n— a AAAAAAE= \n".encode(),
        b"text\n\n" + SIGNED.encode() * (MAX_SIGNATURES + 1),
        b"x" * MAX_NOTE + b"\n\n" + SIGNED.encode(),
    ],
)
def test_what_is_no_note_is_refused(data: bytes) -> None:
    """Each of these differs from a note by a little."""
    with pytest.raises(MalformedNote):
        parse_note(data)


def test_a_text_may_have_empty_lines() -> None:
    """The last empty line separates; sixteen signatures and more are read."""
    data = b"a\n\nb\n\n" + SIGNED.encode() * MAX_SIGNATURES
    note = parse_note(data)
    assert (note.text, len(note.signatures)) == ("a\n\nb\n", MAX_SIGNATURES)
    assert note.to_bytes() == data


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a",
        "a+530d903a",
        vectors.C2SP_VKEY.replace("530d903a", "530D903A"),
        vectors.C2SP_VKEY.replace("530d903a", "530d903b"),
        vectors.C2SP_VKEY.replace("example.com/foo", "example.com/fou"),
        vectors.C2SP_VKEY.replace("example.com/foo", "example.com /foo"),
        vectors.C2SP_VKEY.replace("example.com/foo", ""),
        vectors.C2SP_VKEY.replace("example.com/foo", "example.com/\ud800"),
        vectors.C2SP_VKEY + "=",
        vectors.C2SP_VKEY[:-4],
        "a+00000000+AgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "a+00000000+",
    ],
)
def test_what_is_no_verifier_key_is_refused(text: str) -> None:
    """Another id, name, type or length is another key, or none."""
    with pytest.raises(MalformedNote):
        parse_vkey(text)


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\nb", "a\x01b", "a\u2003b"])
def test_no_key_gets_a_name_that_no_note_may_have(name: str) -> None:
    """A signer that could not be read back is not made."""
    with pytest.raises(MalformedNote):
        signer(name, Ed25519PrivateKey.generate())


def test_a_signer_prints_no_private_key() -> None:
    """Only the public half."""
    assert repr(vectors.LOG) == f"Signer({vectors.LOG_VKEY})"


NAMES = st.text(min_size=1, max_size=20).filter(
    lambda text: "+" not in text and not any(c.isspace() or ord(c) < 0x20 or 0xD800 <= ord(c) < 0xE000 for c in text)
)
LINES = st.text(st.characters(min_codepoint=0x20, exclude_categories=["Cs"]), max_size=30)
NOTES = st.builds(
    lambda lines, signatures: Note("".join(f"{line}\n" for line in lines), tuple(signatures)),
    st.lists(LINES, min_size=1, max_size=5),
    st.lists(
        st.builds(Signature, NAMES, st.binary(min_size=4, max_size=4), st.binary(min_size=1, max_size=80)),
        min_size=1,
        max_size=4,
    ),
)


@given(NOTES)
def test_notes_come_back_as_they_were_written(note: Note) -> None:
    """Writing and reading are each other's inverse."""
    assert parse_note(note.to_bytes()) == note


@given(st.builds(VerifierKey, NAMES, st.sampled_from(KeyType), st.binary(min_size=32, max_size=32)))
def test_verifier_keys_come_back_as_they_were_written(key: VerifierKey) -> None:
    """Also those whose base64 has a plus in it."""
    assert parse_vkey(str(key)) == key


@given(st.one_of(st.binary(max_size=300), st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass"))))
def test_anything_is_a_note_or_malformed(data: bytes) -> None:
    """No other error, and what is read is written back byte for byte."""
    try:
        note = parse_note(data)
    except MalformedNote:
        return
    assert note.to_bytes() == data


@given(st.integers(min_value=0, max_value=len(vectors.NOTE.encode()) - 1), st.integers(min_value=1, max_value=255))
def test_no_changed_byte_is_overlooked(at: int, change: int) -> None:
    """Whatever byte of a signed note is another, its key has not signed it."""
    data = bytearray(vectors.NOTE.encode())
    data[at] ^= change
    try:
        note = parse_note(bytes(data))
    except MalformedNote:
        return
    assert verify(note, vectors.LOG.verifier) is not Verdict.VALID


@given(st.text(max_size=120))
def test_any_text_is_signature_lines_or_malformed(text: str) -> None:
    """What a witness answers is read in the same way."""
    try:
        signatures = parse_signatures(text)
    except MalformedNote:
        return
    assert "".join(one.line() for one in signatures) == text


@given(st.text(max_size=120))
def test_any_text_is_a_verifier_key_or_malformed(text: str) -> None:
    """Nobody's typing raises anything else."""
    try:
        key = parse_vkey(text)
    except MalformedNote:
        return
    assert str(key) == text


@given(st.binary(max_size=90), st.sampled_from(KeyType), st.binary(min_size=32, max_size=32))
def test_any_blob_is_verified_or_not(blob: bytes, kind: KeyType, public: bytes) -> None:
    """A signature of any length, under any 32 bytes of a key, is an answer and no error."""
    key = VerifierKey("a", kind, public)
    # Not always WRONG: there are keys of small order, under which anybody can sign. Nobody trusts one.
    assert verify(Note("text\n", (Signature("a", key.key_id, blob),)), key) is not Verdict.ABSENT
