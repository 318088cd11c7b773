"""Speaks a conversation of ``decide`` over HTTP: asks what it wants asked, keeps what it wants kept. Decides nothing.

The name is resolved once an attempt, and all that is asked goes to the one address that was checked. Redirects are answers as
any other, and nobody follows them.
"""

import time
from collections.abc import Callable
from typing import Final

from workers.adapters.guarded import Forbidden, why_not
from workers.adapters.http import Endpoint, request
from workers.decide.conversation import Ask, Conversation, Heard, Keep, Lost, Reply, Talk, masked
from workers.decide.order import Order, Refused, Retry, Sent
from workers.errors import Unavailable, Unreached
from workers.ports import Lease

TIMEOUT_S: Final = 10.0
"""Of one request; the lease is renewed before each, and from beside meanwhile."""

Connect = Callable[[], Endpoint | Forbidden]


class Conversing:
    """The port ``Target``, for whatever is spoken to over HTTP.

    ``connect``: where; raises Unreached. ``host``: its name and port, for the header.
    """

    def __init__(self, talk: Talk, connect: Connect, host: str, *, timeout_s: float = TIMEOUT_S) -> None:
        self._talk = talk
        self._connect = connect
        self._host = host
        self._timeout_s = timeout_s

    def resume(self, order: Order, lease: Lease) -> Sent | None:
        """Go on with what was begun; None when nothing was."""
        if not lease.noted:
            return None
        return self._hold(self._talk.follow(order, lease.noted, now_s=int(time.time())), lease)

    def send(self, order: Order, lease: Lease) -> Sent:
        """Begin, as far as one attempt goes."""
        return self._hold(self._talk.begin(order, now_s=int(time.time())), lease)

    def _hold(self, conversation: Conversation, lease: Lease) -> Sent:
        try:
            endpoint = self._connect()
        except Unavailable as fault:
            return Retry(str(fault))
        if isinstance(endpoint, Forbidden):
            return Refused(why_not(endpoint))
        reply: Reply | None = None
        while True:
            try:
                step = next(conversation) if reply is None else conversation.send(reply)
            except StopIteration as over:
                found: Sent = over.value
                return masked(found, self._talk.secrets())
            reply = self._take(endpoint, step, lease)

    def _take(self, endpoint: Endpoint, step: Ask | Keep, lease: Lease) -> Reply:
        if isinstance(step, Keep):
            lease.note(step.what)
            return Heard(0)
        lease.renew()
        headers = {"Host": self._host, "User-Agent": "wharfinger", "Accept": "application/json", **step.headers}
        body = step.body or (b"" if step.method in {"POST", "PUT", "PATCH"} else None)
        try:
            answer = request(endpoint, step.method, step.path, headers=headers, body=body, timeout_s=self._timeout_s)
        except Unreached as fault:
            return Lost(str(fault), sent=False)
        except Unavailable as fault:
            return Lost(str(fault), sent=True)
        return Heard(answer.status, answer.headers, answer.body)
