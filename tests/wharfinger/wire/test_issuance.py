"""Issuances and refusals: their stream form, and the golden files of schema 1."""

import json
from pathlib import Path

import pytest

from wharfinger.wire.codec import UnreadableRecord, decode, encode
from wharfinger.wire.issuance import Credential, Issuance, Refusal, issuance_from_fields, refusal_from_fields, to_fields
from wharfinger.wire.names import Account, Jti
from wharfinger.wire.scope import Scope

GOLDEN = Path(__file__).parents[2] / "samples/wire"
ASKED = (Scope("repository", "ubuntu", ("pull", "push")),)
ISSUANCE = Issuance(
    jti=Jti("P7DgrqwNJn-hrQtOpfVoIHEk2j"),
    account=Account("zoë"),
    credential=Credential(kind="static", id="62ade8f7be31475239d71d51"),
    authenticated_by="basic",
    client_addr="10.0.0.7",
    claimed_addr="198.51.100.9",
    user_agent="docker/28",
    client_id="docker",
    service="registry",
    asked=ASKED,
    granted=ASKED,
    rules=(2, None),
    policy="0123abcd",
    issued_at=1_795_477_894,
    not_before=1_795_477_884,
    expires_at=1_795_478_794,
)
REFUSAL = Refusal(
    id="ref_1",
    reason="wrong_password",
    account=Account("zoë"),
    client_addr="10.0.0.7",
    network="10.0.0.0/24",
    user_agent="docker/28",
    service="registry",
    asked=ASKED,
    count=12,
    since=1_795_477_894,
    until=1_795_477_944,
)


def test_stream_form() -> None:
    """What authsvc writes, settle reads."""
    fields = {name.encode(): value for name, value in to_fields(ISSUANCE).items()}
    assert issuance_from_fields(fields) == ISSUANCE
    fields = {name.encode(): value for name, value in to_fields(REFUSAL).items()}
    assert refusal_from_fields(fields) == REFUSAL


@pytest.mark.parametrize("read", [issuance_from_fields, refusal_from_fields])
def test_an_entry_without_a_record(read: object) -> None:
    """Somebody else wrote into the stream."""
    with pytest.raises(UnreadableRecord):
        read({b"x": b"y"})  # type: ignore[operator]  # one of the two functions


@pytest.mark.parametrize(("record", "name"), [(ISSUANCE, "issuance-1.json"), (REFUSAL, "refusal-1.json")])
def test_golden(record: Issuance | Refusal, name: str) -> None:
    """Records written today are read for ever; what is written today still says all of it, in fields that only grew."""
    golden = (GOLDEN / name).read_bytes().rstrip(b"\n")
    assert decode(type(record), golden) == record
    written, kept = json.loads(encode(record)), json.loads(golden)
    assert {name: written[name] for name in kept} == kept
