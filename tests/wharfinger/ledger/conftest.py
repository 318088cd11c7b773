"""A new ledger for each test: in a SQLite file, and in a real PostgreSQL."""

from collections.abc import Iterator

import pytest

from wharfinger.ledger.database import Database


@pytest.fixture
def ledger(ledger_url: str) -> Iterator[Database]:
    """A new ledger."""
    database = Database(ledger_url)
    yield database
    database.close()
