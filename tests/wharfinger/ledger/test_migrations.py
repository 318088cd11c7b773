"""The schema's history: what the migrations make, step by step, is what the code reads and writes, to the letter."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, text

import wharfinger.ledger.migrations
from tests.postgresql import Server
from wharfinger.ledger import schema
from wharfinger.ledger.database import Database
from wharfinger.ledger.migrations import run
from wharfinger.ledger.upgrade import CURRENT, KNOWN

SQLITE_CATALOGUE = (
    "SELECT type, name, tbl_name, sql FROM sqlite_schema WHERE name NOT LIKE 'alembic%' AND tbl_name NOT LIKE 'alembic%'"
)
"""Every table and index, with the statement that made it."""
POSTGRESQL_CATALOGUES = (
    "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename <> 'alembic_version'",
    (
        "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint"
        " WHERE connamespace = 'public'::regnamespace AND conrelid <> 'alembic_version'::regclass"
    ),
    (
        "SELECT a.attrelid::regclass::text, a.attnum, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,"
        " pg_get_expr(d.adbin, d.adrelid) FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid"
        " LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum"
        " WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND a.attnum > 0 AND c.relname <> 'alembic_version'"
    ),
)
"""Every index, constraint and column, in PostgreSQL's own words."""


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.real)])
def migrated(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Connection]:
    """A database that the migrations made, from nothing to the newest revision."""
    engine = empty(request, tmp_path)
    with engine.begin() as connection:
        run(connection, CURRENT)
        yield connection
    engine.dispose()


@pytest.fixture
def described(migrated: Connection, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Connection]:
    """Another one, made of the description that the code works by."""
    engine = empty(request, tmp_path, migrated.dialect.name)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE alembic_version (version_num TEXT)"))
        schema.metadata.create_all(connection)
        yield connection
    engine.dispose()


def empty(request: pytest.FixtureRequest, tmp_path: Path, dialect: str = "") -> Engine:
    """A new database."""
    name = f"schema_{os.urandom(6).hex()}"
    if (dialect or request.param) == "sqlite":
        return create_engine(f"sqlite:///{tmp_path}/{name}.db")
    server: Server = request.getfixturevalue("postgresql")
    engine = create_engine(server.url("postgres"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    engine.dispose()
    return create_engine(server.url(name))


def catalogue(connection: Connection) -> list[str]:
    """All that a database says of its tables."""
    queries = (SQLITE_CATALOGUE,) if connection.dialect.name == "sqlite" else POSTGRESQL_CATALOGUES
    rows = [list(row) for query in queries for row in connection.execute(text(query))]
    # SQLite keeps a statement as it was written, and puts a column that was added into it in a layout of its own.
    return sorted(
        json.dumps([" ".join(one.split()) if isinstance(one, str) else one for one in row], default=str) for row in rows
    )


# Alembic compares no indexed expressions in SQLite, and says so; the catalogues below do.
NOT_COMPARED = (
    "ignore:Skipped unsupported reflection of expression-based index",
    "ignore:autogenerate skipping metadata-specified expression-based index",
)


@pytest.mark.filterwarnings(*NOT_COMPARED)
def test_nothing_is_left_to_migrate(migrated: Connection) -> None:
    """Alembic finds no table, column, type, index or constraint that the description has and the migrations forgot."""
    context = MigrationContext.configure(migrated, opts={"compare_type": True})
    assert compare_metadata(context, schema.metadata) == []


def test_they_make_what_the_code_describes(migrated: Connection, described: Connection) -> None:
    """To the letter: also what Alembic does not compare: defaults, the conditions of partial indexes, indexed expressions."""
    found = catalogue(migrated)
    assert len(found) > len(schema.metadata.tables)
    assert found == catalogue(described)


@pytest.mark.filterwarnings(*NOT_COMPARED)
def test_a_change_of_the_description_alone_is_seen(migrated: Connection) -> None:
    """As when somebody adds a column and no migration: the comparison above is one that can fail."""
    migrated.execute(text("ALTER TABLE tags DROP COLUMN seq"))
    context = MigrationContext.configure(migrated)
    (missing,) = compare_metadata(context, schema.metadata)
    assert (missing[0], missing[3].name) == ("add_column", "seq")


def test_no_migration_looks_at_the_description() -> None:
    """One that did would make another schema the next day, and none of the ledgers that it made before would follow."""
    folder = Path(wharfinger.ledger.migrations.__file__).parent / "versions"
    files = sorted(folder.glob("*.py"))
    assert files
    assert [file.name for file in files if "wharfinger" in file.read_text()] == []


def test_every_revision_is_known_in_its_order() -> None:
    """Those of the folder, one after the other, are what an opening ledger knows."""
    config = Config()
    config.set_main_option("script_location", str(Path(wharfinger.ledger.migrations.__file__).parent))
    history = [one.revision for one in ScriptDirectory.from_config(config).walk_revisions()]
    assert tuple(reversed(history)) == KNOWN
    assert KNOWN[-1] == CURRENT


def test_a_new_ledger_is_an_empty_log(ledger: Database) -> None:
    """With the one row that whoever appends locks."""
    with ledger.reading() as connection:
        assert connection.execute(text("SELECT id, size, recorded_at, epoch FROM tree")).all() == [(1, 0, 0, 0)]
