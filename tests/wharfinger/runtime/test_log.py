"""Log lines: one JSON object each, harmless on a terminal, cut when long, whatever the fields hold."""

import asyncio
import errno
import json
import logging
import os
import threading
from pathlib import Path
from select import PIPE_BUF

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wharfinger.runtime.log import MAX_VALUE, LibraryLog, by_turns, discard, line, to_stderr, together
from wharfinger.runtime.settings import Secret


def test_a_line() -> None:
    """Time in UTC with milliseconds, who, what, and the fields; numbers stay numbers."""
    fields: dict[str, object] = {"jti": "x", "granted": 2, "ms": 1.5, "tls": True, "none": None}
    assert line("auth", "token.issued", fields, now_s=1_795_551_896.0078) == (
        b'{"time":"2026-11-24T20:24:56.007Z","service":"auth","event":"token.issued","jti":"x","granted":2,"ms":1.5,"tls":true,"none":null}\n'
    )


@pytest.mark.parametrize("text", ["\x1b[2J", "\x9b31m", "two\nlines", "\u2028", "\u202eabc", "\ud800", "é", 'a"b\\', "\x00"])
def test_what_steers_a_terminal_is_escaped(text: str) -> None:
    """Nothing but printable ASCII leaves, and it reads back as it was."""
    made = line("auth", "e", {"agent": text}, now_s=0)
    assert all(0x20 <= byte < 0x7F for byte in made[:-1])
    assert json.loads(made)["agent"] == text


def test_a_long_value_is_cut() -> None:
    """A hostile User-Agent does not fill the disk."""
    assert json.loads(line("auth", "e", {"agent": "a" * 5_000}, now_s=0))["agent"] == "a" * MAX_VALUE + "…"


def test_a_secret_is_not_shown() -> None:
    """Nor is one inside of something else."""
    made = line("auth", "e", {"one": Secret(b"pa55"), "more": [Secret(b"pa55")]}, now_s=0)
    assert b"pa55" not in made
    assert b"Secret(***)" in made


def test_what_a_library_logs() -> None:
    """Its own words stay, what they quote does not."""
    events: list[tuple[str, dict[str, object]]] = []
    handler = LibraryLog(lambda event, /, **fields: events.append((event, fields)))
    logger = logging.Logger("aiohttp.server")  # noqa: LOG001 - one that nobody else has
    logger.addHandler(handler)
    try:
        int("pa55")
    except ValueError:
        logger.exception("Error handling request from %s", "pa55")
    logger.error("Unhandled\ntask: pa55")
    logger.info("not worth a line")
    (first, failed), (_, unhandled) = events
    assert (first, failed["library"], failed["level"]) == ("library.logged", "aiohttp.server", "ERROR")
    assert (failed["what"], failed["error"], Path(str(failed["file"])).name) == (
        "Error handling request from %s",
        "ValueError",
        "test_log.py",
    )
    assert "pa55" not in str(events)
    assert unhandled == {"library": "aiohttp.server", "level": "ERROR", "what": "Unhandled"}


def test_a_fault_from_nowhere() -> None:
    """It has no place."""
    events: list[dict[str, object]] = []
    logger = logging.Logger("aiohttp.server")  # noqa: LOG001 - one that nobody else has
    logger.addHandler(LibraryLog(lambda _event, /, **fields: events.append(fields)))
    logger.error("Failed", exc_info=ValueError("pa55"))
    assert events == [{"library": "aiohttp.server", "level": "ERROR", "what": "Failed", "error": "ValueError"}]


def test_every_library_is_taken_over() -> None:
    """What printed to stderr before does not any more."""
    root = logging.getLogger()
    before = root.handlers
    try:
        LibraryLog.install(discard)
        assert [type(one) for one in root.handlers] == [LibraryLog]
    finally:
        root.handlers = before


class Stderr:
    """The process's standard error, led into a pipe."""

    def __init__(self) -> None:
        self.read, self.write = os.pipe()
        self.kept = os.dup(2)
        os.dup2(self.write, 2)

    def back(self) -> None:
        """As it was."""
        os.dup2(self.kept, 2)
        for descriptor in (self.kept, self.write):
            os.close(descriptor)


def test_each_line_is_one_write() -> None:
    """Lines of processes that share a terminal do not mix: what threads log at once comes out whole."""
    stderr = Stderr()
    try:
        log = to_stderr("auth")
        threads = [
            threading.Thread(target=lambda number=number: log("thing.done", number=number, fill="x" * 500))
            for number in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        stderr.back()
    with os.fdopen(stderr.read) as lines:
        assert sorted(json.loads(one)["number"] for one in lines) == list(range(8))


def test_a_closed_terminal_stops_nobody() -> None:
    """The line is lost, the service goes on."""
    stderr = Stderr()
    try:
        os.close(stderr.read)
        to_stderr("auth")("thing.done")
        with pytest.raises(OSError, match=os.strerror(errno.EPIPE)):
            os.write(2, b"x")
    finally:
        stderr.back()


async def test_lines_of_one_turn() -> None:
    """Go out when it is over, in their order; those of another thread at once."""
    stderr = Stderr()
    try:
        log = by_turns("auth", asyncio.get_running_loop())
        log("thing.done", number=1)
        await asyncio.to_thread(log, "thing.done", number=0)
        log("thing.done", number=2)
        await asyncio.sleep(0)
        log("thing.done", number=3)
        await asyncio.sleep(0)
    finally:
        stderr.back()
    with os.fdopen(stderr.read) as lines:
        found = [json.loads(one) for one in lines]
    # What was logged before the thread ran may have gone out before its line.
    assert sorted(one["number"] for one in found) == [0, 1, 2, 3]
    assert [one["number"] for one in found if one["number"]] == [1, 2, 3]
    assert {one["service"] for one in found} == {"auth"}


@pytest.mark.parametrize(
    ("sizes", "writes"),
    [
        ([], []),
        ([10], [1]),
        ([1_000, 2_000, 1_000], [3]),
        ([PIPE_BUF], [1]),
        ([PIPE_BUF - 10, 10, 1], [2, 1]),
        ([1, PIPE_BUF, 1], [1, 1, 1]),
        ([2 * PIPE_BUF, 5, 5], [1, 2]),
    ],
)
def test_as_many_lines_as_a_pipe_keeps_together(sizes: list[int], writes: list[int]) -> None:
    """Whole lines, none left out; a longer one by itself, as it would be without the others."""
    lines = [bytes([65 + at]) * (size - 1) + b"\n" for at, size in enumerate(sizes)]
    written = list(together(lines))
    assert b"".join(written) == b"".join(lines)
    assert [one.count(b"\n") for one in written] == writes


@pytest.mark.parametrize("name", ["time", "service"])
def test_fields_do_not_hide_the_line_s_own(name: str) -> None:
    """Nobody makes a line look like another's."""
    assert json.loads(line("auth", "e", {name: "x"}, now_s=0))[name] != "x"


@given(st.dictionaries(st.text(), st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary()))
def test_nothing_raises(fields: dict[str, object]) -> None:
    """A service does not end of its log."""
    made = line("auth", "e", fields, now_s=0)
    assert made.endswith(b"\n")
    assert made.count(b"\n") == 1

    def refuse(name: str) -> None:
        raise AssertionError(name)

    json.loads(made, parse_constant=refuse)  # NaN is no JSON
    discard("e", **fields)
