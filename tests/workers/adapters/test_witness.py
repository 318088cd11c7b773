"""Witnesses over HTTP: asked at checked addresses, each in a thread of its own, and none waits for another."""

from collections.abc import Iterator
from dataclasses import replace
from ipaddress import ip_network
from threading import Event
from typing import Any

import pytest

from tests.real.conftest import free_port, wait_until
from tests.wharfinger.ledger import vectors
from tests.witness import Witness, serving
from wharfinger.ledger.checkpoint import SignedCheckpoint, add_checkpoint_request, sign
from wharfinger.ledger.errors import LedgerUnavailable
from wharfinger.ledger.note import Signature, parse_vkey
from wharfinger.ledger.values import TrailAlarm
from wharfinger.runtime import settings
from wharfinger.runtime.log import discard
from workers.adapters.witness import CosignersInThreads, HttpWitness
from workers.cosign import Cosign
from workers.decide.cosigning import WitnessAnswer
from workers.errors import Unavailable
from workers.warn import Warn

LOOPBACK = (ip_network("127.0.0.0/8"),)
SIGNED = sign(vectors.CHECKPOINT, vectors.LOG)
REQUEST = add_checkpoint_request(0, [], SIGNED)


@pytest.fixture
def witness() -> Witness:
    """A witness that knows the log."""
    return Witness([vectors.LOG_VKEY])


@pytest.fixture
def url(witness: Witness) -> Iterator[str]:
    """Where it listens."""
    with serving(witness) as prefix:
        yield prefix


def configured(url: str, *, allow: tuple[settings.Network, ...] = LOOPBACK) -> settings.Witness:
    """A witness of the configuration."""
    return settings.Witness("w1", url, "", allow, 1)


def test_an_answer_comes_back_whole(witness: Witness, url: str) -> None:
    """Status, content type and body, of a 200 and of a 409."""
    asking = HttpWitness(configured(url))
    first, second = asking.ask(REQUEST), asking.ask(REQUEST)
    assert (first.status, first.body.startswith("— witness.test/w1 ".encode())) == (200, True)
    assert (second.status, second.content_type, second.body) == (409, "text/x.tlog.size", b"3\n")
    assert witness.asked == [200, 409]


def test_a_private_address_must_be_allowed(witness: Witness, url: str) -> None:
    """A name that resolves to an inner address is not asked, unless the operator said so."""
    with pytest.raises(Unavailable, match="neither public nor in the witness's allow"):
        HttpWitness(configured(url, allow=())).ask(REQUEST)
    assert witness.asked == []


def test_nobody_listens() -> None:
    """Told as unavailable."""
    with pytest.raises(Unavailable):
        HttpWitness(configured(f"http://127.0.0.1:{free_port()}")).ask(REQUEST)


class Nobody:
    """The port ``Alarms``, for witnesses that raise none."""

    def tell(self, alarm: TrailAlarm) -> bool:
        """None is expected."""
        raise AssertionError(alarm)


WARN = Warn(Nobody(), (), discard)


class Remembering:
    """The port ``SignedLog``, in memory."""

    def __init__(self, *, away: bool = False) -> None:
        self.added: list[Signature] = []
        self._away = away

    def newest(self) -> SignedCheckpoint:
        """The newest checkpoint, with what was added."""
        if self._away:
            raise LedgerUnavailable("away")
        return replace(SIGNED, note=replace(SIGNED.note, signatures=(*SIGNED.note.signatures, *self.added)))

    def proof(self, old: int, new: int) -> list[bytes]:
        """Nothing needs proving here."""
        return []

    def add(self, size: int, cosignature: Signature) -> None:
        """Keep it."""
        self.added.append(cosignature)


def test_a_hanging_witness_holds_up_nobody(witness: Witness, url: str) -> None:
    """One takes the connection and says nothing: another cosigns meanwhile, and waking again starts no second round with it."""
    begun, go_on = Event(), Event()

    class Hanging:
        """The port ``Witness``."""

        asked = 0

        def ask(self, _body: bytes) -> WitnessAnswer:
            self.asked += 1
            begun.set()
            go_on.wait()
            raise Unavailable("it did not answer in time")

    hanging, kept = Hanging(), Remembering()
    cosigners = CosignersInThreads(
        [
            Cosign("slow", parse_vkey(witness.vkey), hanging, Remembering(), WARN, discard),
            Cosign("w1", parse_vkey(witness.vkey), HttpWitness(configured(url)), kept, WARN, discard),
        ],
        discard,
    )
    try:
        cosigners.wake()
        wait_until("the cosignature", lambda: kept.added)
        assert begun.wait(10)
        cosigners.wake()
    finally:
        go_on.set()
        cosigners.join()
    assert (hanging.asked, len(kept.added)) == (1, 1)
    cosigners.wake()
    cosigners.join()
    assert hanging.asked == 2


def test_a_ledger_that_is_away_is_told_of(witness: Witness, url: str) -> None:
    """The thread ends; the next waking finds the same."""
    logged: list[tuple[str, Any]] = []
    cosign = Cosign("w1", parse_vkey(witness.vkey), HttpWitness(configured(url)), Remembering(away=True), WARN, discard)
    cosigners = CosignersInThreads([cosign], lambda event, /, **fields: logged.append((event, fields)))
    cosigners.wake()
    cosigners.join()
    assert logged == [("witness.unavailable", {"witness": "w1", "problem": "away"})]


def test_a_name_that_nobody_has() -> None:
    """Not resolved: unavailable, never an error."""
    with pytest.raises(Unavailable, match="cannot be resolved"):
        HttpWitness(configured("http://nobody.invalid")).ask(REQUEST)
