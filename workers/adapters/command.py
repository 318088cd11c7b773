"""Runs a program for each delivery: no shell, a process group and an environment of its own, a bounded time. Decides nothing.

What it is about to run is kept before. A worker that is killed takes the program with it (``launch``), and whoever takes the
delivery over finds that it was begun.
"""

import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from wharfinger.runtime.settings import CommandTarget
from workers.adapters import launch
from workers.decide.conversation import masked
from workers.decide.order import Order, Retry, Sent
from workers.decide.targets.command import Ended, cut_off, meaning, told
from workers.ports import Lease

PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
GRACE_S: Final = 5.0
"""From SIGTERM to SIGKILL, when its time is up."""
KEPT: Final = 4_096
"""Bytes of its output that are kept: the last ones."""
CHUNK: Final = 64 * 1024
POLL_S: Final = 0.1


class CommandRunner:
    """The port ``Target``, as a program."""

    def __init__(self, settings: CommandTarget, *, grace_s: float = GRACE_S) -> None:
        self._settings = settings
        self._grace_s = grace_s

    def resume(self, _order: Order, lease: Lease) -> Sent | None:
        """None unless it was begun, and nobody wrote how it ended."""
        return _forgotten(cut_off(repeatable=self._settings.repeatable), lease) if lease.noted else None

    def send(self, order: Order, lease: Lease) -> Sent:
        """Run it to its end."""
        # Crash just after: it was not run, and counts as one that was cut off.
        lease.note({"asked": str(int(time.time()))})
        ended = self._run(order)
        sent = meaning(ended, timeout_s=self._settings.timeout_s, repeatable=self._settings.repeatable)
        return _forgotten(masked(sent, tuple(self._settings.environment.values())), lease)

    def _run(self, order: Order) -> Ended:
        given = {name: value.reveal().decode("utf-8", "surrogateescape") for name, value in self._settings.environment.items()}
        with tempfile.TemporaryFile() as standard_input:
            # A file and no pipe: a program that reads nothing must not hold us.
            standard_input.write(told(order))
            standard_input.seek(0)
            process = subprocess.Popen(  # noqa: S603 - the operator's program, without a shell
                [sys.executable, "-I", str(Path(launch.__file__)), str(os.getpid()), *self._settings.program],
                stdin=standard_input,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env={"PATH": PATH, "LANG": "C.UTF-8", **given},
                cwd="/",
                start_new_session=True,
            )
        try:
            return self._watch(process)
        finally:
            # Whatever it left running was of its group, and its time is over.
            _signal(process, signal.SIGKILL)
            process.wait()
            if process.stdout is not None:
                process.stdout.close()

    def _watch(self, process: "subprocess.Popen[bytes]") -> Ended:
        until = time.monotonic() + self._settings.timeout_s
        said, ended_in_time = bytearray(), True
        with selectors.DefaultSelector() as selector:
            if process.stdout is not None:
                os.set_blocking(process.stdout.fileno(), False)
                selector.register(process.stdout, selectors.EVENT_READ)
            while process.poll() is None:
                if time.monotonic() > until:
                    if not ended_in_time:
                        break
                    ended_in_time, until = False, time.monotonic() + self._grace_s
                    _signal(process, signal.SIGTERM)
                selector.select(POLL_S)
                _take(process, selector, said)
            # What it wrote last; not until the end, for something it left may hold the pipe open.
            _take(process, selector, said)
        return Ended(process.returncode if ended_in_time else None, bytes(said))


def _forgotten(sent: Sent, lease: Lease) -> Sent:
    # Only what is to be run again: with any other end a crash before it is written must not look as if nothing was begun.
    if isinstance(sent, Retry):
        lease.note({})
    return sent


def _take(process: "subprocess.Popen[bytes]", selector: selectors.BaseSelector, said: bytearray) -> None:
    stream = process.stdout
    if stream is None or stream not in selector.get_map():
        return
    with suppress(BlockingIOError):
        while chunk := os.read(stream.fileno(), CHUNK):
            said += chunk
            del said[:-KEPT]
        selector.unregister(stream)


def _signal(process: "subprocess.Popen[bytes]", number: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)
