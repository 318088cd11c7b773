"""Progress for people: a count on a terminal, nothing in a pipe. And the clock of commands."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console


@contextmanager
def counting(what: str) -> Iterator[Callable[[int], None]]:
    """Something to tell a growing count to."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda _count: None
        return
    with console.status(what) as status:
        yield lambda count: status.update(f"{what}: {count}")


def now_ms() -> int:
    """Milliseconds since the epoch."""
    return time.time_ns() // 1_000_000
