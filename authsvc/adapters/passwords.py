"""bcrypt in a bounded pool of threads, with a short memory of what it found. A compare costs 50 ms and more of a core.

Clients fetch a token for nearly every step, containerd twice with the same password, one with a stale password for ever: equal
compares that run at once share one, and what came of one is remembered for a minute under a key of this process, never the
password itself. What matched is remembered on for as long as it is used: the same two things cannot differ later, and comparing
them again each minute would let all who use that password wait.
"""

import asyncio
import hashlib
import os
import secrets
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import bcrypt

from authsvc.errors import Unavailable

MAX_WAITING: Final = 64
"""Compares that may wait: at 50 ms and two threads the last of them waits under two seconds."""
REMEMBERED_S: Final = 60.0
MAX_REMEMBERED: Final = 10_000
_NOBODYS: Final = b"$2b$10$" + b"N" * 21 + b"u" + b"N" * 31


class BcryptPool:
    """The port ``PasswordCheck``. ``compare``: what runs in the threads."""

    def __init__(
        self, compare: Callable[[bytes, bytes], bool] | None = None, *, clock_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._compare = compare or compare_bcrypt
        self._clock_s = clock_s
        self._threads = ThreadPoolExecutor(min(4, os.cpu_count() or 1), thread_name_prefix="bcrypt")
        self._key = secrets.token_bytes(32)
        self._running: dict[bytes, asyncio.Future[bool]] = {}
        # Apart, so that guesses do not push out what matched.
        self._matched: dict[bytes, float] = {}
        self._differed: dict[bytes, float] = {}

    async def matches(self, password: bytes, hashed: bytes) -> bool:
        """Whether a password is the one of a hash."""
        name = self._name(password, hashed)
        if self._is_known(name):
            return True
        if self._differed.get(name, 0.0) > self._clock_s():
            return False
        running = self._running.get(name)
        if running is None:
            if len(self._running) >= MAX_WAITING:
                raise Unavailable("too many passwords wait to be compared")
            running = asyncio.get_running_loop().run_in_executor(self._threads, self._compare, password, hashed)
            self._running[name] = running
            running.add_done_callback(lambda _: self._running.pop(name, None))
        # Shielded: one client that gives up does not take the answer from the others.
        matched = await asyncio.shield(running)
        self._remember(self._matched if matched else self._differed, name)
        return matched

    def remembers(self, password: bytes, hashed: bytes) -> bool:
        """Whether that pair matched, or was asked about since, within REMEMBERED_S."""
        return self._is_known(self._name(password, hashed))

    def waiting(self) -> int:
        """How many compares run, or wait to."""
        return len(self._running)

    def close(self) -> None:
        """Let the threads go."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _is_known(self, name: bytes) -> bool:
        now_s, until_s = self._clock_s(), self._matched.get(name, 0.0)
        if until_s - now_s < REMEMBERED_S / 2:  # else it need not be written down anew
            if until_s <= now_s:
                return False
            self._remember(self._matched, name)
        return True

    def _remember(self, known: dict[bytes, float], name: bytes) -> None:
        # The oldest stands first: what is put again goes to the end.
        known.pop(name, None)
        while len(known) >= MAX_REMEMBERED:
            del known[next(iter(known))]
        known[name] = self._clock_s() + REMEMBERED_S

    def _name(self, password: bytes, hashed: bytes) -> bytes:
        # Of the stored hash too: a changed password is forgotten at once.
        return hashlib.blake2b(len(hashed).to_bytes(4) + hashed + password, key=self._key, digest_size=32).digest()


def compare_bcrypt(password: bytes, hashed: bytes) -> bool:
    """Whether a password is the one of a hash; an empty one is nobody's."""
    if not password:
        return False
    try:
        return bcrypt.checkpw(password, hashed)
    except ValueError:
        # A malformed hash is nobody's; check() tells the operator. Haste would tell others that there is such a name.
        bcrypt.checkpw(password, _NOBODYS)
        return False
