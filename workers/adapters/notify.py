"""Sends one message by Apprise, in a process of its own: run as a file, told on its standard input, answering in JSON.

In a process of its own, for Apprise's services bring their own HTTP clients: here every connection is held to the addresses
that may be sent to, redirects are not followed, and whoever waits too long ends all of it. The last thing that Apprise logged
says why a service did not take a message.
"""

import ipaddress
import json
import logging
import socket
import sys
from typing import Any

import apprise
import requests

from workers.decide.destination import may_be_sent_to


class _LastWords(logging.Handler):
    """What was logged last."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.said = ""

    def emit(self, record: logging.LogRecord) -> None:
        self.said = record.getMessage()


def main() -> None:
    """Read what to send, send it, and say what became of it."""
    told = json.load(sys.stdin)
    forbidden = _hold_to([ipaddress.ip_network(one) for one in told["allow"]])
    requests.Session.resolve_redirects = lambda *_arguments, **_options: iter(())  # type: ignore[assignment,method-assign]  # nobody follows
    words = _LastWords()
    logging.getLogger("apprise").addHandler(words)
    message = apprise.Apprise()
    known = message.add(told["url"])
    sent = bool(known) and bool(message.notify(body=told["body"], title=told["title"]))
    json.dump({"known": bool(known), "sent": sent, "forbidden": forbidden, "said": words.said}, sys.stdout)


def _hold_to(allow: "list[Any]") -> list[str]:
    """Let nothing of this process connect to anything else; the addresses that were refused."""
    forbidden: list[str] = []
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any, /) -> None:
        if not isinstance(address, tuple) or not may_be_sent_to(str(address[0]), allow):
            forbidden.append(str(address[0]) if isinstance(address, tuple) else "a local socket")
            raise PermissionError
        connect(self, address)

    socket.socket.connect = guarded  # type: ignore[assignment,method-assign]  # the one place that every client comes through
    return forbidden


if __name__ == "__main__":
    main()
