"""Processes that are killed at one statement: what the database has then is what a crash there leaves."""

import itertools
import os
import signal
from collections.abc import Callable

from sqlalchemy import Engine, event


def killed_at(statement: str, work: Callable[[], object], *, after: bool = False, time: int = 1) -> None:
    """Run work in a process of its own, which is killed just before, or just after, it sends a statement for the nth time."""
    child = os.fork()
    if child == 0:
        try:
            event.listen(Engine, f"{'after' if after else 'before'}_cursor_execute", _killer(statement, time))
            work()
        finally:
            os._exit(1)  # it lived, or failed: not what was wanted
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == -signal.SIGKILL


def _killer(statement: str, time: int) -> Callable[..., None]:
    sent = itertools.count(1)

    def kill(_connection: object, _cursor: object, executed: str, *_others: object) -> None:
        if executed.startswith(statement) and next(sent) == time:
            os.kill(os.getpid(), signal.SIGKILL)

    return kill
