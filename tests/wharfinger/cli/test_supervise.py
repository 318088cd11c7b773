"""The supervisor on real processes: it starts, starts again, stops in order, and ends for good reasons only."""

import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.real.conftest import Program, kill9, spawn, wait_until

pytestmark = pytest.mark.real

CHILDREN = '''
"""A supervisor of small children, each of a kind. It prints what its children do, and logs what it does itself."""

import os
import signal
import sys
import time
from functools import partial
from pathlib import Path

from wharfinger.cli.supervise import Spec, Supervisor
from wharfinger.runtime.log import to_stderr

log = to_stderr("test")
folder = Path(sys.argv[1])


def says(name, what):
    os.write(2, (f'{{"event": "{what}", "child": "{name}", "pid": {os.getpid()}}}' + chr(10)).encode())


def serve(name):
    """Runs until SIGTERM, and says when it ends."""
    ended = []
    signal.signal(signal.SIGTERM, lambda *_: ended.append(1))
    says(name, "said.running")
    while not ended:
        time.sleep(0.01)
    says(name, "said.ending")
    return 0


def deaf(name):
    """Does not hear SIGTERM."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    says(name, "said.running")
    while True:
        time.sleep(1)


def ends(name, code):
    """Ends at once, with a code; the second time it runs."""
    if (folder / name).exists():
        return serve(name)
    (folder / name).touch()
    return code


def raises(name):
    """Raises at once; the second time it runs."""
    if (folder / name).exists():
        return serve(name)
    (folder / name).touch()
    raise ValueError("why")


def exits(name):
    """Leaves by sys.exit; the second time it runs."""
    if (folder / name).exists():
        return serve(name)
    (folder / name).touch()
    sys.exit(7)


def late(name):
    """Runs at first; when it was killed, says that it is misconfigured."""
    if (folder / name).exists():
        return 2
    (folder / name).touch()
    return serve(name)


class Store:
    """Something that is not forked from here: a file that says whether it lives."""

    def __init__(self):
        (folder / "store").touch()

    def alive(self):
        return (folder / "store").exists()

    def restart(self):
        says("store", "said.restarted")
        (folder / "store").touch()

    def stop(self):
        says("store", "said.stopped")


KINDS = {"serve": serve, "deaf": deaf, "ends": ends, "raises": raises, "exits": exits, "late": late}
specs, first = [], None
for text in sys.argv[3:]:
    name, kind, order, *more = text.split(":")
    spec = Spec(name, partial(KINDS[kind], name, *map(int, more)), order=int(order) if order != "first" else 0)
    if order == "first":
        first = spec
    else:
        specs.append(spec)
sys.exit(Supervisor(specs, log=log, first=first, external=Store() if sys.argv[2] == "store" else None).run())
'''


class Supervised:
    """A running supervisor."""

    def __init__(self, program: Program) -> None:
        self.program = program

    def told(self, event: str, child: str = "") -> list[dict[str, Any]]:
        """What was said or logged of a kind, in its order."""
        lines = [json.loads(line) for line in self.program.log.read_text().splitlines() if line.startswith("{")]
        return [one for one in lines if one["event"] == event and child in ("", one.get("child"))]

    def order(self, event: str) -> list[str]:
        """The children of such events."""
        return [str(one["child"]) for one in self.told(event)]

    def running(self, child: str, times: int = 1) -> int:
        """Wait until a child said so often that it runs; its process id."""
        wait_until(child, lambda: len(self.told("said.running", child)) >= times)
        return int(self.told("said.running", child)[-1]["pid"])

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Tell it to stop, and wait; its exit code."""
        os.kill(self.program.process.pid, number)
        return self.program.process.wait(40)


def lives(pid: int) -> bool:
    """Whether a process runs."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.fixture
def supervise(tmp_path: Path) -> Iterator[Callable[..., Supervised]]:
    """Starts a supervisor over children, each NAME:KIND:ORDER, or ``first`` for its order, with a store or without."""
    script = tmp_path / "children.py"
    script.write_text(CHILDREN)
    started: list[Program] = []

    def start(*children: str, store: bool = False) -> Supervised:
        command = [sys.executable, script, tmp_path, "store" if store else "none", *children]
        started.append(spawn(command, tmp_path / "log", env={"PYTHONPATH": str(Path.cwd())}))
        return Supervised(started[-1])

    yield start
    for program in started:
        program.stop()


@pytest.mark.parametrize("kind", ["ends:first:0", "ends:first:2", "raises:first", "exits:first"])
def test_what_runs_first(supervise: Callable[..., Supervised], kind: str) -> None:
    """It has ended before the others start, which they do however it ended; it is not started again."""
    running = supervise("a:serve:0", f"first:{kind}")
    running.running("a")
    assert (running.program.process.poll(), running.order("said.running"), running.order("child.started")) == (
        None,
        ["a"],
        ["a"],
    )
    assert running.end() == 0


