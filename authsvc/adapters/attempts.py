"""Wrong passwords counted in Redis, so that every process of the token service knows of them (redis-py, asyncio).

Nothing of it must last: a Redis that comes back empty has forgotten them. What a process has heard of them it remembers: that
tells it, without asking again, whom nothing holds back, and it goes on counting from there while Redis is away.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, Final

import redis.asyncio as redis
from redis.exceptions import RedisError

from authsvc.decide.backoff import MAX_COUNTED, WINDOW_S, Counts, Failures, Kind, Subjects, same_try, subjects
from authsvc.decide.request import Claimed
from authsvc.errors import Unavailable
from authsvc.ports import Clock
from wharfinger.wire import keys

_FLAG: Final = b"1"
_WINDOW_MS: Final = WINDOW_S * 1_000
_Counted = Mapping[Kind, Failures]


class SharedAttempts:
    """The port ``Attempts``. ``key`` hashes names and passwords.

    ``away``: whether Redis is known to be away; while it is, or does not answer, this process counts alone. Without it, it is
    Unavailable then.
    """

    def __init__(self, client: "redis.Redis", key: bytes, clock: Clock, *, away: Callable[[], bool] | None = None) -> None:
        self._redis = client
        self._key = key
        self._clock = clock
        self._away = away
        self._known = Counts()
        # Asked for every token: hashing anew each time would cost a tenth of one.
        self._subjects = lru_cache(MAX_COUNTED)(lambda account, addr: subjects(key, account=account, addr=addr))

    def suspects(self, claimed: Claimed, addr: str) -> bool:
        """Whether this process has heard of a pause that holds."""
        return self._known.pause_s(self._subjects(claimed.account, addr), self._clock()) > 0

    async def pause_s(self, claimed: Claimed, addr: str) -> int:
        """The longest of the pauses that hold now."""
        tried = self._subjects(claimed.account, addr)
        if not self._alone():
            with self._or_alone():
                counted, proved = await self._ask(tried)
                self._known.learn(tried, counted, self._clock(), proved=proved)
        return self._known.pause_s(tried, self._clock())

    async def count(self, claimed: Claimed, addr: str, *, right: bool) -> None:
        """For all processes; while Redis is away for this one."""
        tried = self._subjects(claimed.account, addr)
        if right:
            await self._prove(tried)
            return
        same = same_try(self._key, account=claimed.account, password=claimed.password, addr=addr)
        if not self._alone():
            with self._or_alone():
                self._known.learn(tried, await self._fail(tried, same), self._clock(), proved=False)
                return
        self._known.failed(tried, same, self._clock())

    def _alone(self) -> bool:
        return self._away is not None and self._away()

    @contextmanager
    def _or_alone(self) -> Iterator[None]:
        """Leaves its block when Redis does not answer, if there is a way out; else raises Unavailable."""
        try:
            yield
        except (RedisError, OSError) as error:
            if self._away is None:
                raise Unavailable(f"Redis does not count wrong passwords: {type(error).__name__}") from error

    async def _ask(self, tried: Subjects) -> tuple[_Counted, bool]:
        async with self._redis.pipeline(transaction=False) as pipeline:
            for hashed in tried.values():
                pipeline.get(keys.failures(hashed))
                pipeline.pttl(keys.failures(hashed))
            pipeline.exists(keys.proved(tried.get(Kind.PLACE, "")))
            *answers, proved = await pipeline.execute()
        return dict(_failures(tried, answers)), bool(proved)

    async def _fail(self, tried: Subjects, same: str) -> _Counted:
        # A crash after the flag, before the counters, forgets one failure.
        if not await self._redis.set(keys.tried(same), _FLAG, nx=True, ex=WINDOW_S):
            return {}
        async with self._redis.pipeline(transaction=True) as pipeline:
            for hashed in tried.values():
                pipeline.incr(keys.failures(hashed))
                pipeline.expire(keys.failures(hashed), WINDOW_S)
            counts = (await pipeline.execute())[::2]
        return {kind: Failures(int(count), 0) for kind, count in zip(tried, counts, strict=True)}

    async def _prove(self, tried: Subjects) -> None:
        now_ms, place = self._clock(), tried.get(Kind.PLACE, "")
        self._known.proved(tried, now_ms)
        if not place or self._alone() or self._known.told_lately(place, now_ms):
            return
        with self._or_alone():
            await self._redis.set(keys.proved(place), _FLAG, ex=WINDOW_S)
            self._known.told(place, now_ms)


def _failures(tried: Subjects, answers: list[Any]) -> Iterator[tuple[Kind, Failures]]:
    for kind, count, left_ms in zip(tried, answers[::2], answers[1::2], strict=True):
        if count is not None and left_ms > 0:
            yield kind, Failures(int(count), _WINDOW_MS - left_ms)
