"""Opening the ledger's database, SQLite or PostgreSQL: connection settings, write lock, schema. Knows no record.

SQLite in WAL mode with ``synchronous=FULL``: a commit that returned is on disk. A handle must not cross a fork (SQLite's locks
are lost in the child), so each process opens its own, and a handle used in another process raises.
"""

import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, create_engine, event
from sqlalchemy.engine import URL, Engine, make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import ConnectionPoolEntry

from wharfinger.ledger.errors import LedgerMisuse, LedgerUnavailable
from wharfinger.ledger.upgrade import require_current, upgrade
from wharfinger.ledger.words import Words

BUSY_TIMEOUT_MS: Final = 10_000
ALONE_TIMEOUT_S: Final = 1.0
"""Whoever has the file open keeps it open: there is nothing to wait for."""
WAL_PAGES: Final = 16_000
"""Pages before a checkpoint. SQLite's default of 1,000 made notifier's own fsyncs twice as slow while a backlog settled."""
CACHE_KIB: Final = 64_000
STATEMENT_TIMEOUT_MS: Final = 60_000
_SQLITE: Final = "sqlite"


class Database:
    """One process's handle on the ledger. Close it, or leave its ``with`` block."""

    def __init__(self, url: str, *, create: bool = True, alone: bool = False) -> None:
        """Open, and create what is missing.

        Args:
            url: ``sqlite:///path`` or ``postgresql://…``.
            create: False for commands that only read: a ledger that is not there is not made by looking for it.
            alone: nobody else may have it open, as long as this handle does. SQLite only; one connection at a time.

        Raises:
            LedgerUnavailable: it cannot be opened or written, or is not there, or somebody else has it open.
            LedgerMisuse: it was written by a newer version.
        """
        self._pid = os.getpid()
        self.url = url
        self._engine = _engine(make_url(url), create=create, alone=alone)
        self._remembered = threading.local()
        try:
            with self.writing() if create else self.reading() as connection:
                (upgrade if create else require_current)(connection)
        except BaseException:
            self.close()
            raise

    @property
    def words(self) -> Words:
        """This thread's memory of the dictionary: another thread's commit is no word on what this one's transaction gave."""
        found: Words | None = getattr(self._remembered, "words", None)
        if found is None:
            found = self._remembered.words = Words()
        return found

    @property
    def dialect(self) -> str:
        """``sqlite`` or ``postgresql``."""
        return self._engine.dialect.name

    def close(self) -> None:
        """Give the connections back."""
        self._engine.dispose()

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """One transaction, committed at its end. In SQLite it holds the one write lock from its first statement."""
        with self._connected() as connection:
            connection.exec_driver_sql("BEGIN IMMEDIATE" if self.dialect == _SQLITE else "BEGIN")
            try:
                yield connection
            except BaseException:
                self.words.rolled_back()
                connection.exec_driver_sql("ROLLBACK")
                raise
            connection.exec_driver_sql("COMMIT")
            self.words.committed()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """One snapshot: every read in it sees the same state."""
        with self._connected() as connection:
            connection.exec_driver_sql(
                "BEGIN" if self.dialect == _SQLITE else "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
            )
            try:
                yield connection
            finally:
                connection.exec_driver_sql("ROLLBACK")

    def maintain(self, *, sqlite: Sequence[str], postgresql: Sequence[str]) -> None:
        """Run statements of the dialect that belong to no transaction, as cleaning up does."""
        with self._connected() as connection:
            for statement in sqlite if self.dialect == _SQLITE else postgresql:
                connection.exec_driver_sql(statement)

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        if os.getpid() != self._pid:
            raise LedgerMisuse("a ledger handle crossed a fork: each process must open its own")
        try:
            with self._engine.connect() as connection:
                yield connection
        except sqlite3.Error as error:  # while it is opened, before SQLAlchemy knows of it
            raise LedgerUnavailable(f"the ledger did not answer: {type(error).__name__}: {error}") from error
        except DBAPIError as error:
            raise LedgerUnavailable(f"the ledger did not answer: {type(error.orig).__name__}: {error.orig}") from error


def _engine(url: URL, *, create: bool, alone: bool) -> Engine:
    if url.get_backend_name() == "postgresql":
        if alone:
            raise LedgerMisuse("only a SQLite ledger can be had alone")
        return _postgresql(url)
    if url.database is None:
        raise LedgerMisuse("ledger.url names no file")
    if create:
        _create_private(Path(url.database))
    elif not Path(url.database).is_file():
        raise LedgerUnavailable(f"there is no ledger {url.database}: start `wharfinger up`, or name its folder with --data")
    # AUTOCOMMIT: transactions are begun by name above, for the driver's own begin takes the write lock too late.
    if not alone:
        engine = create_engine(url, isolation_level="AUTOCOMMIT", connect_args={"timeout": BUSY_TIMEOUT_MS / 1000})
    else:
        engine = create_engine(
            url, isolation_level="AUTOCOMMIT", connect_args={"timeout": ALONE_TIMEOUT_S}, pool_size=1, max_overflow=0
        )
        # Before anything is read: it is refused then while anybody else has the file open, whether he writes or not.
        event.listen(engine, "connect", lambda connection, _entry: connection.execute("PRAGMA locking_mode=EXCLUSIVE"))
    event.listen(engine, "connect", _tune)
    return engine


def _postgresql(url: URL) -> Engine:
    if find_spec("psycopg") is None:
        raise LedgerMisuse("ledger.url is PostgreSQL's, whose driver is not installed: pip install 'wharfinger[postgresql]'")
    options = f"-c statement_timeout={STATEMENT_TIMEOUT_MS} -c synchronous_commit=on"
    return create_engine(
        url.set(drivername="postgresql+psycopg"),
        isolation_level="AUTOCOMMIT",
        pool_pre_ping=True,
        # Prepared statements stay off: they are slower here, and PgBouncer forbids them.
        connect_args={"connect_timeout": BUSY_TIMEOUT_MS // 1000, "options": options, "prepare_threshold": None},
    )


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
