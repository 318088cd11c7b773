"""Ports with what passes through them counted: nothing of it changes."""

import pytest
from prometheus_client.parser import text_string_to_metric_families

from authsvc.adapters.measured import MeasuredPasswords
from authsvc.errors import Unavailable
from authsvc.metrics import BCRYPT_QUEUE, BCRYPT_SECONDS, PASSWORDS
from wharfinger.runtime.metrics import Board, Meter


class Passwords:
    """The port: ``known`` is remembered, ``right`` matches, of ``much`` there is too much."""

    def __init__(self, meter: Meter) -> None:
        self.queue: list[float] = []
        self._meter = meter

    async def matches(self, password: bytes, hashed: bytes) -> bool:
        """See what the gauge says meanwhile."""
        self.queue.append(counted(self._meter)["wharfinger_auth_bcrypt_queue"])
        if password == b"much":
            raise Unavailable("too many passwords wait to be compared")
        return password == b"right"

    def remembers(self, password: bytes, hashed: bytes) -> bool:
        """One is."""
        return password == b"known"


def counted(meter: Meter) -> dict[str, float]:
    """Every sample that is not a bucket, labels in its name."""
    return {
        sample.name + "".join(f" {value}" for value in sample.labels.values()): sample.value
        for family in text_string_to_metric_families(meter.text())
        for sample in family.samples
        if "le" not in sample.labels
    }


async def test_passwords() -> None:
    """Remembered, compared and turned away, each by itself; the queue is empty again after each of them."""
    meter = Board((PASSWORDS, BCRYPT_QUEUE, BCRYPT_SECONDS)).meter()
    inner = Passwords(meter)
    passwords = MeasuredPasswords(inner, meter)
    assert passwords.remembers(b"known", b"hash")
    assert not passwords.remembers(b"right", b"hash")
    assert [await passwords.matches(word, b"hash") for word in (b"known", b"right", b"wrong")] == [True, True, False]
    with pytest.raises(Unavailable):
        await passwords.matches(b"much", b"hash")
    assert inner.queue == [1, 1, 1]
    found = counted(meter)
    assert found.pop("wharfinger_auth_bcrypt_seconds_sum") >= 0
    assert found == {
        "wharfinger_auth_passwords_total memory": 2,
        "wharfinger_auth_passwords_total bcrypt": 2,
        "wharfinger_auth_passwords_total turned_away": 1,
        "wharfinger_auth_bcrypt_queue": 0,
        "wharfinger_auth_bcrypt_seconds_count": 2,
    }
