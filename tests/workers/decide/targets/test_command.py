"""Programs: what they are told, and what their end means."""

import json

import pytest

from tests.workers.orders import ORDER
from wharfinger.runtime.templates import FIELDS
from workers.decide.order import Delivered, Failed, Refused, Retry, Sent, Unchanged, Undone
from workers.decide.targets.command import Ended, cut_off, meaning, told


def test_what_it_is_told() -> None:
    """Every field of the push, as JSON on one line."""
    line = told(ORDER)
    assert line.endswith(b"\n")
    assert b"\n" not in line[:-1]
    assert tuple(json.loads(line)) == FIELDS


@pytest.mark.parametrize(
    ("ended", "expected"),
    [
        (Ended(0), Delivered("exit code 0")),
        (Ended(0, b"first\ndone: 3 hosts\n\n"), Delivered("done: 3 hosts")),
        (Ended(10), Unchanged("exit code 10")),
        (Ended(20, b"rolled back"), Undone("rolled back")),
        (Ended(75, b"busy"), Retry("exit code 75: busy")),
        (Ended(78), Refused("exit code 78")),
        (Ended(1, b"a\r\nno such host\r\n"), Failed("exit code 1: no such host")),
        (Ended(127), Failed("exit code 127")),
        (Ended(-9), Failed("was ended by signal 9")),
        (Ended(1, b"\xff\x00x"), Failed("exit code 1: \ufffd\ufffdx")),
        (Ended(1, b"x" * 4096), Failed("exit code 1: " + "x" * 300)),
        (Ended(None, b"step 2"), Failed("did not end within 7 s (timeout), and was ended: step 2")),
    ],
)
def test_ends(ended: Ended, expected: Sent) -> None:
    """By its exit code, with the last line that it wrote."""
    assert meaning(ended, timeout_s=7, repeatable=False) == expected


def test_what_may_be_repeated() -> None:
    """Is run again when its time was up, or when it was cut off; nothing else is."""
    assert meaning(Ended(None), timeout_s=7, repeatable=True) == Retry("did not end within 7 s (timeout), and was ended")
    assert cut_off(repeatable=True) == Retry("it was cut off while it ran")
    assert isinstance(cut_off(repeatable=False), Failed)
