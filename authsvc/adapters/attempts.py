"""Wrong passwords counted in Redis, so that every process of the token service knows of them (redis-py, asyncio).

Nothing of it must last: a Redis that comes back empty has forgotten them, and guessing is then as slow as bcrypt's queue.
"""

import redis.asyncio as redis
from redis.exceptions import RedisError

from authsvc.decide.backoff import LIMITS, SAME_TRY_S, WINDOW_S, counted, same_try
from authsvc.decide.refusals import network_of
from authsvc.decide.request import Claimed
from authsvc.errors import Unavailable
from wharfinger.wire import keys


class RedisAttempts:
    """The port ``Attempts``. ``key`` hashes names and passwords."""

    def __init__(self, client: "redis.Redis", key: bytes) -> None:
        self._redis = client
        self._key = key

    async def pause_s(self, claimed: Claimed, addr: str) -> int:
        """The longest of the pauses that hold now."""
        subjects = counted(self._key, account=claimed.account, network=network_of(addr))
        try:
            async with self._redis.pipeline(transaction=False) as pipeline:
                for hashed in subjects.values():
                    pipeline.pttl(keys.pause(hashed))
                left_ms = await pipeline.execute()
        except (RedisError, OSError) as error:
            raise Unavailable(f"Redis did not tell of wrong passwords: {type(error).__name__}") from error
        return max(0, *(-(-int(left) // 1_000) for left in left_ms))

    async def failed(self, claimed: Claimed, addr: str) -> None:
        """Count, unless it is the same try; then set the pause that follows."""
        subjects = counted(self._key, account=claimed.account, network=network_of(addr))
        tried = same_try(self._key, account=claimed.account, password=claimed.password, addr=addr)
        try:
            if not await self._redis.set(keys.tried(tried), b"1", nx=True, ex=SAME_TRY_S):
                return
            async with self._redis.pipeline(transaction=True) as pipeline:
                for hashed in subjects.values():
                    pipeline.incr(keys.failures(hashed))
                    pipeline.expire(keys.failures(hashed), WINDOW_S)
                counts = (await pipeline.execute())[::2]
                for (kind, hashed), count in zip(subjects.items(), counts, strict=True):
                    pause_s = LIMITS[kind].pause_s(count)
                    if pause_s:
                        pipeline.set(keys.pause(hashed), b"1", ex=pause_s)
                await pipeline.execute()
        except (RedisError, OSError) as error:
            raise Unavailable(f"Redis did not count a wrong password: {type(error).__name__}") from error
