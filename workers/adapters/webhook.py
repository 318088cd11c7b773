"""Sends a webhook to an address that was checked: every address of the name must be allowed, and that very one is used."""

import time
from typing import Final
from urllib.parse import urlsplit

from wharfinger.runtime.settings import WebhookTarget
from workers.adapters.guarded import Forbidden, reached, why_not
from workers.adapters.http import request
from workers.decide.order import Order, Refused, Retry, Sent
from workers.decide.webhook import meaning, webhook
from workers.errors import Unavailable
from workers.ports import Lease

TIMEOUT_S: Final = 10.0
"""Below the lease: a receiver that hangs does not cost it."""


class WebhookSender:
    """The port ``Target``, as a webhook."""

    def __init__(self, settings: WebhookTarget, *, timeout_s: float = TIMEOUT_S) -> None:
        self._settings = settings
        self._timeout_s = timeout_s

    def resume(self, order: Order, lease: Lease) -> None:
        """Nothing: a post is one step, and the receiver knows it by its id when it comes again."""

    def send(self, order: Order, lease: Lease) -> Sent:
        """Send once. The same order again carries the same webhook-id."""
        settings = self._settings
        url = urlsplit(settings.reach.url)
        now_s = int(time.time())
        made = webhook(order, settings, now_s=now_s)
        path = (url.path or "/") + (f"?{url.query}" if url.query else "")
        headers = {**made.headers, "Host": url.netloc}
        try:
            endpoint = reached(settings.reach)
            if isinstance(endpoint, Forbidden):
                return Refused(why_not(endpoint))
            lease.renew()
            answer = request(endpoint, settings.method.value, path, headers=headers, body=made.body, timeout_s=self._timeout_s)
        except Unavailable as fault:
            return Retry(str(fault))
        return meaning(answer.status, answer.headers, now_s=now_s)
