"""Makes a signed webhook and reads its answer. Sends nothing.

Sources: the Standard Webhooks specification (headers ``webhook-id``, ``webhook-timestamp``, ``webhook-signature``, which is
``v1,`` and base64 of HMAC-SHA256 over ``id.timestamp.body``); GitHub's "Validating webhook deliveries"
(``X-Hub-Signature-256``: HMAC-SHA256 over the body, in hex); CloudEvents 1.0.2, HTTP protocol binding. Whatever the form, the
id is the delivery's: a receiver that has seen it is done.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Final
from urllib.parse import quote

from wharfinger.runtime.settings import Signature, Template, WebhookForm, WebhookTarget
from wharfinger.runtime.templates import in_json, is_json
from workers.decide.fields import fill, moment
from workers.decide.order import Delivered, Failed, Order, Retry, Sent

EVENT_TYPE: Final = "image.pushed"
ALARM_TYPE: Final = "trail.alarm"
_PREFIX: Final = b"whsec_"
_GONE: Final = 410
_AGAIN: Final = frozenset({408, 425, 429})
_IN_HEADER: Final = "".join(chr(one) for one in range(0x21, 0x7F) if chr(one) not in '"%')
"""What stands as it is in a header of CloudEvents (HTTP binding, 3.1.3.2); all else as %XX of its UTF-8."""


@dataclass(frozen=True, slots=True)
class Webhook:
    """A request to send: its headers and body."""

    headers: Mapping[str, str]
    body: bytes


def webhook(order: Order, target: WebhookTarget, *, now_s: int) -> Webhook:
    """The request of one attempt.

    Args:
        order: what was pushed.
        target: the form it wants, and the secrets that sign.
        now_s: the attempt's time, seconds since the epoch.
    """
    headers, body = _content(order, target)
    made = {name: value.reveal().decode() for name, value in target.headers.items()}
    made |= {**headers, "User-Agent": "wharfinger", "webhook-id": order.delivery_id, "webhook-timestamp": str(now_s)}
    secrets = [secret.reveal() for secret in target.secrets]
    if target.signature is Signature.GITHUB:
        made["X-Hub-Signature-256"] = "sha256=" + hmac.digest(secrets[0], body, hashlib.sha256).hex()
    else:
        made["webhook-signature"] = " ".join(sign(secret, order.delivery_id, now_s, body) for secret in secrets)
    return Webhook(made, body)


def _content(order: Order, target: WebhookTarget) -> tuple[dict[str, str], bytes]:
    if isinstance(target.body, Template):
        escape = in_json if is_json(target.body.content_type) else str
        return {"Content-Type": target.body.content_type}, fill(target.body.text, order, escape).encode()
    told = payload(order)
    if target.form is WebhookForm.STANDARD:
        return {"Content-Type": "application/json"}, _json(told)
    event = {
        "specversion": "1.0",
        "id": order.delivery_id,
        "source": f"/wharfinger/{order.source}",
        "type": f"wharfinger.{told['type']}",
        "subject": f"{order.repository}:{order.tag}",
        "time": str(told["timestamp"]),
    }
    if target.form is WebhookForm.CLOUDEVENTS_STRUCTURED:
        whole = {**event, "datacontenttype": "application/json", "data": told["data"]}
        return {"Content-Type": "application/cloudevents+json; charset=UTF-8"}, _json(whole)
    headers = {f"ce-{name}": quote(value, safe=_IN_HEADER) for name, value in event.items()}
    return {"Content-Type": "application/json", **headers}, _json(told["data"])


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def payload(order: Order) -> Mapping[str, object]:
    """What the receiver is told: which image by its digest, and who pushed it with which token."""
    return {
        "type": ALARM_TYPE if order.alarm else EVENT_TYPE,
        "timestamp": moment(order.pushed_at_ms),
        "data": {
            "delivery_id": order.delivery_id,
            "rule": order.rule,
            "source": order.source,
            "repository": order.repository,
            "tag": order.tag,
            "digest": order.digest,
            "image": order.image(),
            "media_type": order.media_type,
            "account": order.account,
            "jti": order.jti,
            "event_id": order.event_id,
            **({"alarm": order.alarm} if order.alarm else {}),
        },
    }


def sign(secret: bytes, ident: str, timestamp: int, body: bytes) -> str:
    """One signature. Raises ValueError for a secret that is no ``whsec_`` and base64."""
    if not secret.startswith(_PREFIX):
        raise ValueError("a webhook secret starts with whsec_")
    key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    mac = hmac.digest(key, f"{ident}.{timestamp}.".encode() + body, hashlib.sha256)
    return "v1," + base64.b64encode(mac).decode()


def meaning(status: int, headers: Mapping[str, str], *, now_s: int) -> Sent:
    """What an answer means: 2xx took it, 410 wants no more, 429 and 5xx later, all else is no."""
    if 200 <= status < 300:  # noqa: PLR2004 - HTTP's own classes
        return Delivered(f"answered {status}")
    if status in _AGAIN or status >= 500:  # noqa: PLR2004 - HTTP's own classes
        return Retry(f"answered {status}", retry_after(headers.get("retry-after", ""), now_s=now_s))
    if status == _GONE:
        return Failed("answered 410: it wants no more webhooks")
    if 300 <= status < 400:  # noqa: PLR2004 - HTTP's own classes
        return Failed(f"answered {status}; redirects are not followed: configure the final URL")
    return Failed(f"answered {status}")


def retry_after(text: str, *, now_s: int) -> float | None:
    """Seconds of a Retry-After header (RFC 9110 section 10.2.3), a number or a date; None when it is neither."""
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - now_s)
    except (ValueError, OverflowError):
        return None
