"""bcrypt in a bounded pool of threads, with a short memory of what matched. A compare costs 50 ms and more of a core.

Clients fetch a token for nearly every step, containerd twice with the same password: equal compares that run at once share
one, and a match is remembered for a minute under a key of this process, never the password itself.
"""

import asyncio
import hashlib
import hmac
import os
import secrets
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import bcrypt

from authsvc.errors import Unavailable

MAX_WAITING: Final = 64
"""Compares that may wait: at 50 ms and two threads the last of them waits under two seconds."""
REMEMBERED_S: Final = 60.0
MAX_REMEMBERED: Final = 10_000


class BcryptPool:
    """The port ``PasswordCheck``."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(min(4, os.cpu_count() or 1), thread_name_prefix="bcrypt")
        self._key = secrets.token_bytes(32)
        self._running: dict[bytes, asyncio.Future[bool]] = {}
        self._matched: dict[bytes, float] = {}

    async def matches(self, password: bytes, hashed: bytes) -> bool:
        """Whether a password is the one of a hash."""
        name = self._name(password, hashed)
        if self._remembered(name):
            return True
        running = self._running.get(name)
        if running is None:
            if len(self._running) >= MAX_WAITING:
                raise Unavailable("too many passwords wait to be compared")
            running = asyncio.get_running_loop().run_in_executor(self._threads, _compare, password, hashed)
            self._running[name] = running
            running.add_done_callback(lambda _: self._running.pop(name, None))
        # Shielded: one client that gives up does not take the answer from the others.
        matched = await asyncio.shield(running)
        if matched:
            self._remember(name)
        return matched

    def remembers(self, password: bytes, hashed: bytes) -> bool:
        """Whether that pair matched within REMEMBERED_S."""
        return self._remembered(self._name(password, hashed))

    def close(self) -> None:
        """Let the threads go."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _name(self, password: bytes, hashed: bytes) -> bytes:
        # Of the stored hash too: a changed password is forgotten at once.
        return hmac.digest(self._key, len(hashed).to_bytes(4) + hashed + password, hashlib.sha256)

    def _remembered(self, name: bytes) -> bool:
        until = self._matched.get(name)
        return until is not None and until > time.monotonic()

    def _remember(self, name: bytes) -> None:
        while len(self._matched) >= MAX_REMEMBERED:
            del self._matched[next(iter(self._matched))]
        self._matched[name] = time.monotonic() + REMEMBERED_S


def _compare(password: bytes, hashed: bytes) -> bool:
    try:
        return bool(password) and bcrypt.checkpw(password, hashed)
    except ValueError:  # a malformed hash; check() tells the operator
        return False
