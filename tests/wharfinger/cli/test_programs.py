"""The tour's programs, with small real ones: up when they answer themselves, told of when they end, gone when stopped."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from wharfinger.cli.programs import Programs
from workers.errors import Unavailable

LASTING = (sys.executable, "-c", "import time; print('here', flush=True); time.sleep(600)")
ENDING = (sys.executable, "-c", "import sys; sys.exit('no port')")


@pytest.fixture
def programs(tmp_path: Path) -> Iterator[Programs]:
    """None yet."""
    made = Programs(tmp_path, start_s=20)
    yield made
    made.stop()


def test_one_that_answers(programs: Programs, tmp_path: Path) -> None:
    """Its process id, its words in its log; it is gone after the stop."""
    pid = programs.start("lasting", LASTING, lambda: (tmp_path / "lasting.log").read_bytes() == b"here\n")
    programs.require_all()
    programs.stop()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


@pytest.mark.parametrize("answers", [True, False])
def test_one_that_ends(programs: Programs, tmp_path: Path, *, answers: bool) -> None:
    """It is told of, with its code and its log; another that answers in its place changes nothing."""

    def served() -> bool:
        return answers and (tmp_path / "ending.log").read_bytes() == b"no port\n"

    with pytest.raises(Unavailable, match=rf"^ending ended with 1; see {tmp_path}/ending\.log$"):
        programs.start("ending", ENDING, served)


def test_one_that_ends_later(programs: Programs) -> None:
    """Whoever looks after all of them hears of it, also while the next one starts."""
    pid = programs.start("lasting", LASTING, lambda: True)
    os.kill(pid, 9)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    with pytest.raises(Unavailable, match=r"^lasting ended with -9; see "):
        programs.require_all()
    with pytest.raises(Unavailable, match=r"^lasting ended with -9; see "):
        programs.start("next", LASTING, lambda: True)


def test_one_that_never_answers(tmp_path: Path) -> None:
    """Not waited for endlessly."""
    programs = Programs(tmp_path, start_s=0.2)
    try:
        with pytest.raises(Unavailable, match=r"^lasting did not answer within 0 s; see "):
            programs.start("lasting", LASTING, lambda: False)
    finally:
        programs.stop()
