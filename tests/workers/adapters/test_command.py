"""Programs as they are run: what they are given and nothing more, and nothing of theirs is left."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.real.conftest import wait_until
from tests.workers.leases import Holding
from tests.workers.orders import ORDER
from wharfinger.ledger.errors import LeaseLost
from wharfinger.runtime.settings import CommandTarget, Secret
from workers.adapters.command import KEPT, PATH, CommandRunner
from workers.decide.order import Delivered, Failed, Refused, Retry, Sent

pytestmark = pytest.mark.real
ROOT = Path(__file__).parents[3]


def runner(script: str, *arguments: str, timeout_s: float = 20, repeatable: bool = False, **environment: str) -> CommandRunner:
    """A target that is a shell's script."""
    return CommandRunner(
        CommandTarget(
            name="c", program=("/bin/sh", "-c", script, "sh", *arguments), timeout_s=timeout_s, repeatable=repeatable, line=1,
            environment={name: Secret(value.encode()) for name, value in environment.items()},
        ),
        grace_s=0.3,
    )  # fmt: skip


def test_what_it_is_given(tmp_path: Path) -> None:
    """The push on its standard input, its arguments as they are, and an environment of its own."""
    lease = Holding()
    script = 'cat > "$1/in"; env > "$1/env"; pwd > "$1/pwd"; printf "%s" "$2" > "$1/argument"'
    assert isinstance(runner(script, str(tmp_path), "a b; $(id)", API_TOKEN="x").send(ORDER, lease), Delivered)
    assert json.loads((tmp_path / "in").read_text())["digest"] == ORDER.digest
    given = {line.partition("=")[0] for line in (tmp_path / "env").read_text().splitlines()}
    assert given - {"PWD", "SHLVL", "_", "OLDPWD", "LC_CTYPE"} == {"PATH", "LANG", "API_TOKEN"}
    assert f"PATH={PATH}" in (tmp_path / "env").read_text().splitlines()
    assert ((tmp_path / "pwd").read_text(), (tmp_path / "argument").read_text()) == ("/\n", "a b; $(id)")
    assert [list(one) for one in lease.kept] == [["asked"]]


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("echo done", Delivered("done")),
        ("echo later >&2; exit 75", Retry("exit code 75: later")),
        ("exit 3", Failed("exit code 3")),
        ("kill -9 $$", Failed("was ended by signal 9")),
        ("echo my $API_TOKEN; exit 1", Failed("exit code 1: my ***")),
        ("exec /bin/sh -c 'exit 78'", Refused("exit code 78")),
        ("head -c 5000000 /dev/zero | tr '\\0' x; echo; echo end", Delivered("end")),
    ],
)
def test_ends(script: str, expected: Sent) -> None:
    """With the last line of what it wrote, however much that was; no secret of its environment is told."""
    assert runner(script, API_TOKEN="t0ken-of-the-program").send(ORDER, Holding()) == expected
    assert KEPT < 5_000_000


def test_a_program_that_is_not_there() -> None:
    """It was there when the configuration was read: a person looks."""
    settings = CommandTarget(name="c", program=("/none",), environment={}, timeout_s=5, repeatable=False, line=1)
    sent = CommandRunner(settings).send(ORDER, Holding())
    assert sent == Refused("exit code 78: /none cannot be started: No such file or directory")


def alive(pid: int) -> bool:
    """Whether a process runs, and is not only waited for."""
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


@pytest.mark.parametrize("trap", ["", "trap '' TERM; "])
def test_one_that_takes_too_long(tmp_path: Path, trap: str) -> None:
    """It is ended with all that it started, also when it does not listen."""
    script = f'{trap}sleep 60 & echo $! > "$1/child"; echo half; wait'
    sent = runner(script, str(tmp_path), timeout_s=0.5).send(ORDER, Holding())
    assert sent == Failed("did not end within 0.5 s (timeout), and was ended: half")
    child = int((tmp_path / "child").read_text())
    wait_until("the child's end", lambda: not alive(child))


def test_what_it_leaves_running(tmp_path: Path) -> None:
    """Is ended with it, and does not hold us though it holds the pipe."""
    sent = runner('sleep 60 & echo $! > "$1/child"; echo gone', str(tmp_path)).send(ORDER, Holding())
    assert sent == Delivered("gone")
    child = int((tmp_path / "child").read_text())
    wait_until("the child's end", lambda: not alive(child))


def test_one_that_closes_its_output() -> None:
    """And goes on: its end is waited for."""
    assert runner("exec >&- 2>&-; sleep 0.3; exit 4").send(ORDER, Holding()) == Failed("exit code 4")


def test_a_worker_that_was_overtaken(tmp_path: Path) -> None:
    """Runs nothing."""
    with pytest.raises(LeaseLost):
        runner('touch "$1/ran"', str(tmp_path)).send(ORDER, Holding(lost=True))
    assert not (tmp_path / "ran").exists()


def test_one_that_wants_to_be_run_again() -> None:
    """Is begun anew then; of one with any other end it stays kept that it was begun, for nothing may run twice unasked."""
    for script, kept in (("exit 75", False), ("exit 0", True), ("exit 1", True)):
        lease = Holding()
        runner(script).send(ORDER, lease)
        assert bool(lease.noted) is kept


@pytest.mark.parametrize(("repeatable", "kind"), [(False, Failed), (True, Retry)])
def test_what_was_begun(repeatable: bool, kind: type[Any]) -> None:  # noqa: FBT001 - a column
    """And not written how it ended: only one that may be repeated is run again, and only then nothing is kept any more."""
    lease = Holding(kept=[{"asked": "1"}])
    sent = runner("exit 0", repeatable=repeatable).resume(ORDER, lease)
    assert isinstance(sent, kind)
    assert (lease.noted == {}) is repeatable
    assert runner("exit 0").resume(ORDER, Holding()) is None


PLAY = """
import sys
from tests.workers.adapters.test_command import runner
from tests.workers.leases import Holding
from tests.workers.orders import ORDER
runner('echo $$ > "$1/pid"; sleep 60', sys.argv[1]).send(ORDER, Holding())
"""


def test_a_worker_that_is_killed(tmp_path: Path) -> None:
    """Takes the program with it."""
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen([sys.executable, "-c", PLAY, str(tmp_path)], cwd=ROOT, env=environ) as worker:
        pid = tmp_path / "pid"
        try:
            wait_until("the program", lambda: pid.exists() and pid.read_text().strip())
            started = time.monotonic()
            worker.send_signal(signal.SIGKILL)
            worker.wait(10)
            wait_until("the program's end", lambda: not alive(int(pid.read_text())))
            assert time.monotonic() >= started
        finally:
            worker.kill()
