"""Translates what redis-py raises into what a worker must do about it."""

from collections.abc import Iterator
from contextlib import contextmanager

import redis

from workers.errors import Unavailable


@contextmanager
def unavailable_when_silent() -> Iterator[None]:
    """Raise Unavailable for every error of the connection or the server; never with a key's content."""
    try:
        yield
    except (redis.RedisError, OSError) as error:
        raise Unavailable(f"Redis did not answer: {type(error).__name__}") from error
