"""The journal's form: what was written whole is read back, whatever a crash or a disk did around it."""

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authsvc.decide.journal import Damaged, JournalEntry, Kind, read, written

entries = st.builds(
    JournalEntry,
    st.sampled_from(Kind),
    st.dictionaries(st.text(max_size=8), st.text(max_size=8)).map(lambda one: json.dumps(one).encode()),
)
ONE = JournalEntry(Kind.ISSUANCE, b'{"jti":"a"}')
TWO = JournalEntry(Kind.REFUSAL, b'{"id":"b"}')


def found(data: bytes) -> list[JournalEntry | Damaged]:
    """What is read."""
    return [piece.found for piece in read(data)]


def test_the_form() -> None:
    """A line that people can read, and that stays as it is: files outlive versions."""
    assert written(ONE) == b'issuance 0000000b 637c8753 {"jti":"a"}\n'
    assert found(written(ONE) + written(TWO)) == [ONE, TWO]


@given(st.lists(entries, max_size=8))
def test_round_trip(several: list[JournalEntry]) -> None:
    """All that was written, in its order; each piece says where it ends."""
    data = b"".join(map(written, several))
    assert found(data) == several
    ends = [0, *(piece.upto for piece in read(data))]
    assert [data[start:end] for start, end in pairwise(ends)] == list(map(written, several))


@given(st.lists(entries, min_size=1, max_size=5), st.data())
def test_a_torn_end(several: list[JournalEntry], data: st.DataObject) -> None:
    """Cut anywhere: the whole lines before the cut are there, and nothing else is made up."""
    whole = b"".join(map(written, several))
    cut = data.draw(st.integers(0, len(whole)))
    kept = found(whole[:cut])
    assert kept == several[: len(kept)]
    assert len(whole[:cut]) - sum(len(written(one)) for one in several[: len(kept)]) < len(
        written(several[len(kept)]) if len(kept) < len(several) else b"x"
    )


@given(st.lists(entries, min_size=1, max_size=5), st.data())
def test_damage_ends_at_the_next_line(several: list[JournalEntry], data: st.DataObject) -> None:
    """One byte changed: the other entries are read, in order, and the changed one is not taken for whole."""
    lines = list(map(written, several))
    which = data.draw(st.integers(0, len(lines) - 1))
    at = data.draw(st.integers(0, len(lines[which]) - 1))
    value = data.draw(st.integers(0, 255).filter(lambda one: one != lines[which][at]))
    lines[which] = lines[which][:at] + bytes([value]) + lines[which][at + 1 :]
    kept = [one for one in found(b"".join(lines)) if isinstance(one, JournalEntry)]
    if at == len(written(several[which])) - 1:
        # Its end itself: two lines are one then.
        assert kept == several[:which] + several[which + 2 :]
    else:
        assert kept == several[:which] + several[which + 1 :]


@pytest.mark.parametrize(
    "line",
    [
        b"", b"issuance", b"issuance 0000000b 637c8753", b'token 0000000b 637c8753 {"jti":"a"}', b'issuance 0000000B 637C8753 {"jti":"a"}',
        b'issuance 0000000c 637c8753 {"jti":"a"}', b'refusal 0000000b 637c8753 {"jti":"a"}', b"\x00" * 4_096, b"\xff\xfe",
        b'issuance 0000000b 637c8753 {"jti":"a"} ', b' issuance 0000000b 637c8753 {"jti":"a"}', b'issuance 0000000b 637c8753 {"jti":"a"}\r',
    ],
)  # fmt: skip
def test_what_is_no_entry(line: bytes) -> None:
    """Holes, other kinds, other lengths, other checksums: its size is told, and the next line is read."""
    assert found(written(ONE) + line + b"\n" + written(TWO)) == [ONE, Damaged(len(line)), TWO]


@given(st.binary(max_size=400))
def test_nothing_raises(data: bytes) -> None:
    """Whatever stands there; and what is read as an entry would be written so."""
    for piece in read(data):
        if isinstance(piece.found, JournalEntry):
            assert written(piece.found) in data
