"""Faults on real programs: what is killed, stopped or taken away, and what is seen of it at the end of the run.

A seed chooses the moments; ``WHARFINGER_SEED`` chooses it again.
"""

import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.faults.station import Station, station_in

SEEN: list[str] = []
Tell = Callable[[str], None]


@pytest.fixture
def tell(request: pytest.FixtureRequest) -> Tell:
    """Keep a line for the end of the run: what was measured is worth more than that it passed."""
    name = request.node.name

    def told(line: str) -> None:
        SEEN.append(f"{name}: {line}")

    return told


@pytest.fixture
def chance(tell: Tell) -> random.Random:
    """Randomness that can be had again."""
    seed = int(os.environ.get("WHARFINGER_SEED", random.getrandbits(32)))
    tell(f"WHARFINGER_SEED={seed}")
    return random.Random(seed)


@pytest.fixture
def station(tmp_path: Path) -> Iterator[Station]:
    """The whole house with its witnesses, new for each test."""
    with station_in(tmp_path / "house") as built:
        yield built


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what was seen."""
    if SEEN:
        terminalreporter.section("seen under faults")
        for line in SEEN:
            terminalreporter.line(line)
