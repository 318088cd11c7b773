"""What processes asked of the kernel, in its order: strace on several at once, and its lines as calls.

One tracer writes a call down when the kernel shows it, before the process may go on. So the order of the file is the order in
which things can have caused each other, over all the processes that are watched.
"""

import re
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.real.conftest import Program, need, wait_until

CALLS = "write,writev,pwrite64,sendto,sendmsg,fsync,fdatasync,rename"
LONGEST_TEXT = 1_000_000
"""Characters of one call's data; an append of many entries is one write."""
SYNCS = frozenset({"fsync", "fdatasync"})
_LINE = re.compile(r"(?P<pid>\d+) +[\d.]+ (?:<\.\.\. (?P<resumed>\w+) resumed>|(?P<name>\w+)\()(?P<rest>.*)")
_FILE = re.compile(r"\d+<(?P<file>.*?)>[,)]")
_UNFINISHED = " <unfinished ...>"


@dataclass(frozen=True)
class Call:
    """One call. ``began`` and ``ended``: its places in the order of everything."""

    pid: int
    name: str
    file: str
    text: str
    began: int
    ended: int


@contextmanager
def traced(pids: Sequence[int], folder: Path) -> Iterator[Path]:
    """Watch processes while the block runs; the file that holds what was seen."""
    need("strace", root=True)
    output, log = folder / "strace.out", folder / "strace.log"
    command = ["strace", "-f", "-ttt", "-yy", "-s", str(LONGEST_TEXT), "-e", f"trace={CALLS}", "-o", str(output)]
    with log.open("wb") as file:
        process = subprocess.Popen([*command, *(f"-p{pid}" for pid in pids)], stderr=file, start_new_session=True)
    try:
        wait_until("strace", lambda: process.poll() is not None or _attached(log, pids))
        if process.poll() is not None:
            pytest.skip(f"NOT RUN: strace may not attach: {log.read_text().strip()}")
        yield output
    finally:
        # It lets go of what it watched.
        process.send_signal(signal.SIGINT)
        Program(process, log).stop()


def _attached(log: Path, pids: Sequence[int]) -> bool:
    return all(f"Process {pid} attached" in log.read_text() for pid in pids)


def calls_of(output: Path) -> list[Call]:
    """The calls in a trace, by their beginning."""
    calls: list[Call] = []
    begun: dict[int, tuple[int, str, str]] = {}
    for place, line in enumerate(output.read_text(errors="replace").splitlines()):
        found = _LINE.match(line)
        if found is None:
            continue  # a signal, or an end
        pid, rest = int(found["pid"]), found["rest"]
        if found["name"] and rest.endswith(_UNFINISHED):
            begun[pid] = (place, found["name"], rest.removesuffix(_UNFINISHED))
            continue
        if found["resumed"]:
            if pid not in begun:
                continue  # it began before we watched
            began, name, text = begun.pop(pid)
            rest = text + rest
        else:
            began, name = place, found["name"]
        where = _FILE.match(rest)
        calls.append(Call(pid, name, where["file"] if where else "", rest, began, place))
    return sorted(calls, key=lambda call: call.began)


def is_synced_before(calls: Sequence[Call], written: Call, answer: Call) -> bool:
    """Whether what was written had reached the disk before an answer began to be sent."""
    return any(
        call.name in SYNCS and call.file == written.file and call.began > written.ended and call.ended < answer.began
        for call in calls
    )


def the_call(calls: Sequence[Call], what: str, *names: str, file: str = "") -> Call:
    """The first call whose data holds a text, to a file whose name ends so."""
    found = (call for call in calls if call.name in names and what in call.text and call.file.endswith(file))
    call = next(found, None)
    assert call is not None, f"no {names} of {what!r} was seen"
    return call
