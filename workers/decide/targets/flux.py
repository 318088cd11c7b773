"""Flux: a receiver of type generic-hmac, which has its resources reconciled. Source: Flux notification API, "generic-hmac".

A poke that may come twice: so a lost answer is sent again. It answers before anything is reconciled, and there is nothing to
follow by it.
"""

import hashlib
import hmac
import json
from collections.abc import Mapping
from urllib.parse import urlsplit

from wharfinger.runtime.settings import FluxTarget, Secret
from workers.decide.conversation import Ask, Conversation, Lost, is_success, refusal
from workers.decide.order import Delivered, Order, Retry
from workers.decide.webhook import payload


class Flux:
    """A ``Talk``."""

    def __init__(self, settings: FluxTarget) -> None:
        self._settings = settings

    def secrets(self) -> tuple[Secret, ...]:
        """The token of the receiver."""
        return (self._settings.secret,)

    def begin(self, order: Order, *, now_s: int) -> Conversation:
        """Poke it."""
        url = urlsplit(self._settings.reach.url)
        body = json.dumps(payload(order), separators=(",", ":")).encode()
        headers = {"Content-Type": "application/json", "X-Signature": signature(self._settings.secret.reveal(), body)}
        path = (url.path or "/") + (f"?{url.query}" if url.query else "")
        reply = yield Ask(method="POST", path=path, headers=headers, body=body)
        if isinstance(reply, Lost):
            return Retry(reply.reason)
        if not is_success(reply):
            return refusal(reply, now_s=now_s)
        return Delivered("Flux was asked to reconcile")

    def follow(self, order: Order, _noted: Mapping[str, str], *, now_s: int) -> Conversation:
        """The same: nothing is ever kept."""
        return (yield from self.begin(order, now_s=now_s))


def signature(token: bytes, body: bytes) -> str:
    """The value of ``X-Signature``."""
    return "sha256=" + hmac.digest(token, body, hashlib.sha256).hex()
