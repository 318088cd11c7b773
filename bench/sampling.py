"""Where a running program's time goes: py-spy's samples, summed up by the part of the house that pays for each.

Only of its main thread: py-spy takes threads that wait in a system call for busy ones.
"""

import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from machine import CLIENT_CORE

SAMPLES_A_SECOND: Final = 200

Parts = Sequence[tuple[str, str]]
"""Names, each with a pattern of frames ``function (file:line)``. The last takes what no other does."""


def sample(pid: int, *, seconds: int, folder: Path, parts: Parts, meanwhile: Callable[[], object]) -> list[tuple[str, str]]:
    """Percent of a program's time for each part, while something keeps it busy; empty when py-spy may not look."""
    spy, raw = Path(sys.executable).with_name("py-spy"), folder / "samples.txt"
    if not spy.exists():
        return []
    look = [spy, "record", "-p", pid, "-d", seconds, "-r", SAMPLES_A_SECOND, "-f", "raw", "-o", raw]
    command = ["taskset", "-c", str(CLIENT_CORE), *map(str, look)]
    with (folder / "py-spy.log").open("ab") as log:
        spying = subprocess.Popen(command, stdout=log, stderr=log)
        meanwhile()
        refused = spying.wait(seconds + 30) != 0
    return [] if refused else shares(raw.read_text().splitlines(), parts)


def shares(stacks: Sequence[str], parts: Parts) -> list[tuple[str, str]]:
    """Percent of the main thread's samples for each part. A line: frames, outmost first, joined by ``;``, and how often."""
    counted: Counter[str] = Counter()
    for line in stacks:
        stack, _, count = line.rpartition(" ")
        if "(threading.py" in stack:
            continue
        counted[_payer(stack.split(";"), parts)] += int(count)
    return [(name, f"{100 * counted[name] / counted.total():.0f}") for name, _ in parts]


def _payer(stack: Sequence[str], parts: Parts) -> str:
    # From the inmost frame outwards: a library's frame counts for whoever called it.
    for frame in reversed(stack):
        for name, pattern in parts[:-1]:
            if re.search(pattern, frame):
                return name
    return parts[-1][0]
