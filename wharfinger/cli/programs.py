"""Programs that the tour starts: each is up once it answers as ours does; one that ends is told of, never passed over.

Knows nothing of what they do.
"""

import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from workers.errors import Unavailable

START_S: Final = 60.0
"""Beyond what a service waits for its port: whoever is still waiting for it must not pass for one that runs."""
STOP_S: Final = 30.0
LOOK_S: Final = 0.1


class Programs:
    """Running programs by name, each with its log ``NAME.log`` in a folder."""

    def __init__(self, logs: Path, *, start_s: float = START_S) -> None:
        self._logs = logs
        self._start_s = start_s
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, command_line: Sequence[str], answers: Callable[[], bool]) -> int:
        """Start one and wait until it answers; its process id.

        Args:
            name: for people, and for its log.
            command_line: the program and its arguments.
            answers: whether it serves by now, as only this very program would.

        Raises:
            Unavailable: one of the programs ended, or it did not answer in time.
        """
        with self.log_of(name).open("ab") as log:
            # A session of its own: Ctrl+C is ours to hand on, in order.
            child = subprocess.Popen(command_line, stdout=log, stderr=log, start_new_session=True)  # noqa: S603 - ours
        self._running[name] = child
        until = time.monotonic() + self._start_s
        while time.monotonic() < until:
            served = answers()
            # Looked at after the answer: a child that could not have the port is gone, and somebody else answered.
            self.require_all()
            if served:
                return child.pid
            time.sleep(LOOK_S)
        raise Unavailable(f"{name} did not answer within {self._start_s:.0f} s; see {self.log_of(name)}")

    def require_all(self) -> None:
        """That all of them run. Raises Unavailable: one has ended."""
        for name, child in self._running.items():
            code = child.poll()
            if code is not None:
                raise Unavailable(f"{name} ended with {code}; see {self.log_of(name)}")

    def stop(self) -> None:
        """Stop them, last started first, and wait."""
        for child in reversed(self._running.values()):
            if child.poll() is None:
                child.terminate()
                try:
                    child.wait(STOP_S)
                except subprocess.TimeoutExpired:
                    child.kill()
                    child.wait()

    def log_of(self, name: str) -> Path:
        """Where a program's own words go."""
        return self._logs / f"{name}.log"
