"""Sends a webhook to an address that was checked: every address of the name must be allowed, and that very one is used."""

import socket
import time
from typing import Final
from urllib.parse import SplitResult, urlsplit

from wharfinger.runtime.settings import WebhookTarget
from workers.adapters.http import Endpoint, request
from workers.decide.destination import may_be_sent_to
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
        self._secrets = tuple(secret.reveal() for secret in settings.secrets)

    def resume(self, order: Order, lease: Lease) -> None:
        """Nothing: a post is one step, and the receiver knows it by its id when it comes again."""

    def send(self, order: Order, lease: Lease) -> Sent:
        """Post once. The same order again carries the same webhook-id."""
        url = urlsplit(self._settings.url)
        now_s = int(time.time())
        made = webhook(order, self._secrets, now_s=now_s)
        path = (url.path or "/") + (f"?{url.query}" if url.query else "")
        try:
            endpoint = self._endpoint(url)
            if endpoint is None:
                return Refused(f"{url.hostname} is at an address that is neither public nor in the target's allow")
            lease.renew()
            answer = request(
                endpoint, "POST", path, headers={**made.headers, "Host": url.netloc}, body=made.body, timeout_s=self._timeout_s
            )
        except Unavailable as fault:
            return Retry(str(fault))
        return meaning(answer.status, answer.headers, now_s=now_s)

    def _endpoint(self, url: SplitResult) -> Endpoint | None:
        host, tls = url.hostname or "", url.scheme == "https"
        port = url.port or (443 if tls else 80)
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError as error:
            raise Unavailable(f"{host} cannot be resolved: {error.strerror}") from error
        addresses = [str(one[4][0]) for one in found]
        # One address that is not allowed spoils the name: it may be the next one that is tried.
        if not all(may_be_sent_to(address, self._settings.allow) for address in addresses):
            return None
        return Endpoint(host, port, address=addresses[0], tls=tls)
