"""Log lines: one JSON object each, harmless on a terminal, cut when long, whatever the fields hold."""

import json
import logging
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wharfinger.runtime.log import MAX_VALUE, LibraryLog, discard, line
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


@given(st.dictionaries(st.text(), st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary()))
def test_nothing_raises(fields: dict[str, object]) -> None:
    """A service does not end of its log."""
    made = line("auth", "e", fields, now_s=0)
    assert made.endswith(b"\n")
    assert made.count(b"\n") == 1
    discard("e", **fields)
