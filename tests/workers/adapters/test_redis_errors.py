"""What redis-py raises, as what a worker must do about it."""

import pytest
import redis

from workers.adapters.redis_errors import unavailable_when_silent
from workers.errors import BadInput, Unavailable


@pytest.mark.parametrize(
    "fault",
    [
        redis.ConnectionError("s3cret"),
        redis.TimeoutError("s3cret"),
        redis.ResponseError("WRONGTYPE s3cret"),
        redis.AuthenticationError("s3cret"),
        redis.BusyLoadingError("s3cret"),
        ConnectionResetError("s3cret"),
        TimeoutError("s3cret"),
    ],
    ids=lambda fault: type(fault).__name__,
)
def test_the_store_s_faults(fault: Exception) -> None:
    """Try again later; told by their kind, never with what they say."""
    with pytest.raises(Unavailable, match=type(fault).__name__) as raised, unavailable_when_silent():
        raise fault
    assert "s3cret" not in str(raised.value)
    assert raised.value.__cause__ is fault


@pytest.mark.parametrize("fault", [ValueError("x"), KeyError("x"), BadInput("x"), Unavailable("x"), KeyboardInterrupt()])
def test_other_faults(fault: BaseException) -> None:
    """They are not the store's, and stay what they are."""
    with pytest.raises(type(fault)) as raised, unavailable_when_silent():
        raise fault
    assert raised.value is fault


def test_no_fault() -> None:
    """Nothing is in the way."""
    with unavailable_when_silent():
        assert True
