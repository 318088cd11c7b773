"""The port ``Nonces`` over the system's generator, asked for many at once: a call for each costs more than what it gives."""

import os
from typing import Final

FETCHED: Final = 2_048
"""Bytes of one call."""


class SystemNonces:
    """Random bits that are given out once each. Of one process: made after the fork."""

    def __init__(self) -> None:
        self._bytes = b""
        self._given = 0

    def __call__(self, bits: int) -> int:
        """So many random bits."""
        size = (bits + 7) // 8
        if self._given + size > len(self._bytes):
            self._bytes, self._given = os.urandom(FETCHED), 0
        taken = self._bytes[self._given : self._given + size]
        self._given += size
        return int.from_bytes(taken) >> 8 * size - bits
