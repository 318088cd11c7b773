"""Makes a signed webhook and reads its answer. Sends nothing.

Source: the Standard Webhooks specification: headers ``webhook-id``, ``webhook-timestamp``, ``webhook-signature``; the signature
is ``v1,`` and base64 of HMAC-SHA256 over ``id.timestamp.body``. The id is the delivery's: a receiver that has seen it is done.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

from workers.decide.order import Delivered, Failed, Order, Retry, Sent

EVENT_TYPE: Final = "image.pushed"
ALARM_TYPE: Final = "trail.alarm"
_PREFIX: Final = b"whsec_"
_GONE: Final = 410
_AGAIN: Final = frozenset({408, 425, 429})


@dataclass(frozen=True, slots=True)
class Webhook:
    """A request to send: its headers and body."""

    headers: Mapping[str, str]
    body: bytes


def webhook(order: Order, secrets: Sequence[bytes], *, now_s: int) -> Webhook:
    """The request of one attempt.

    Args:
        order: what was pushed.
        secrets: ``whsec_…`` texts; each signs, so that a receiver may rotate.
        now_s: the attempt's time, seconds since the epoch.
    """
    body = json.dumps(payload(order), separators=(",", ":")).encode()
    signatures = " ".join(sign(secret, order.delivery_id, now_s, body) for secret in secrets)
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "wharfinger",
        "webhook-id": order.delivery_id,
        "webhook-timestamp": str(now_s),
        "webhook-signature": signatures,
    }
    return Webhook(headers, body)


def payload(order: Order) -> Mapping[str, object]:
    """What the receiver is told: which image by its digest, and who pushed it with which token."""
    pushed = datetime.fromtimestamp(order.pushed_at_ms / 1_000, UTC)
    return {
        "type": ALARM_TYPE if order.alarm else EVENT_TYPE,
        "timestamp": pushed.strftime("%Y-%m-%dT%H:%M:%S.") + f"{order.pushed_at_ms % 1_000:03d}Z",
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
