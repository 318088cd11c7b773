"""What this machine gives, and what a process takes of it: cores, signing, disk syncs, CPU time, memory. Judges nothing."""

import os
import platform
import re
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

SERVER_CORE: Final = 0
CLIENT_CORE: Final = 1
"""What is measured has a core of its own; load generator and store share the other."""
QUIET_LOAD: Final = 0.5
RECORD_BYTES: Final = 1_300
"""A notification as registries send it."""


class Watch:
    """Watches from its making on how much of the machine others take: figures of a shared machine are worth less."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._busy_s, self._ours_s = _busy_s(), _ours_s()

    def describe(self) -> str:
        """One line about the machine, without its name, and about the others on it; once all our programs have ended."""
        cpu = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
        kind = cpu[1].strip() if cpu else platform.machine()
        passed = (time.monotonic() - self._began) * (os.cpu_count() or 1)
        others = (_busy_s() - self._busy_s) - (_ours_s() - self._ours_s)
        named = f"{os.cpu_count()} cores ({kind}), Linux {platform.release()}, Python {platform.python_version()}"
        return f"{named}; others used {max(0.0, 100 * others / passed):.0f} % of the cores meanwhile"


def _busy_s() -> float:
    # user, nice, system, idle, iowait, irq, softirq, steal: all but idle and iowait, stolen time too.
    ticks = [int(field) for field in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    return (sum(ticks) - ticks[3] - ticks[4]) / os.sysconf("SC_CLK_TCK")


def _ours_s() -> float:
    told = os.times()
    return told.user + told.system + told.children_user + told.children_system


def load() -> float:
    """The load average of the last minute."""
    return os.getloadavg()[0]


def wait_until_quiet(longest_s: float) -> None:
    """Wait for others to be done. After ``longest_s`` it is measured all the same, and the report tells the load."""
    until = time.monotonic() + longest_s
    while load() >= QUIET_LOAD and time.monotonic() < until:
        time.sleep(5)


def pin(pid: int, core: int) -> None:
    """Let every thread of a process run on one core only."""
    for thread in Path(f"/proc/{pid}/task").iterdir():
        os.sched_setaffinity(int(thread.name), {core})


def openssl_signs(core: int) -> float:
    """RSA-2048 signatures a second of CPU, by OpenSSL's own measure on one core."""
    command = ["taskset", "-c", str(core), "openssl", "speed", "-seconds", "1", "-mr", "rsa2048"]
    told = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    # +F2:2:2048:<signs a second>:<verifies a second>
    line = next(line for line in told.splitlines() if line.startswith("+F2:"))
    return float(line.split(":")[3])


def fdatasyncs(folder: Path, count: int) -> list[float]:
    """Seconds of appending one notification to a file in a folder, and syncing it, one after the other."""
    file = folder / "fdatasync.probe"
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    record, taken = b"x" * RECORD_BYTES, []
    try:
        for _ in range(count):
            began = time.perf_counter()
            os.write(descriptor, record)
            os.fdatasync(descriptor)
            taken.append(time.perf_counter() - began)
    finally:
        os.close(descriptor)
        file.unlink()
    return taken


def family(pid: int) -> list[int]:
    """A process and all that it started."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(one for child in children for one in family(int(child)))]


def cpu_s(pid: int) -> float:
    """CPU seconds a process has used in all its threads."""
    # The name may hold spaces and brackets; what follows it is fields 3 and on: utime and stime are 14 and 15.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def pss_mb(pid: int) -> float:
    """Memory of a process in MB, each shared page counted by its share (PSS), so that processes add up."""
    told = re.search(r"^Pss:\s+(\d+) kB", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE)
    assert told is not None
    return int(told[1]) * 1_024 / 1_000_000


def cpu_percents(pids: Mapping[str, int], seconds: float) -> dict[str, float]:
    """Percent of one core that each process uses over some seconds from now."""
    before = {name: cpu_s(pid) for name, pid in pids.items()}
    began = time.monotonic()
    time.sleep(seconds)
    passed = time.monotonic() - began
    return {name: 100 * (cpu_s(pid) - before[name]) / passed for name, pid in pids.items()}
