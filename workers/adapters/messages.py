"""Tells people, by any service that Apprise knows: a process for each address, and who was told is kept. Decides nothing."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Final

from wharfinger.runtime.settings import MessageTarget, Secret
from workers.decide.order import Delivered, Order, Refused, Sent
from workers.decide.targets.message import Told, shortcoming, title_and_body
from workers.ports import Lease

TIMEOUT_S: Final = 30.0
_PROGRAM: Final = "workers.adapters.notify"
_ROOT: Final = Path(__file__).parents[2]


class Messages:
    """The port ``Target``, as messages to people."""

    def __init__(self, settings: MessageTarget, *, timeout_s: float = TIMEOUT_S) -> None:
        self._settings = settings
        self._timeout_s = timeout_s

    def resume(self, order: Order, lease: Lease) -> Sent | None:
        """Go on with those that were not told yet; None when nobody was."""
        return self.send(order, lease) if lease.noted else None

    def send(self, order: Order, lease: Lease) -> Sent:
        """Tell each address once. Crash after one was told, before that is kept: it is told again, with the same words."""
        if importlib.util.find_spec("apprise") is None:
            return Refused("Apprise is not installed: install the extra wharfinger[messages]")
        for number, url in enumerate(self._settings.urls, 1):
            if str(number) in lease.noted:
                continue
            lease.renew()
            short = shortcoming(self._tell(url, order), url, number=number)
            if short is not None:
                return short
            lease.note({**lease.noted, str(number): "told"})
        return Delivered(f"told {len(self._settings.urls)}")

    def _tell(self, url: Secret, order: Order) -> Told | None:
        title, body = title_and_body(order, self._settings)
        allow = [str(one) for one in self._settings.allow]
        told = {"url": url.reveal().decode(), "title": title, "body": body, "allow": allow}
        try:
            done = subprocess.run(  # noqa: S603 - ours
                [sys.executable, "-m", _PROGRAM],
                input=json.dumps(told).encode(),
                capture_output=True,
                timeout=self._timeout_s,
                check=False,
                env={"LANG": "C.UTF-8"},
                cwd=_ROOT,
            )
            return Told(**json.loads(done.stdout))
        except (subprocess.TimeoutExpired, ValueError, TypeError):
            return None
