"""Opening the ledger's database: connection settings, the write lock, the schema's version. Knows no record.

SQLite in WAL mode with ``synchronous=FULL``: a commit that returned is on disk. A handle must not cross a fork (SQLite's locks
are lost in the child), so each process opens its own, and a handle used in another process raises.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, create_engine, event, insert, select
from sqlalchemy.engine import Engine, make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import ConnectionPoolEntry

from wharfinger.ledger import schema
from wharfinger.ledger.errors import LedgerMisuse, LedgerUnavailable

BUSY_TIMEOUT_MS: Final = 10_000
WAL_PAGES: Final = 16_000
"""Pages before a checkpoint. SQLite's default of 1,000 made notifier's own fsyncs twice as slow while a backlog settled."""
CACHE_KIB: Final = 16_000


class Database:
    """One process's handle on the ledger. Close it, or leave its ``with`` block."""

    def __init__(self, url: str, *, create: bool = True) -> None:
        """Open, and create what is missing.

        Args:
            url: ``sqlite:///path``.
            create: False for commands that only read: a ledger that is not there is not made by looking for it.

        Raises:
            LedgerUnavailable: the file cannot be opened or written, or is not there.
            LedgerMisuse: it was written by a newer version.
        """
        self._pid = os.getpid()
        self._engine = _engine(url, create=create)
        with self.writing() as connection:
            _install(connection)

    def close(self) -> None:
        """Give the connections back."""
        self._engine.dispose()

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """One transaction that holds the write lock from its first statement: the log's sequencer. Commits at the end."""
        with self._connected() as connection:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                connection.exec_driver_sql("ROLLBACK")
                raise
            connection.exec_driver_sql("COMMIT")

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """One snapshot: every read in it sees the same state."""
        with self._connected() as connection:
            connection.exec_driver_sql("BEGIN")
            try:
                yield connection
            finally:
                connection.exec_driver_sql("ROLLBACK")

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        if os.getpid() != self._pid:
            raise LedgerMisuse("a ledger handle crossed a fork: each process must open its own")
        try:
            with self._engine.connect() as connection:
                yield connection
        except DBAPIError as error:
            raise LedgerUnavailable(f"the ledger did not answer: {type(error.orig).__name__}: {error.orig}") from error


def _engine(url: str, *, create: bool) -> Engine:
    path = make_url(url).database
    if path is None:
        raise LedgerMisuse("ledger.url names no file")
    if create:
        _create_private(Path(path))
    elif not Path(path).is_file():
        raise LedgerUnavailable(f"there is no ledger {path}: start `wharfinger up`, or name its folder with --data")
    # AUTOCOMMIT: transactions are begun by name above, for the driver's own begin takes the write lock too late.
    engine = create_engine(url, isolation_level="AUTOCOMMIT", connect_args={"timeout": BUSY_TIMEOUT_MS / 1000})
    event.listen(engine, "connect", _tune)
    return engine


def _create_private(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise LedgerUnavailable(f"cannot open the ledger {path}: {error.strerror}") from error


def _tune(connection: sqlite3.Connection, _entry: ConnectionPoolEntry) -> None:
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        f"wal_autocheckpoint={WAL_PAGES}",
        f"cache_size=-{CACHE_KIB}",
        "secure_delete=ON",  # erased personal values are overwritten, not only unlinked
    ):
        connection.execute(f"PRAGMA {pragma}")


def _install(connection: Connection) -> None:
    schema.metadata.create_all(connection)
    found = connection.execute(select(schema.meta.c.value).where(schema.meta.c.key == "schema")).scalar()
    if found is None:
        connection.execute(insert(schema.meta).values(key="schema", value=str(schema.SCHEMA_VERSION)))
        connection.execute(insert(schema.tree).values(id=1, size=0, frontier=b""))
    elif int(found) != schema.SCHEMA_VERSION:
        raise LedgerMisuse(f"the ledger has schema {found}, this version knows {schema.SCHEMA_VERSION}: upgrade Wharfinger")
