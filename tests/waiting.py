"""Waiting for a condition inside a loop, and saying what did not come."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest


async def until(what: str, predicate: Callable[[], Any], seconds: float = 30) -> Any:
    """Wait for something."""
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while loop.time() < end:
        if found := predicate():
            return found
        await asyncio.sleep(0.005)
    pytest.fail(f"{what} did not come within {seconds:.0f} s")
