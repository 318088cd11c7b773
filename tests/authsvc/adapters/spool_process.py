"""A process that replays a journal and is killed between two parts, for the test of that."""

import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from authsvc.adapters.journal import Journal
from authsvc.adapters.spool import Replay
from authsvc.adapters.streams import Batches, Write, connect
from authsvc.metrics import TABLE
from wharfinger.runtime.log import discard
from wharfinger.runtime.metrics import Board


class Killed(Batches):
    """Dies as soon as Redis has answered for the first part."""

    async def together(self, writes: Sequence[Write]) -> None:
        """One part."""
        await super().together(writes)
        os.kill(os.getpid(), signal.SIGKILL)


async def main(url: str, folder: str) -> None:
    """Replay."""
    await Replay(Killed(connect(url), Board(TABLE).meter()), Journal(Path(folder), 1_000_000_000), discard).once()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
