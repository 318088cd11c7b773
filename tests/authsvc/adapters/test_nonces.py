"""The system's random bits, given out once each."""

import pytest

from authsvc.adapters.nonces import FETCHED, SystemNonces
from wharfinger.wire.jti import NONCE_BITS


@pytest.mark.parametrize("bits", [1, 7, 8, 9, NONCE_BITS, 64])
def test_so_many_bits(bits: int) -> None:
    """Never more, and each of them is drawn."""
    nonces = SystemNonces()
    drawn = [nonces(bits) for _ in range(2_000)]
    assert all(0 <= one < 1 << bits for one in drawn)
    for at in range(bits):
        assert 800 < sum(one >> at & 1 for one in drawn) < 1_200


def test_none_twice() -> None:
    """Also across what is fetched at once, and between two of them."""
    first, second = SystemNonces(), SystemNonces()
    count = 3 * FETCHED // 8
    assert len({*(first(64) for _ in range(count)), *(second(64) for _ in range(count))}) == 2 * count
