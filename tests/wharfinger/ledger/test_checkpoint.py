"""Checkpoints as C2SP writes them, files of several, and what a witness is asked."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.wharfinger.ledger import vectors
from wharfinger.ledger.checkpoint import (
    MAX_SIZE,
    Checkpoint,
    add_checkpoint_request,
    parse_checkpoint,
    parse_kept,
    parse_number,
    parse_signed,
    sign,
)
from wharfinger.ledger.note import MalformedNote

TEXT = vectors.CHECKPOINT.to_text()
HASH = "NmQuc8JUCrEh46a/lUWwokmCzYMOsT080Z3jzmwCHsE="


def test_the_vector() -> None:
    """Signed, it is the published note; read, the same checkpoint."""
    made = sign(vectors.CHECKPOINT, vectors.LOG)
    assert made.note.to_bytes().decode() == vectors.NOTE
    assert parse_signed(vectors.NOTE.encode()) == made


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n\n\n",
        TEXT[:-1],
        TEXT + "extension\n",
        TEXT + "\n",
        f"a b\n3\n{HASH}\n",
        f"\n3\n{HASH}\n",
        f"a\n03\n{HASH}\n",
        f"a\n+3\n{HASH}\n",
        f"a\n٣\n{HASH}\n",
        f"a\n\n{HASH}\n",
        f"a\n{MAX_SIZE + 1}\n{HASH}\n",
        f"a\n3\n{HASH[:-4]}\n",
        f"a\n3\n{HASH[:-1]}\n",
        f"a\n3\n{HASH} \n",
        f"a\n3\n{HASH}AAAA\n",
    ],
)
def test_what_is_no_checkpoint_is_refused(text: str) -> None:
    """Each of these differs from a checkpoint by a little."""
    with pytest.raises(MalformedNote):
        parse_checkpoint(text)


CHECKPOINTS = st.builds(
    Checkpoint,
    st.from_regex(r"[a-z./é]{1,20}", fullmatch=True),
    st.integers(min_value=0, max_value=MAX_SIZE),
    st.binary(min_size=32, max_size=32),
)


@given(CHECKPOINTS)
def test_checkpoints_come_back_as_they_were_written(checkpoint: Checkpoint) -> None:
    """Writing and reading are each other's inverse."""
    assert parse_checkpoint(checkpoint.to_text()) == checkpoint


@given(st.text(max_size=100))
def test_any_text_is_a_checkpoint_or_malformed(text: str) -> None:
    """No other error, and nothing is read that would be written otherwise."""
    try:
        checkpoint = parse_checkpoint(text)
    except MalformedNote:
        return
    assert checkpoint.to_text() == text


@given(st.text(max_size=30))
def test_any_text_is_a_number_or_malformed(text: str) -> None:
    """Numbers have one spelling."""
    try:
        number = parse_number(text)
    except MalformedNote:
        return
    assert str(number) == text


@given(st.lists(CHECKPOINTS, max_size=4), st.sampled_from(["", "\n", "\n\n"]))
def test_a_file_of_checkpoints_is_read_whole(checkpoints: list[Checkpoint], between: str) -> None:
    """One after the other, with empty lines between them or without; with several signatures each."""
    signed = [sign(one, vectors.LOG) for one in checkpoints]
    cosigned = [
        replace(one, note=replace(one.note, signatures=(*one.note.signatures, vectors.WITNESS.cosign(one.note.text, time_s=1))))
        for one in signed
    ]
    data = between.encode().join(one.note.to_bytes() for one in cosigned)
    assert parse_kept(data) == tuple(cosigned)


@given(st.binary(max_size=200))
def test_any_file_is_checkpoints_or_malformed(data: bytes) -> None:
    """An empty one has none; nothing raises anything else."""
    try:
        kept = parse_kept(data)
    except MalformedNote:
        return
    assert bool(kept) == bool(data.strip(b"\n"))


def test_what_a_witness_is_asked() -> None:
    """C2SP tlog-witness, "add-checkpoint": old size, proof, an empty line, the checkpoint."""
    body = add_checkpoint_request(2, [vectors.ROOT_ABC], sign(vectors.CHECKPOINT, vectors.LOG))
    assert body.decode() == f"old 2\n{HASH}\n\n{vectors.NOTE}"
    assert add_checkpoint_request(0, [], sign(vectors.CHECKPOINT, vectors.LOG)).decode() == f"old 0\n\n{vectors.NOTE}"
