"""Removes what is committed and old: stream entries behind what SQL has committed, and spill files nobody names any more.

And what is committed and young, when the server's memory is running short: strangers can have records written, each up to a
hundred kilobytes, faster than a day ends. A server that the kernel kills for its memory cannot load what it kept, either.
"""

import time
from pathlib import Path
from typing import Final, cast

import redis

from wharfinger.wire import keys
from wharfinger.wire.codec import UnreadableRecord
from wharfinger.wire.issuance import issuance_from_fields
from wharfinger.wire.names import Jti
from workers.adapters.redis_errors import unavailable_when_silent

KEEP_MS: Final = {keys.ISSUANCES: keys.ISSUANCE_KEEP_S * 1_000, keys.REFUSALS: 3_600_000, keys.EVENTS: 3_600_000}
"""Entries stay this long for others to read; issuances a day."""
ORPHAN_S: Final = 3_600
"""A spill file so much older than every entry of the stream belongs to a notification that was never answered with 202."""
SHARE: Final = 4
"""What is committed may stay for others while all takes less than a quarter of the memory: a rewrite of the AOF forks."""
PAGE: Final = 100
PAGES: Final = 50
"""Of issuances in one go; each second there is another."""


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

    def make_room(self) -> int:
        """What SQL has committed goes, oldest first, for as long as memory is short."""
        with unavailable_when_silent():
            if not self._is_short():
                return 0
            now_ms = int(time.time() * 1_000)
            gone = sum(self._trim(stream, now_ms) for stream in (keys.EVENTS, keys.REFUSALS))
            for _ in range(PAGES):
                forgotten = self._forget_issuances(now_ms)
                gone += forgotten
                if not forgotten or not self._is_short():
                    break
            return gone

    def _is_short(self) -> bool:
        found = cast("dict[str, int]", self._redis.info("memory"))
        most = found.get("maxmemory") or found.get("total_system_memory", 0)
        return found.get("used_memory", 0) * SHARE > most > 0

    def _forget_issuances(self, before_ms: int) -> int:
        """The oldest, by their key too: settle finds them in the ledger. Crash in between: the next look finds the entries."""
        bound = self._bound(keys.ISSUANCES, before_ms)
        if bound is None:
            return 0
        entries = cast(
            "list[tuple[bytes, dict[bytes, bytes]]]", self._redis.xrange(keys.ISSUANCES, max=f"({bound}", count=PAGE)
        )
        if not entries:
            return 0
        # No transaction: a server that is full takes none.
        pipeline = self._redis.pipeline(transaction=False)
        named = [keys.issuance(jti) for _, fields in entries if (jti := _jti(fields))]
        if named:
            pipeline.unlink(*named)
        pipeline.xdel(keys.ISSUANCES, *(ident for ident, _ in entries))
        pipeline.execute()
        return len(entries)

    def _trim(self, stream: str, before_ms: int) -> int:
        bound = self._bound(stream, before_ms)
        return 0 if bound is None else self._redis.xtrim(stream, minid=bound, approximate=True)

    def _bound(self, stream: str, before_ms: int) -> str | None:
        # Never past what is unread or pending: an entry leaves only after SQL has committed it.
        groups = cast("list[dict[str, object]]", self._redis.xinfo_groups(stream)) if self._redis.exists(stream) else []
        ours = [group for group in groups if group["name"] in (keys.SETTLE_GROUP, keys.SETTLE_GROUP.encode())]
        if not ours:
            return None
        read = str(cast("bytes", ours[0]["last-delivered-id"]).decode())
        pending = cast("dict[str, bytes | None]", self._redis.xpending(stream, keys.SETTLE_GROUP))["min"]
        bound = min([_order(f"{before_ms}-0"), _order(read), *([_order(pending.decode())] if pending else [])])
        return f"{bound[0]}-{bound[1]}"

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


def _jti(fields: dict[bytes, bytes]) -> Jti | None:
    try:
        return issuance_from_fields(fields).jti
    except UnreadableRecord:
        return None


def _order(ident: str) -> tuple[int, int]:
    milliseconds, _, number = ident.partition("-")
    return int(milliseconds), int(number or 0)
