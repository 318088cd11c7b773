"""A port with what passes through it counted. Changes nothing of it."""

import time

from authsvc.errors import Unavailable
from authsvc.metrics import BCRYPT_QUEUE, BCRYPT_SECONDS, PASSWORDS
from authsvc.ports import PasswordCheck
from wharfinger.runtime.metrics import Meter


class MeasuredPasswords:
    """The port ``PasswordCheck``."""

    def __init__(self, passwords: PasswordCheck, meter: Meter) -> None:
        self._passwords = passwords
        self._meter = meter

    def remembers(self, password: bytes, hashed: bytes) -> bool:
        """Count what needed no comparison."""
        found = self._passwords.remembers(password, hashed)
        if found:
            self._meter.add(PASSWORDS, "memory")
        return found

    async def matches(self, password: bytes, hashed: bytes) -> bool:
        """Count and time what needs one."""
        if self.remembers(password, hashed):
            return True
        self._meter.add(BCRYPT_QUEUE)
        began = time.monotonic()
        try:
            matched = await self._passwords.matches(password, hashed)
        except Unavailable:
            self._meter.add(PASSWORDS, "turned_away")
            raise
        finally:
            self._meter.add(BCRYPT_QUEUE, by=-1)
        self._meter.add(PASSWORDS, "bcrypt")
        self._meter.observe(BCRYPT_SECONDS, time.monotonic() - began)
        return matched
