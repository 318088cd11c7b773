"""Removes what is committed and old: stream entries behind what SQL has committed, and spill files nobody names any more."""

import time
from pathlib import Path
from typing import Final, cast

import redis

from wharfinger.wire import keys
from workers.adapters.redis_errors import unavailable_when_silent

KEEP_MS: Final = {keys.ISSUANCES: keys.ISSUANCE_KEEP_S * 1_000, keys.REFUSALS: 3_600_000, keys.EVENTS: 3_600_000}
"""Entries stay this long for others to read; issuances a day."""
ORPHAN_S: Final = 3_600
"""A spill file so much older than every entry of the stream belongs to a notification that was never answered with 202."""


class RedisHousekeeping:
    """The port ``Housekeeping``."""

    def __init__(self, client: redis.Redis, spill: Path) -> None:
        self._redis = client
        self._spill = spill

    def tidy(self) -> int:
        """Trim, then remove orphans."""
        now_ms = int(time.time() * 1_000)
        with unavailable_when_silent():
            trimmed = sum(self._trim(stream, now_ms - keep_ms) for stream, keep_ms in KEEP_MS.items())
            oldest_ms = self._oldest_ms(now_ms)
        # The hour counts from the oldest entry too: a file is written before the entry that names it.
        return trimmed + self._remove_orphans(min(oldest_ms, now_ms) - ORPHAN_S * 1_000)

    def _trim(self, stream: str, before_ms: int) -> int:
        # Never past what is unread or pending: an entry leaves only after SQL has committed it.
        groups = cast("list[dict[str, object]]", self._redis.xinfo_groups(stream)) if self._redis.exists(stream) else []
        ours = [group for group in groups if group["name"] in (keys.SETTLE_GROUP, keys.SETTLE_GROUP.encode())]
        if not ours:
            return 0
        read = str(cast("bytes", ours[0]["last-delivered-id"]).decode())
        pending = cast("dict[str, bytes | None]", self._redis.xpending(stream, keys.SETTLE_GROUP))["min"]
        bound = min([_order(f"{before_ms}-0"), _order(read), *([_order(pending.decode())] if pending else [])])
        return self._redis.xtrim(stream, minid=f"{bound[0]}-{bound[1]}", approximate=True)

    def _oldest_ms(self, now_ms: int) -> int:
        first = cast("list[tuple[bytes, object]]", self._redis.xrange(keys.EVENTS, count=1))
        return int(first[0][0].partition(b"-")[0]) if first else now_ms

    def _remove_orphans(self, before_ms: int) -> int:
        if not self._spill.is_dir():
            return 0
        removed = 0
        for file in self._spill.iterdir():
            if file.is_file() and file.stat().st_mtime * 1_000 < before_ms:
                file.unlink(missing_ok=True)
                removed += 1
        return removed


def _order(ident: str) -> tuple[int, int]:
    milliseconds, _, number = ident.partition("-")
    return int(milliseconds), int(number or 0)
