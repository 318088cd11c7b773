"""Decides what a witness's answer means. Source: C2SP tlog-witness, "add-checkpoint"."""

from dataclasses import dataclass
from typing import Final

from wharfinger.ledger.checkpoint import SignedCheckpoint, parse_number
from wharfinger.ledger.note import MalformedNote, Note, Signature, Verdict, VerifierKey, parse_signatures, verify

SIZE_TYPE: Final = "text/x.tlog.size"
_DONE: Final = 200
_CONFLICT: Final = 409
_CONTRADICTS: Final = 422
_REASONS: Final = {
    403: "does not know the log's key",
    404: "does not know the log",
    _CONTRADICTS: "says that the log is not the one it cosigned before",
}


@dataclass(frozen=True, slots=True)
class WitnessAnswer:
    """What came over HTTP."""

    status: int
    content_type: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Cosigned:
    """The witness saw the checkpoint, consistent with what it saw before."""

    signature: Signature


@dataclass(frozen=True, slots=True)
class AskFrom:
    """The last checkpoint that the witness cosigned had this size: a proof from there is wanted."""

    size: int


@dataclass(frozen=True, slots=True)
class Declined:
    """No cosignature came. ``contradicts``: for the log is not the one that the witness cosigned before."""

    problem: str
    contradicts: bool = False


def read_answer(answer: WitnessAnswer, signed: SignedCheckpoint, key: VerifierKey) -> Cosigned | AskFrom | Declined:
    """What a witness says of a checkpoint; nothing it says is believed that its key did not sign."""
    if answer.status == _DONE:
        return _cosigned(answer.body, signed, key)
    if answer.status == _CONFLICT and answer.content_type.partition(";")[0].strip() == SIZE_TYPE:
        try:
            return AskFrom(parse_number(answer.body.decode("ascii", "replace").removesuffix("\n")))
        except MalformedNote:
            return Declined("answered 409 without a size")
    return Declined(_REASONS.get(answer.status, f"answered {answer.status}"), contradicts=answer.status == _CONTRADICTS)


def _cosigned(body: bytes, signed: SignedCheckpoint, key: VerifierKey) -> Cosigned | Declined:
    try:
        signatures = parse_signatures(body.decode("utf-8", "replace"))
    except MalformedNote:
        return Declined("answered no signature lines")
    ours = tuple(one for one in signatures if (one.name, one.key_id) == (key.name, key.key_id))
    verdict = verify(Note(signed.note.text, ours), key)
    if verdict is Verdict.VALID:
        return Cosigned(ours[0])
    return Declined("answered a signature that is wrong" if verdict is Verdict.WRONG else "answered no signature of its key")
