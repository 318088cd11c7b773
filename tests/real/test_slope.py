"""A record costs a large ledger hardly more than a small one: bench/filling.py makes both, by the code that settle runs."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

pytestmark = pytest.mark.real

FILLING: Final = Path(__file__).parents[2] / "bench" / "filling.py"
RANDOM: Final = "--random-ids"
"""Those of registries before 3.0, which cost more."""
CASES: Final = (
    pytest.param((20_000, 100_000), [], id="10^5, ids in order of time"),
    pytest.param((20_000, 100_000), [RANDOM], id="10^5, random ids", marks=pytest.mark.slow),
    pytest.param((100_000, 10_000_000), [RANDOM], id="10^7, random ids", marks=pytest.mark.slow),
)
STEEPEST: Final = 2


@pytest.mark.parametrize(("sizes", "ids"), CASES)
def test_a_record_costs_the_same_however_many_there_are(
    sizes: tuple[int, int], ids: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Twice at most, counted in pages written, which no busy machine changes. CPU times are shown beside them."""
    command = [sys.executable, FILLING, "--records", *map(str, sizes), *ids]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stderr
    with capsys.disabled():
        sys.stdout.write(f"\n{told.stdout}")
    small, large = (json.loads(line) for line in told.stdout.splitlines())
    assert small["records"] >= sizes[0]
    assert large["records"] >= sizes[1]
    assert large["pages"] <= STEEPEST * small["pages"]
