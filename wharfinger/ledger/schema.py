"""The tables, as SQLAlchemy Core describes them, and their version. Leaves opening and upgrading to ``database``."""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
)

SCHEMA_VERSION: Final = 1

metadata = MetaData()


def _text(name: str) -> Column[str]:
    return Column(name, Text, nullable=False, server_default="")


def _number(name: str) -> Column[int]:
    return Column(name, BigInteger, nullable=False, server_default="0")


meta = Table("meta", metadata, Column("key", Text, primary_key=True), Column("value", Text, nullable=False))
"""One row: ``schema`` → the version."""

records = Table(
    "records",
    metadata,
    # The sequencer gives the number; it is the leaf's index in the log, from 0 and without gaps.
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("kind", Text, nullable=False),
    _number("recorded_at"),
    _number("occurred_at"),
    _text("source"),
    _text("event_id"),
    _text("event_sha"),
    _text("action"),
    _text("object_kind"),
    _text("repository"),
    _text("from_repository"),
    _text("tag"),
    _text("digest"),
    _text("media_type"),
    _number("size"),
    _text("method"),
    _text("request_id"),
    _text("instance_id"),
    _text("registry_host"),
    _text("verdict"),
    _text("reason"),
    _text("flags"),
    _text("jti"),
    _text("credential_kind"),
    _text("credential_id"),
    _text("detail"),
    Column("event_key", LargeBinary(16), nullable=False),
    # The dedupe key: a re-delivery is the same pair; the same id with another body is another row, and an alarm.
    UniqueConstraint("event_key", "event_sha", name="records_once"),
    Index("records_digest", "digest"),
    Index("records_jti", "jti"),
    Index("records_place", "repository", "tag", "seq"),
    Index("records_event_id", "event_id"),
)

personal = Table(
    "personal",
    metadata,
    Column("seq", Integer, ForeignKey("records.seq"), primary_key=True, autoincrement=False),
    Column("secret", LargeBinary(32)),
    _text("account"),
    _text("actor"),
    _text("client_addr"),
    _text("claimed_addr"),
    _text("user_agent"),
    _text("raw_sha256"),
    # Filled when the clear values are erased: what the leaf commits to must stay known.
    _text("commitments"),
    Index("personal_account", "account", "seq"),
)

raw_events = Table(
    "raw_events",
    metadata,
    Column("seq", Integer, ForeignKey("records.seq"), primary_key=True, autoincrement=False),
    Column("body", LargeBinary, nullable=False),
)
"""Events as they came, zlib-compressed, when small enough; their hash is committed either way."""

leaves = Table(
    "leaves",
    metadata,
    Column("idx", Integer, primary_key=True, autoincrement=False),
    Column("hash", LargeBinary(32), nullable=False),
)

tree = Table(
    "tree",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("size", Integer, nullable=False),
    Column("frontier", LargeBinary, nullable=False),
)
"""One row: the log's size and frontier."""

issuances = Table(
    "issuances",
    metadata,
    Column("jti", Text, primary_key=True),
    Column("seq", Integer, ForeignKey("records.seq"), nullable=False, unique=True),
    _text("credential_kind"),
    _text("credential_id"),
    _text("authenticated_by"),
    _text("service"),
    _text("asked"),
    _text("granted"),
    _text("rules"),
    _text("policy"),
    _number("issued_at"),
    _number("not_before"),
    _number("expires_at"),
    Index("issuances_credential", "credential_id", "seq"),
)
"""Tokens, without what tells of a person: that stands in ``personal``."""

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", Text, primary_key=True),
    Column("seq", Integer, ForeignKey("records.seq"), nullable=False),
    Column("rule", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("state", Text, nullable=False),
    _text("reason"),
    _number("created_at"),
    _number("updated_at"),
    _number("due_at"),
    _number("attempts"),
    _number("lease_until"),
    _number("fence"),
    Index("deliveries_due", "state", "due_at"),
    Index("deliveries_target", "target", "state", "seq"),
    Index("deliveries_seq", "seq"),
)

attempts = Table(
    "attempts",
    metadata,
    Column("delivery", Text, ForeignKey("deliveries.id"), nullable=False),
    Column("attempt", Integer, nullable=False),
    _number("started_at"),
    _number("ended_at"),
    _text("outcome"),
    _text("detail"),
    PrimaryKeyConstraint("delivery", "attempt"),
)
