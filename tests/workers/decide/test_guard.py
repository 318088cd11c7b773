"""Whether a claimed delivery may be sent."""

from dataclasses import replace

import pytest

from wharfinger.ledger.values import Claim, DeliveryState, Standing
from wharfinger.wire.names import DeliveryId
from workers.decide.guard import SETTLING_MS, Go, LookAgain, Stop, after_looking, before_looking

CLAIM = Claim(
    id=DeliveryId("dlv_1"), fence=1, attempt=1, created_at=1_000, rule="r", target="t", seq=1, source="main", repository="a",
    tag="v1", digest="sha256:one", media_type="m", event_id="e", verdict="exact", account="zoe", jti="j", occurred_at=1_000,
)  # fmt: skip
CLEAR = Standing(None, overtaken=False, last_delivered=None)


@pytest.mark.parametrize(
    ("claim", "standing", "state"),
    [
        (CLAIM, CLEAR, None),
        (replace(CLAIM, verdict="forged"), CLEAR, DeliveryState.REFUSED),
        (CLAIM, replace(CLEAR, later_digest="sha256:two"), DeliveryState.SUPERSEDED),
        (CLAIM, replace(CLEAR, overtaken=True), DeliveryState.SUPERSEDED),
    ],
)
def test_before_looking(claim: Claim, standing: Standing, state: DeliveryState | None) -> None:
    """What the ledger alone can tell."""
    found = before_looking(claim, standing)
    assert (found.state if isinstance(found, Stop) else None) == state


@pytest.mark.parametrize(
    ("digest", "now_ms", "expected"),
    [
        ("sha256:one", 1_000, Go),
        (None, 1_000 + SETTLING_MS - 1, LookAgain),
        ("sha256:two", 1_000, LookAgain),
    ],
)
def test_after_looking(digest: str | None, now_ms: int, expected: type) -> None:
    """The tag may be on its way for ten seconds."""
    assert isinstance(after_looking(CLAIM, digest, now_ms=now_ms), expected)


@pytest.mark.parametrize(("digest", "state"), [(None, DeliveryState.TAG_MISSING), ("sha256:two", DeliveryState.SUPERSEDED)])
def test_after_settling(digest: str | None, state: DeliveryState) -> None:
    """Then it is what it is."""
    found = after_looking(CLAIM, digest, now_ms=1_000 + SETTLING_MS)
    assert isinstance(found, Stop)
    assert found.state is state
