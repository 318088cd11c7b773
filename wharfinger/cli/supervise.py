"""Supervises child processes: forks them, restarts those that end, replaces those whose settings changed, stops them in order.

Knows nothing of what they do.

The parent forks before any thread or event loop exists in it, after everything was imported, so that the children share its
memory. Each child is in a process group of its own: Ctrl+C reaches the parent alone, which stops them in their order.
"""

import gc
import os
import select
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final, NoReturn, Protocol

from wharfinger.runtime.embedded import die_with_parent
from wharfinger.runtime.errors import Misconfigured, Unavailable
from wharfinger.runtime.log import Log

FIRST_PAUSE_S: Final = 0.1
LONGEST_PAUSE_S: Final = 2.0
"""However often a child was killed, it is back in time to go on within 5 s: entries wait another 2 s to be taken over."""
SETTLED_S: Final = 10.0
"""A child that lived so long is restarted at once when it ends."""
STOP_S: Final = 15.0
HURRIED_STOP_S: Final = 1.0
"""For all that is left, after a second signal."""
EXIT_MISCONFIGURED: Final = 2
CHECK_S: Final = 1.0
"""Between looks at what is not a forked child (the store)."""


@dataclass(frozen=True, slots=True)
class Spec:
    """A child to run. ``order``: groups stop one after the other, lowest first.

    ``settings``: what it cannot take over while it runs: when that changes, it is stopped in order and started anew.
    """

    name: str
    run: Callable[[], int]
    order: int = 0
    settings: object = None


class External(Protocol):
    """A process that is not forked from here but belongs to us: the embedded store. It stops last."""

    def alive(self) -> bool:
        """Whether it runs."""

    def restart(self) -> None:
        """Start it again. Raises Misconfigured or Unavailable: not now."""

    def stop(self) -> None:
        """Stop it and wait."""


class Plan(Protocol):
    """What should run, as a configuration says that may change."""

    def changed(self) -> bool:
        """Whether it may say something else now."""

    def specs(self) -> Sequence[Spec] | None:
        """The children it wants; None when it is faulty, and all stays as it is."""


@dataclass(slots=True)
class _Child:
    spec: Spec
    pid: int = 0
    started: float = 0.0
    pause: float = FIRST_PAUSE_S
    due: float = 0.0
    generations: int = field(default=0)
    replacing: bool = False
    unwanted: bool = False


