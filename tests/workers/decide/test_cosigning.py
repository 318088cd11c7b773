"""What a witness's answer means: nothing is believed that its key did not sign."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.wharfinger.ledger import vectors
from wharfinger.ledger.checkpoint import sign
from workers.decide.cosigning import AskFrom, Cosigned, Declined, WitnessAnswer, read_answer

SIGNED = sign(vectors.CHECKPOINT, vectors.LOG)
RIGHT = vectors.WITNESS.cosign(vectors.CHECKPOINT.to_text(), time_s=vectors.WITNESS_TIME)
OTHER = vectors.WITNESS.cosign("another text\n", time_s=vectors.WITNESS_TIME)
STRANGER = replace(RIGHT, name="stranger.example")
SIZE = "text/x.tlog.size"


@pytest.mark.parametrize(
    ("status", "kind", "body", "expected"),
    [
        (200, "", vectors.COSIGNATURE, Cosigned(RIGHT)),
        (200, "", STRANGER.line() + vectors.COSIGNATURE, Cosigned(RIGHT)),
        (200, "", STRANGER.line(), Declined("answered no signature of its key")),
        (200, "", OTHER.line(), Declined("answered a signature that is wrong")),
        (200, "", vectors.COSIGNATURE + OTHER.line(), Declined("answered a signature that is wrong")),
        (200, "", "", Declined("answered no signature lines")),
        (200, "", "ok\n", Declined("answered no signature lines")),
        (200, "", vectors.COSIGNATURE[:-1], Declined("answered no signature lines")),
        (409, SIZE, "0\n", AskFrom(0)),
        (409, SIZE, "20852163\n", AskFrom(20_852_163)),
        (409, f"{SIZE}; charset=utf-8", "7\n", AskFrom(7)),
        (409, SIZE, "7", AskFrom(7)),
        (409, SIZE, "07\n", Declined("answered 409 without a size")),
        (409, SIZE, "-7\n", Declined("answered 409 without a size")),
        (409, SIZE, "", Declined("answered 409 without a size")),
        (409, "text/plain", "7\n", Declined("answered 409")),
        (403, "", "", Declined("does not know the log's key")),
        (404, "", "", Declined("does not know the log")),
        (422, "", "", Declined("says that the log is not the one it cosigned before", contradicts=True)),
        (500, "", "", Declined("answered 500")),
        (302, "", "", Declined("answered 302")),
    ],
)
def test_answers(status: int, kind: str, body: str, expected: object) -> None:
    """Each status of C2SP tlog-witness, and what is none of its."""
    assert read_answer(WitnessAnswer(status, kind, body.encode()), SIGNED, vectors.WITNESS.verifier) == expected


@given(st.sampled_from([200, 409]), st.binary(max_size=200))
def test_anything_may_be_answered(status: int, body: bytes) -> None:
    """Whatever bytes come, there is a meaning, and it is no cosignature."""
    assert not isinstance(read_answer(WitnessAnswer(status, SIZE, body), SIGNED, vectors.WITNESS.verifier), Cosigned)