def test_a_signal_while_the_first_runs(supervise: Callable[..., Supervised]) -> None:
    """It is told to end, and nobody else is started."""
    running = supervise("a:serve:0", "first:serve:first", store=True)
    running.running("first")
    assert running.end() == 0
    assert (running.order("said.ending"), running.told("child.started", "a")) == (["first"], [])
    assert running.told("said.stopped", "store")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_in_order(supervise: Callable[..., Supervised], number: signal.Signals) -> None:
    """Group by group, each after the one before has ended, the store last; the exit code is 0."""
    running = supervise("c:serve:2", "a1:serve:0", "b:serve:1", "a2:serve:0", store=True)
    for name in ("a1", "a2", "b", "c"):
        running.running(name)
    assert running.end(number) == 0
    ended = running.order("said.ending")
    assert (set(ended[:2]), ended[2:]) == ({"a1", "a2"}, ["b", "c"])
    assert running.program.log.read_text().index("said.stopped") > running.program.log.read_text().rindex("said.ending")


def test_ctrl_c_reaches_it_alone(supervise: Callable[..., Supervised]) -> None:
    """Each child is in a process group of its own, so that they are stopped in their order."""
    running = supervise("a:serve:0", "b:serve:1")
    groups = {os.getpgid(running.running(name)) for name in ("a", "b")}
    assert len(groups | {os.getpgid(running.program.process.pid)}) == 3
    assert running.end() == 0


def test_a_child_that_is_killed(supervise: Callable[..., Supervised]) -> None:
    """It is started again, the others are left alone."""
    running = supervise("a:serve:0", "b:serve:0")
    first, other = running.running("a"), running.running("b")
    kill9(first)
    second = running.running("a", 2)
    assert second != first
    assert lives(other)
    assert running.told("child.ended", "a")[0]["code"] == -signal.SIGKILL
    assert running.end() == 0


@pytest.mark.parametrize(("kind", "code"), [("ends:0:0", 0), ("ends:0:1", 1), ("ends:0:3", 3), ("raises:0", 1), ("exits:0", 7)])
def test_a_child_that_ends(supervise: Callable[..., Supervised], kind: str, code: int) -> None:
    """Whatever it says, it is started again."""
    running = supervise(f"a:{kind}", "b:serve:0")
    running.running("a")
    running.running("b")
    assert [one["code"] for one in running.told("child.ended", "a")] == [code]
    assert running.end() == 0


def test_a_child_that_raises(supervise: Callable[..., Supervised]) -> None:
    """It is said what it was and where, as an event."""
    running = supervise("a:raises:0")
    running.running("a")
    (failed,) = running.told("child.failed", "a")
    assert failed["error"] == "ValueError"
    assert running.end() == 0


def test_a_misconfigured_child_ends_everything(supervise: Callable[..., Supervised]) -> None:
    """At its first start: the others are stopped in order, and the exit code is the child's."""
    running = supervise("b:serve:1", "a:serve:0", "wrong:ends:0:2", store=True)
    assert running.program.process.wait(40) == 2
    started, ended = set(running.order("said.running")), set(running.order("said.ending"))
    assert started == ended
    assert running.told("said.stopped", "store")
    assert len(running.told("child.started", "wrong")) == 1


def test_misconfigured_later(supervise: Callable[..., Supervised]) -> None:
    """A child that ran and says so after a restart is tried again: what runs is not taken down by it."""
    running = supervise("a:late:0", "b:serve:0")
    kill9(running.running("a"))
    other = running.running("b")
    wait_until("its next end", lambda: len(running.told("child.ended", "a")) >= 2)
    assert running.told("child.ended", "a")[1]["code"] == 2
    wait_until("its next start", lambda: len(running.told("child.started", "a")) >= 3)
    assert lives(other)
    assert running.end() == 0


def test_a_child_that_was_stopped(supervise: Callable[..., Supervised]) -> None:
    """SIGSTOP does not keep it from ending in order."""
    running = supervise("a:serve:0")
    os.kill(running.running("a"), signal.SIGSTOP)
    assert running.end() == 0
    assert running.order("said.ending") == ["a"]


def test_a_second_signal_hurries(supervise: Callable[..., Supervised]) -> None:
    """What does not end by itself is killed, and said to be; the group after it still ends in order."""
    running = supervise("a:deaf:0", "b:serve:1")
    deaf = running.running("a")
    running.running("b")
    os.kill(running.program.process.pid, signal.SIGTERM)
    wait_until("stopping", lambda: running.told("supervisor.stopping"))
    assert running.end() == 0
    assert not lives(deaf)
    assert running.order("child.killed") == ["a"]
    assert running.order("said.ending") == ["b"]


def test_a_hang_up_is_no_end(supervise: Callable[..., Supervised]) -> None:
    """Closing the terminal stops nothing."""
    running = supervise("a:serve:0")
    child = running.running("a")
    os.kill(running.program.process.pid, signal.SIGHUP)
    kill9(child)
    running.running("a", 2)
    assert running.end() == 0


def test_children_end_with_it(supervise: Callable[..., Supervised]) -> None:
    """When it is killed itself, nobody is left behind."""
    running = supervise("a:serve:0", "b:serve:1")
    pids = [running.running(name) for name in ("a", "b")]
    kill9(running.program.process.pid)
    running.program.process.wait(10)
    wait_until("their end", lambda: not any(map(lives, pids)))


def test_the_store_is_started_again(supervise: Callable[..., Supervised], tmp_path: Path) -> None:
    """The children are left alone meanwhile."""
    running = supervise("a:serve:0", store=True)
    child = running.running("a")
    (tmp_path / "store").unlink()
    wait_until("its restart", lambda: running.told("said.restarted", "store"))
    assert lives(child)
    assert running.end() == 0
    assert len(running.told("said.restarted", "store")) == 1
