"""Asks witnesses over HTTP, each from a thread of its own: a slow one holds up neither the sweep nor the others."""

from collections.abc import Sequence
from threading import Thread
from typing import Final
from urllib.parse import urlsplit

from wharfinger.ledger.errors import LedgerUnavailable
from wharfinger.runtime.log import Log
from wharfinger.runtime.settings import Witness
from workers.adapters.guarded import Forbidden, guarded_endpoint
from workers.adapters.http import request
from workers.cosign import Cosign
from workers.decide.cosigning import WitnessAnswer
from workers.decide.destination import what_would_allow
from workers.errors import Unavailable

TIMEOUT_S: Final = 10.0


class HttpWitness:
    """The port ``Witness``."""

    def __init__(self, settings: Witness) -> None:
        self._settings = settings

    def ask(self, body: bytes) -> WitnessAnswer:
        """Post once, to an address that was checked."""
        url = urlsplit(self._settings.url)
        endpoint = guarded_endpoint(url, self._settings.allow)
        if isinstance(endpoint, Forbidden):
            why = f"{url.hostname} is at {endpoint.address}, which is neither public nor in the witness's allow"
            raise Unavailable(f"{why}: to ask there, add {what_would_allow(endpoint.address)}")
        headers = {"Host": url.netloc, "Content-Type": "text/plain; charset=utf-8"}
        answer = request(endpoint, "POST", f"{url.path}/add-checkpoint", headers=headers, body=body, timeout_s=TIMEOUT_S)
        return WitnessAnswer(answer.status, answer.headers.get("content-type", ""), answer.body)


class CosignersInThreads:
    """The port ``Cosigners``. A thread lives for one round; who is still at it when woken is left alone."""

    def __init__(self, cosigns: Sequence[Cosign], log: Log) -> None:
        self._cosigns = cosigns
        self._log = log
        self._threads: dict[str, Thread] = {}

    def wake(self) -> None:
        """Begin a round with each witness that is not in one."""
        for cosign in self._cosigns:
            thread = self._threads.get(cosign.name)
            if thread is None or not thread.is_alive():
                # Daemon: stopping does not wait for a witness. What is cut off is asked for again.
                self._threads[cosign.name] = Thread(target=self._round, args=(cosign,), daemon=True)
                self._threads[cosign.name].start()

    def join(self) -> None:
        """Wait for every round to end, which the client's timeout sees to."""
        for thread in self._threads.values():
            thread.join()

    def _round(self, cosign: Cosign) -> None:
        try:
            cosign.run()
        except LedgerUnavailable as fault:
            self._log("witness.unavailable", witness=cosign.name, problem=str(fault))
