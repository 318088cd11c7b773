"""Bringing a ledger to this version's schema, by Alembic's migrations; each runs once, inside the caller's transaction.

Alembic is only imported when there is something to do: most openings find the version they know.
"""

from typing import Final

from sqlalchemy import Connection, inspect, text

from wharfinger.ledger.errors import LedgerMisuse

CURRENT: Final = "0002"
"""The revision of ``migrations/versions`` that this version writes."""
KNOWN: Final = ("0001", "0002")
"""Every revision there was, oldest first."""
MOVED: Final = "moved"
"""Instead of a revision: all of it is in another database now, and nothing may be added here."""
_LOCK: Final = 0x77686172
"""PostgreSQL's advisory lock while a schema is changed: two processes may start at once."""


def upgrade(connection: Connection) -> None:
    """Create what is missing, and migrate what is old. Raises LedgerMisuse: a newer version wrote it."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    if _revision(connection) == CURRENT:
        return
    from wharfinger.ledger.migrations import run  # noqa: PLC0415 - Alembic takes longer to import than all else

    run(connection, CURRENT)


def require_current(connection: Connection) -> None:
    """For those that only read. Raises LedgerMisuse when the schema is another."""
    found = _revision(connection)
    if found != CURRENT:
        raise LedgerMisuse(f"the ledger has schema {found or 'none'}, this version reads {CURRENT}: start `wharfinger up` once")


def mark_moved(connection: Connection) -> None:
    """Have nobody open this ledger any more."""
    connection.execute(text("UPDATE alembic_version SET version_num = :moved"), {"moved": MOVED})


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    if found == MOVED:
        raise LedgerMisuse("this ledger was moved to another database: ledger.url must name that one")
    if found is not None and found not in KNOWN:
        raise LedgerMisuse(f"the ledger has schema {found}, this version knows {CURRENT}: upgrade Wharfinger")
    return None if found is None else str(found)
