"""A data folder with a signed log, and the command run on it."""

from contextlib import closing
from pathlib import Path

import pytest

from tests.wharfinger.cli.houses import house, run
from tests.wharfinger.ledger.logs import fill
from wharfinger.ledger.database import Database


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """With a ledger that was signed."""
    made = house(tmp_path / "data")
    with closing(Database(f"sqlite:///{made}/ledger.db")) as database:
        fill(database, 300)
    assert run("audit", "checkpoint", "--data", made).exit_code == 0
    return made
