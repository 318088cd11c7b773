"""``wharfinger audit export``: the trail for other programs, oldest first, in constant memory."""

import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final, TextIO

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from wharfinger.cli.audit.criteria import searching
from wharfinger.cli.audit.opening import EXIT_UNAVAILABLE, open_ledger
from wharfinger.cli.loading import Place, placed
from wharfinger.cli.texts import shown
from wharfinger.ledger.database import Database
from wharfinger.ledger.formats import Format, header, line
from wharfinger.ledger.log import read_tree
from wharfinger.ledger.reading import Stored
from wharfinger.ledger.search import MAX_PAGE, Criteria, search

EXIT_DONE: Final = 0


@click.command()
@searching
@click.option("--format", "form", type=click.Choice([one.value for one in Format]), default="jsonl", show_default=True)
@click.option("--to", "file", type=click.Path(path_type=Path), help="A file instead of standard output; whole, or not there.")
@placed
def command(place: Place, *, criteria: Criteria, form: str, file: Path | None) -> None:
    """Write the records that match, oldest first, one a line. What is recorded meanwhile is not in it."""
    chosen = Format(form)
    with open_ledger(place) as database:
        if file is None:
            _write(sys.stdout, database, criteria, chosen)
        else:
            _write_file(file, database, criteria, chosen)
    sys.exit(EXIT_DONE)


def _write(out: TextIO, database: Database, criteria: Criteria, form: Format) -> None:
    write = _written_out(out) if out.isatty() else out.write
    write(header(form))
    for one in _with_progress(database, criteria):
        write(line(form, one))


def _write_file(file: Path, database: Database, criteria: Criteria, form: Format) -> None:
    part = file.with_name(f".{file.name}.part")
    try:
        with part.open("w", encoding="utf-8") as out:
            _write(out, database, criteria, form)
        part.replace(file)
    except OSError as error:
        with suppress(OSError):
            part.unlink()
        click.echo(f"{file} cannot be written: {error.strerror}: name a file in a folder that is there", err=True)
        sys.exit(EXIT_UNAVAILABLE)


def _written_out(terminal: TextIO) -> Callable[[str], object]:
    """For people's eyes: what strangers wrote must not steer their terminal. A file and a pipe get it as it is."""
    return lambda text: terminal.write(f"{shown(text.rstrip())}\n" if text else text)


def oldest_first(database: Database, criteria: Criteria) -> Iterator[Stored]:
    """Every matching record up to now, a page in memory at a time."""
    with database.reading() as connection:
        size = read_tree(connection).size
    # Pages come newest first: the cursors are walked once to the oldest, then back. A cursor is one number a thousand records.
    cursors: list[int | None] = [size]
    while (following := search(database, criteria, limit=MAX_PAGE, before=cursors[-1]).next) is not None:
        cursors.append(following)
    for cursor in reversed(cursors):
        yield from reversed(search(database, criteria, limit=MAX_PAGE, before=cursor).records)


def _with_progress(database: Database, criteria: Criteria) -> Iterator[Stored]:
    console = Console(stderr=True)
    if not console.is_terminal:
        yield from oldest_first(database, criteria)
        return
    with database.reading() as connection:
        size = read_tree(connection).size
    with Progress(TextColumn("exporting"), BarColumn(), TimeRemainingColumn(), console=console, transient=True) as progress:
        task = progress.add_task("", total=size)
        for one in oldest_first(database, criteria):
            yield one
            progress.update(task, completed=one.seq + 1)
