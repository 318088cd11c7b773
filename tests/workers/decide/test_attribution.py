"""Attribution: every verdict, by table."""

from dataclasses import replace

import pytest

from wharfinger.wire.event import Action, Kind, RegistryEvent
from wharfinger.wire.issuance import Credential, Issuance
from wharfinger.wire.jti import Proof
from wharfinger.wire.names import Account, Digest, EventId, Jti, Repository
from wharfinger.wire.scope import Scope
from workers.decide.attribution import Attribution, Flag, Reason, Verdict, attribute, claimed_jti

JTI = Jti("P7DgrqwNJn-hrQtOpfVoIHEk2j")
ISSUED = 1_795_477_894
EVENT = RegistryEvent(
    event_id=EventId("e1"),
    sha256="ab",
    occurred_at=ISSUED * 1_000,
    action=Action.PUSH,
    action_said="push",
    kind=Kind.MANIFEST,
    repository=Repository("ubuntu"),
    from_repository=Repository(""),
    tag="v1",
    digest=Digest("sha256:" + "ab" * 32),
    media_type="m",
    size=1,
    unverified_actor=f"zoe#{JTI}",
    actor_is_text=True,
    method="PUT",
    request_id="r",
    client_addr="10.0.0.7",
    user_agent="",
    registry_host="",
    instance_id="",
    raw=b"{}",
)
ISSUANCE = Issuance(
    jti=JTI,
    account=Account("zoe"),
    credential=Credential(kind="static", id="c"),
    authenticated_by="basic",
    client_addr="10.0.0.7",
    granted=(Scope("repository", "ubuntu", ("pull", "push")), Scope("repository", "base", ("pull",))),
    issued_at=ISSUED,
    not_before=ISSUED - 10,
    expires_at=ISSUED + 900,
)
DELETER = Issuance(
    **{name: getattr(ISSUANCE, name) for name in ISSUANCE.__struct_fields__}
    | {"granted": (Scope("repository", "ubuntu", ("*",)),)}
)


def found(
    event: RegistryEvent = EVENT, issuance: Issuance | None = ISSUANCE, proof: Proof = Proof.AUTHENTIC, *, received: int = 0
) -> Attribution:
    """An attribution, received when it occurred unless said."""
    return attribute(event, issuance, proof, received_ms=received or event.occurred_at)


def test_exact() -> None:
    """Authentic, recorded, of this account, inside the grant."""
    assert found() == Attribution(Verdict.EXACT, account=Account("zoe"), jti=JTI, issuance=ISSUANCE)
    assert claimed_jti(EVENT) == JTI


@pytest.mark.parametrize(
    ("event", "issuance", "proof", "verdict", "reason"),
    [
        (replace(EVENT, actor_is_text=False), ISSUANCE, Proof.AUTHENTIC, Verdict.UNATTRIBUTED, Reason.NO_ACTOR),
        (replace(EVENT, unverified_actor="zoe"), None, Proof.MALFORMED, Verdict.UNATTRIBUTED, Reason.NO_ID),
        (EVENT, None, Proof.AUTHENTIC, Verdict.UNATTRIBUTED, Reason.RECORD_LOST),
        (EVENT, None, Proof.FORGED, Verdict.FORGED, Reason.NONE),
        (EVENT, ISSUANCE, Proof.FORGED, Verdict.FORGED, Reason.NONE),
        (replace(EVENT, unverified_actor=f"bob#{JTI}"), ISSUANCE, Proof.FORGED, Verdict.ACCOUNT_MISMATCH, Reason.NONE),
    ],
)
def test_other_verdicts(
    event: RegistryEvent, issuance: Issuance | None, proof: Proof, verdict: Verdict, reason: Reason
) -> None:
    """What is lost is not called forged, and the other way round."""
    attribution = found(event, issuance, proof)
    assert (attribution.verdict, attribution.reason) == (verdict, reason)


def test_a_plain_actor_names_no_token() -> None:
    """There is nothing to look up."""
    assert claimed_jti(replace(EVENT, unverified_actor="zoe")) is None


@pytest.mark.parametrize(
    ("change", "issuance", "missing"),
    [
        ({"action": Action.PULL}, ISSUANCE, ""),
        ({"action": Action.PROBE, "repository": "base"}, ISSUANCE, ""),
        ({"action": Action.PUSH, "repository": "base"}, ISSUANCE, "base:push"),
        ({"action": Action.PULL, "repository": "fedora"}, ISSUANCE, "fedora:pull"),
        ({"action": Action.MOUNT, "from_repository": "base"}, ISSUANCE, ""),
        ({"action": Action.MOUNT, "from_repository": "fedora"}, ISSUANCE, "fedora:pull"),
        ({"action": Action.MOUNT}, ISSUANCE, ""),
        ({"action": Action.DELETE}, ISSUANCE, "ubuntu:delete"),
        ({"action": Action.UNTAG}, DELETER, ""),
        ({"action": Action.OTHER, "action_said": "import"}, DELETER, "ubuntu:import"),
    ],
)
def test_grants(change: dict[str, object], issuance: Issuance, missing: str) -> None:
    """What a registry would have asked of the token, the recorded grant must cover."""
    attribution = found(replace(EVENT, **change), issuance)  # type: ignore[arg-type]  # columns of the table
    assert attribution.missing == missing
    assert attribution.verdict is (Verdict.OUTSIDE_GRANT if missing else Verdict.EXACT)


@pytest.mark.parametrize(
    ("change", "received", "flags"),
    [
        ({"client_addr": "10.0.0.8"}, 0, (Flag.ADDR_DIFFERS,)),
        ({"client_addr": ""}, 0, ()),
        ({"occurred_at": 0}, 1, ()),
        ({"occurred_at": (ISSUED - 400) * 1_000}, 0, (Flag.BEFORE_ISSUANCE,)),
        ({"occurred_at": (ISSUED + 3_600) * 1_000}, 0, ()),
        ({"occurred_at": (ISSUED + 90_000) * 1_000}, 0, (Flag.LONG_AFTER_EXPIRY,)),
        ({}, (ISSUED - 400) * 1_000, (Flag.CLOCK_SKEW,)),
    ],
)
def test_remarks_change_no_verdict(change: dict[str, object], received: int, flags: tuple[Flag, ...]) -> None:
    """Time and address are remarked; uploads end late, and proxies rewrite."""
    attribution = found(replace(EVENT, **change), received=received)  # type: ignore[arg-type]  # columns of the table
    assert (attribution.verdict, attribution.flags) == (Verdict.EXACT, flags)
