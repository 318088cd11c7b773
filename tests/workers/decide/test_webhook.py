"""Signed webhooks: the known answer, the reference library, and what answers mean."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook as Reference

from wharfinger.runtime.settings import Reach, Secret, Signature, Template, WebhookForm, WebhookTarget
from workers.decide.order import Delivered, Failed, Order, Retry
from workers.decide.webhook import meaning, retry_after, sign, webhook

SECRET = b"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ORDER = Order(
    delivery_id="dlv_1", rule="r", target="t", source="main", registry_host="reg:5000", repository="a/b", tag="v1",
    digest="sha256:one", media_type="m", account="zoe", jti="j", event_id="e", pushed_at_ms=1_795_477_894_030, attempt=1,
)  # fmt: skip


def target(*secrets: bytes, **form: Any) -> WebhookTarget:
    """A receiver, and the form it wants."""
    return WebhookTarget("t", Reach(url="https://ci.example/"), tuple(map(Secret, secrets or (SECRET,))), 1, **form)


def test_known_answer() -> None:
    """The vector of the specification."""
    body = b'{"test": 2432232314}'
    assert (
        sign(SECRET, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body) == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    )


def test_the_reference_library_accepts_it() -> None:
    """A receiver that uses the specification's own code verifies what we send, with either secret while rotating."""
    other = b"whsec_" + b"QUFB" * 8
    made = webhook(ORDER, target(SECRET, other), now_s=int(datetime.now(UTC).timestamp()))
    for secret in (SECRET, other):
        data = Reference(secret.decode()).verify(made.body, dict(made.headers))
        assert data["data"]["image"] == "reg:5000/a/b@sha256:one"
    assert json.loads(made.body)["timestamp"] == "2026-11-23T23:51:34.030Z"
    assert made.headers["webhook-id"] == "dlv_1"


def test_a_secret_of_another_kind() -> None:
    """Not signed with something nobody could verify."""
    with pytest.raises(ValueError, match="whsec_"):
        sign(b"plain", "i", 1, b"")


def test_githubs_known_answer() -> None:
    """The vector of GitHub's page on validating deliveries; one signature, by the first secret."""
    hook = target(
        b"It's a Secret to Everybody", b"another", signature=Signature.GITHUB, body=Template("Hello, World!", "text/plain")
    )
    made = webhook(ORDER, hook, now_s=1)
    assert made.body == b"Hello, World!"
    assert made.headers["X-Hub-Signature-256"] == "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    assert made.headers["webhook-id"] == "dlv_1"
    assert "webhook-signature" not in made.headers


def test_a_cloudevent_in_one_piece() -> None:
    """Structured: all of it is the body, and its id the delivery's."""
    made = webhook(ORDER, target(form=WebhookForm.CLOUDEVENTS_STRUCTURED), now_s=1)
    assert made.headers["Content-Type"] == "application/cloudevents+json; charset=UTF-8"
    event = json.loads(made.body)
    assert event.pop("data") == json.loads(webhook(ORDER, target(), now_s=1).body)["data"]
    assert event == {
        "specversion": "1.0", "id": "dlv_1", "source": "/wharfinger/main", "type": "wharfinger.image.pushed", "subject": "a/b:v1",
        "time": "2026-11-23T23:51:34.030Z", "datacontenttype": "application/json",
    }  # fmt: skip


def test_a_cloudevent_in_headers() -> None:
    """Binary: the body is the data alone, and what stands in no header is written as %XX."""
    made = webhook(replace(ORDER, source='zo\u00eb "%'), target(form=WebhookForm.CLOUDEVENTS_BINARY), now_s=1)
    assert json.loads(made.body)["delivery_id"] == "dlv_1"
    assert {name: value for name, value in made.headers.items() if name.startswith("ce-")} == {
        "ce-specversion": "1.0", "ce-id": "dlv_1", "ce-source": "/wharfinger/zo%C3%AB%20%22%25", "ce-type": "wharfinger.image.pushed",
        "ce-subject": "a/b:v1", "ce-time": "2026-11-23T23:51:34.030Z",
    }  # fmt: skip
    assert made.headers["Content-Type"] == "application/json"
    assert "ce-datacontenttype" not in made.headers


@pytest.mark.parametrize(
    ("content_type", "body"), [("application/json", rb'{"by": "a\"b\n"}'), ("text/plain", b'{"by": "a"b\n"}')]
)
def test_a_body_of_ones_own(content_type: str, body: bytes) -> None:
    """What is put into JSON stays one string of it, whatever somebody is called; and the body that is sent is the one signed."""
    made = webhook(replace(ORDER, account='a"b\n'), target(body=Template('{"by": "{{account}}"}', content_type)), now_s=7)
    assert (made.body, made.headers["Content-Type"]) == (body, content_type)
    assert made.headers["webhook-signature"] == sign(SECRET, "dlv_1", 7, body)


def test_headers_of_ones_own() -> None:
    """Beside ours, which none of them replaces."""
    made = webhook(ORDER, target(headers={"X-Team": Secret(b"shop")}), now_s=1)
    assert (made.headers["X-Team"], made.headers["User-Agent"]) == ("shop", "wharfinger")


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
