"""Every measurement, one after the other, as markdown on standard output: ``python bench/all.py >figures.md``.

Each is a program of its own. Before each it waits a while for a quiet machine; each says what others used all the same.
"""

import argparse
import subprocess
import sys
from pathlib import Path
from typing import Final

from machine import wait_until_quiet

MEASUREMENTS: Final = ("tokens", "memory", "ack", "trigger", "settle", "idle", "commands")
LONGEST_WAIT_S: Final = 900


def main() -> None:
    """Measure everything."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--now", action="store_true", help="do not wait for a quiet machine")
    told = options.parse_args()
    for name in MEASUREMENTS:
        if not told.now:
            wait_until_quiet(LONGEST_WAIT_S)
        subprocess.run([sys.executable, Path(__file__).with_name(f"{name}.py")], check=True)


if __name__ == "__main__":
    main()
