"""Becomes another program, which Linux kills when whoever started it dies. Run as a file; imports nothing of ours.

``launch.py PARENT PROGRAM [ARGUMENT…]``. Not by a function between fork and exec: who starts it has threads.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main(parent: int, program: list[str]) -> None:
    """Ask for the signal, see that it is not too late for it, and become the program."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            sys.exit(1)
    try:
        os.execv(program[0], program)  # noqa: S606 - the operator's program, without a shell
    except OSError as error:
        sys.stdout.write(f"{program[0]} cannot be started: {error.strerror}\n")
        sys.stdout.flush()
        os._exit(78)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
