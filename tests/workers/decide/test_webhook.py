"""Signed webhooks: the known answer, the reference library, and what answers mean."""

import json
from datetime import UTC, datetime

import pytest
from standardwebhooks.webhooks import Webhook as Reference

from workers.decide.order import Delivered, Failed, Order, Retry
from workers.decide.webhook import meaning, retry_after, sign, webhook

SECRET = b"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ORDER = Order(
    delivery_id="dlv_1", rule="r", target="t", source="main", registry_host="reg:5000", repository="a/b", tag="v1",
    digest="sha256:one", media_type="m", account="zoe", jti="j", event_id="e", pushed_at_ms=1_795_477_894_030, attempt=1,
)  # fmt: skip


def test_known_answer() -> None:
    """The vector of the specification."""
    body = b'{"test": 2432232314}'
    assert (
        sign(SECRET, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body) == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    )


def test_the_reference_library_accepts_it() -> None:
    """A receiver that uses the specification's own code verifies what we send, with either secret while rotating."""
    other = b"whsec_" + b"QUFB" * 8
    made = webhook(ORDER, [SECRET, other], now_s=int(datetime.now(UTC).timestamp()))
    for secret in (SECRET, other):
        data = Reference(secret.decode()).verify(made.body, dict(made.headers))
        assert data["data"]["image"] == "reg:5000/a/b@sha256:one"
    assert json.loads(made.body)["timestamp"] == "2026-11-23T23:51:34.030Z"
    assert made.headers["webhook-id"] == "dlv_1"


def test_a_secret_of_another_kind() -> None:
    """Not signed with something nobody could verify."""
    with pytest.raises(ValueError, match="whsec_"):
        sign(b"plain", "i", 1, b"")


@pytest.mark.parametrize(
    ("status", "headers", "expected"),
    [
        (200, {}, Delivered("answered 200")),
        (204, {}, Delivered("answered 204")),
        (410, {}, Failed("answered 410: it wants no more webhooks")),
        (404, {}, Failed("answered 404")),
        (429, {"retry-after": "7"}, Retry("answered 429", 7.0)),
        (503, {}, Retry("answered 503", None)),
    ],
)
def test_meanings(status: int, headers: dict[str, str], expected: object) -> None:
    """Taken, later, or no."""
    assert meaning(status, headers, now_s=0) == expected


def test_redirects_are_not_followed() -> None:
    """They end it, with what to do."""
    found = meaning(302, {}, now_s=0)
    assert isinstance(found, Failed)
    assert "final URL" in found.reason


@pytest.mark.parametrize(
    ("text", "expected"),
    [("5", 5.0), ("Thu, 01 Jan 1970 00:01:00 GMT", 60.0), ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0), ("soon", None), ("", None)],
)
def test_retry_after(text: str, expected: float | None) -> None:
    """A number or a date; else nothing."""
    assert retry_after(text, now_s=0) == expected