class Supervisor:
    """Runs children until a signal or a misconfigured child."""

    def __init__(
        self,
        specs: Sequence[Spec],
        *,
        log: Log,
        first: Spec | None = None,
        plan: Plan | None = None,
        external: External | None = None,
    ) -> None:
        """``first``: what runs and ends before the others start; they start however it ended, for what it does they do too."""
        self._first = first
        self._children = [_Child(spec) for spec in specs]
        self._log = log
        self._plan = plan
        self._external = external
        self._signals = 0
        self._hups = 0
        self._verdict = 0
        self._wakeup_read, self._wakeup_write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)

    def run(self) -> int:
        """Start everything, and return when it is stopped.

        Returns:
            0 after an ordered stop; 2 when a child said at its first start that it is misconfigured.
        """
        signal.set_wakeup_fd(self._wakeup_write, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._count)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGHUP, self._count_hup)
        gc.collect()
        gc.freeze()  # what was imported is not touched by the collector any more, so its pages stay shared
        self._run_first()
        while not self._signals and not self._verdict:
            self._reap()
            self._start_due()
            self._check_external()
            self._check_plan()
            self._wait()
        self._stop()
        return self._verdict

    def _run_first(self) -> None:
        if self._first is None:
            return
        child = _Child(self._first, _fork(self._first, self._log))
        while not _collected(child):
            if self._signals:
                os.kill(child.pid, signal.SIGTERM)
            select.select([self._wakeup_read], [], [], CHECK_S)
            with suppress(BlockingIOError):
                os.read(self._wakeup_read, 4_096)

    def _count(self, _number: int, _frame: object) -> None:
        self._signals += 1

    def _count_hup(self, _number: int, _frame: object) -> None:
        self._hups += 1

    def _wait(self) -> None:
        if self._signals or self._verdict:
            return
        due = [child.due for child in self._children if not child.pid]
        now = time.monotonic()
        longest = CHECK_S if self._external is not None or self._plan is not None else 60.0
        timeout = max(0.0, min([longest, *(moment - now for moment in due)]))
        select.select([self._wakeup_read], [], [], timeout)
        try:
            os.read(self._wakeup_read, 4_096)
        except BlockingIOError:
            return

    def _reap(self) -> None:
        for child in self._children:
            if not child.pid:
                continue
            pid, status = os.waitpid(child.pid, os.WNOHANG)
            if pid:
                self._ended(child, os.waitstatus_to_exitcode(status))

    def _ended(self, child: _Child, code: int) -> None:
        now = time.monotonic()
        self._log("child.ended", child=child.spec.name, pid=child.pid, code=code)
        if code == EXIT_MISCONFIGURED and child.generations == 1:
            self._verdict = EXIT_MISCONFIGURED
        child.pid = 0
        if child.replacing:
            child.replacing, child.due = False, now
            return
        child.pause = FIRST_PAUSE_S if now - child.started > SETTLED_S else min(2 * child.pause, LONGEST_PAUSE_S)
        child.due = now + child.pause

    def _start_due(self) -> None:
        now = time.monotonic()
        for child in self._children:
            if not child.pid and child.due <= now and not self._verdict and not child.unwanted:
                child.pid = _fork(child.spec, self._log)
                child.started = now
                child.generations += 1
                self._log("child.started", child=child.spec.name, pid=child.pid)

    def _check_external(self) -> None:
        if self._external is None or self._external.alive():
            return
        self._log("store.ended")
        try:
            self._external.restart()
        except (Misconfigured, Unavailable) as fault:
            # A full disk, say. The others answer 503 meanwhile; the next look tries again.
            self._log("store.not_restarted", problem=str(fault))
        else:
            self._log("store.restarted")

    def _check_plan(self) -> None:
        hups, self._hups = self._hups, 0
        if hups:
            # Those that read the configuration themselves are told; the others do not listen to it.
            for child in self._children:
                if child.pid:
                    os.kill(child.pid, signal.SIGHUP)
        if self._plan is None or not (self._plan.changed() or hups):
            return
        wanted = self._plan.specs()
        if wanted is None:
            return
        by_name = {spec.name: spec for spec in wanted}
        for child in self._children:
            self._change(child, by_name.pop(child.spec.name, None))
        self._children = [child for child in self._children if child.pid or not child.unwanted]
        self._children += [_Child(spec) for spec in by_name.values()]

    def _change(self, child: _Child, spec: Spec | None) -> None:
        child.unwanted = spec is None
        same = spec is not None and spec.settings == child.spec.settings
        child.spec = spec or child.spec
        if child.pid and not same:
            self._log("child.replaced" if spec else "child.removed", child=child.spec.name, pid=child.pid)
            child.replacing = True
            os.kill(child.pid, signal.SIGTERM)

    def _stop(self) -> None:
        self._log("supervisor.stopping")
        for order in sorted({child.spec.order for child in self._children}):
            self._stop_group([child for child in self._children if child.spec.order == order and child.pid])
        if self._external is not None:
            self._external.stop()
        self._log("supervisor.stopped")

    def _stop_group(self, children: Sequence[_Child]) -> None:
        for child in children:
            os.kill(child.pid, signal.SIGTERM)
            os.kill(child.pid, signal.SIGCONT)  # one that was stopped must be able to end
        began = time.monotonic()
        while left := [child for child in children if not _collected(child)]:
            allowed = HURRIED_STOP_S if self._signals > 1 else STOP_S
            if time.monotonic() - began > allowed:
                for child in left:
                    self._log("child.killed", child=child.spec.name, pid=child.pid)
                    os.kill(child.pid, signal.SIGKILL)
                    os.waitpid(child.pid, 0)
                    child.pid = 0
                return
            select.select([self._wakeup_read], [], [], 0.05)
            try:
                os.read(self._wakeup_read, 4_096)
            except BlockingIOError:
                continue


def _collected(child: _Child) -> bool:
    if child.pid and os.waitpid(child.pid, os.WNOHANG)[0]:
        child.pid = 0
    return not child.pid


def _fork(spec: Spec, log: Log) -> int:
    parent = os.getpid()
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if not pid:
        _be_child(spec, parent, log)
    return pid


def _be_child(spec: Spec, parent: int, log: Log) -> NoReturn:
    code = 1
    try:
        os.setpgid(0, 0)
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # who reads the configuration anew listens to it
        die_with_parent(parent)
        code = spec.run()
    except BaseException as error:  # noqa: BLE001 - the child's outermost frame: it must end here, whatever it was
        if not isinstance(error, SystemExit):
            log("child.failed", child=spec.name, error=type(error).__name__, trace=traceback.format_exc(limit=8))
        else:
            code = error.code if isinstance(error.code, int) else 1
    finally:
        os._exit(code)
