"""A process that keeps a journal, for tests that kill it: says ``ready`` once what it was told is on disk, then waits."""

import asyncio
import json
import sys
from pathlib import Path

from authsvc.adapters.journal import Journal
from authsvc.decide.journal import JournalEntry, Kind


def entry(number: int) -> JournalEntry:
    """A record that knows its number."""
    return JournalEntry(Kind.REFUSAL, json.dumps({"n": number, "more": "x" * 300}).encode())


def say(text: str) -> None:
    """Tell the test, at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


async def keep(journal: Journal, count: int) -> None:
    """Keep some records, and wait to be killed."""
    await asyncio.gather(*(journal.append(entry(number)) for number in range(count)))
    say("ready")
    await asyncio.to_thread(sys.stdin.read)


async def flood(journal: Journal) -> None:
    """Keep records without an end, and say each number once it is kept."""
    say("ready")
    number = 0
    while True:
        batch = range(number, number + 20)
        await asyncio.gather(*(journal.append(entry(one)) for one in batch))
        number += 20
        say("\n".join(map(str, batch)))


async def main(folder: str, what: str, *arguments: str) -> None:
    """Do what the arguments say."""
    journal = Journal(Path(folder), 1_000_000_000)
    journal.prepare()
    if what == "keep":
        await keep(journal, int(arguments[0]))
    else:
        await flood(journal)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
