"""How long a command takes from the shell and back: wall time, in turn with an interpreter that does nothing."""

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

import redis
from machine import Watch
from programs import House, house, program, store, wait_for, wharfinger
from report import ms, percentile, remark, table, title
from traffic import Traffic

RUNS: Final = 21
TOKENS: Final = 20
GOAL_S: Final = 0.3


def timed(command: Sequence[str | Path]) -> float:
    """Seconds of one run. Raises CalledProcessError for a failure."""
    # An installation has its modules compiled. Where Python is told to keep none, each run would compile those of the checkout.
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    began = time.perf_counter()
    subprocess.run([str(part) for part in command], env=env, stdout=subprocess.DEVNULL, check=True, timeout=60)
    return time.perf_counter() - began


def some_token(home: House) -> str:
    """Settle a few events, and give a token's id."""
    with store(home.folder) as valkey, closing(redis.Redis.from_url(valkey.url)) as client:
        token, *_ = Traffic(home).fill(client, TOKENS)
        with program(wharfinger("work", "--data", home.folder), home.folder / "work.log"):
            wait_for("settling", lambda: '"batch.settled"' in (home.folder / "work.log").read_text())
    return token.issuance.jti


def main() -> None:
    """Measure and print."""
    watch = Watch()
    script = Path(sys.executable).with_name("wharfinger")
    with house(tour=False) as home:
        commands: dict[str, list[str | Path]] = {
            "python, doing nothing": [sys.executable, "-c", "pass"],
            "wharfinger --help": [script, "--help"],
            "wharfinger check": [script, "check", "--data", home.folder],
            "wharfinger trace TOKEN": [script, "trace", some_token(home), "--data", home.folder],
        }
        taken: dict[str, list[float]] = {name: [] for name in commands}
        for run in range(RUNS + 1):
            for name, command in commands.items():
                seconds = timed(command)
                if run:  # the first only fills the disk's cache
                    taken[name].append(seconds)
    least = percentile(taken["python, doing nothing"], 50)
    title("Commands", watch.describe())
    remark(f"{RUNS} runs of each, in turn; the goal for --help and check is well under {GOAL_S * 1_000:.0f} ms.")
    rows = [
        (name, ms(min(runs)), ms(percentile(runs, 50)), ms(max(runs)), f"{percentile(runs, 50) / least:.1f}")
        for name, runs in taken.items()
    ]
    table(("", "least ms", "p50 ms", "slowest ms", "p50 ÷ python"), rows)


if __name__ == "__main__":
    main()
