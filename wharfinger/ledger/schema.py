"""The tables, as SQLAlchemy Core describes them. Leaves opening to ``database``, their history to ``migrations``.

Written for millions of rows on one disk: texts that repeat are numbers of ``words``, digests and ids are bytes, an index holds
eight bytes of a hash where that is enough to find few rows. Queries compare the whole value beside it.
"""

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
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    func,
    text,
)

from wharfinger.ledger.codes import CODES

metadata = MetaData()


def _text(name: str) -> Column[str]:
    return Column(name, Text, nullable=False, server_default="")


def _number(name: str) -> Column[int]:
    return Column(name, BigInteger, nullable=False, server_default="0")


def _code(name: str) -> Column[int]:
    return Column(name, SmallInteger, nullable=False, server_default="0")


def _word(name: str) -> Column[int]:
    return Column(name, Integer, nullable=False, server_default="0")


def _bytes(name: str) -> Column[bytes | None]:
    return Column(name, LargeBinary, nullable=True)


words = Table(
    "words",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("kind", SmallInteger, nullable=False),
    Column("text", Text, nullable=False),
    UniqueConstraint("kind", "text", name="words_once"),
)
"""Texts that repeat: repositories, accounts, addresses… 0 stands for the empty text and has no row."""

records = Table(
    "records",
    metadata,
    # The sequencer gives the number; it is the leaf's index in the log, from 0 and without gaps.
    Column("seq", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    _code("kind"),
    # Never falls from one record to the next, so that a time is found by halving.
    _number("recorded_at"),
    _number("occurred_at"),
    _word("source"),
    # The place to look for the same event: four bytes of its id's time, eight of the hash of source and event id.
    Column("event_key", LargeBinary, nullable=False),
    _bytes("event_id"),
    _bytes("event_sha"),
    _code("action"),
    _code("object_kind"),
    _word("repository"),
    _word("from_repository"),
    _text("tag"),
    _bytes("digest"),
    _bytes("previous_digest"),
    _word("media_type"),
    _number("size"),
    _code("method"),
    _bytes("request_id"),
    _word("instance_id"),
    _word("registry_host"),
    _code("verdict"),
    _text("reason"),
    _word("flags"),
    _bytes("jti"),
    _word("credential"),
    _text("detail"),
    # From here on what tells of a person: emptied by erasure. ``secret`` salts the commitments to it.
    _bytes("secret"),
    _word("account"),
    _text("actor"),
    _word("client_addr"),
    _word("claimed_addr"),
    _word("user_agent"),
    Index("records_event_key", "event_key"),
    Index("records_digest", func.substr(text("digest"), 2, 8)),
    Index("records_jti", func.substr(text("jti"), 1, 8)),
    Index("records_repository", "repository", "seq"),
    Index("records_account", "account", "seq"),
    Index("records_credential", "credential", "seq"),
    Index("records_client_addr", "client_addr", "seq"),
    Index("records_tag", "repository", "tag", "seq", sqlite_where=text("tag <> ''"), postgresql_where=text("tag <> ''")),
)
"""The audit trail."""


def _partial(name: str, column: str, condition: str) -> Index:
    return Index(name, records.c[column], records.c.seq, sqlite_where=text(condition), postgresql_where=text(condition))


NOT_EVENT: Final = f"kind <> {CODES['event']}"
NOT_EXACT: Final = f"verdict NOT IN ({CODES['']}, {CODES['exact']})"
NOT_READ: Final = f"action NOT IN ({CODES['pull']}, {CODES['probe']})"
FLAGGED: Final = "flags <> 0"
# What is rare and asked for: each is a small index over the few rows it is about.
_partial("records_kind", "kind", NOT_EVENT)
_partial("records_verdict", "verdict", NOT_EXACT)
_partial("records_action", "action", NOT_READ)
_partial("records_flags", "flags", FLAGGED)

erased = Table(
    "erased",
    metadata,
    Column(
        "seq", BigInteger().with_variant(Integer, "sqlite"), ForeignKey("records.seq"), primary_key=True, autoincrement=False
    ),
    Column("commitments", LargeBinary, nullable=False),
)
"""What the leaves of erased records commit to, kept when values and secret go."""

pruned = Table(
    "pruned",
    metadata,
    Column("seq", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    # The record of the log that tells of it.
    Column("by", BigInteger().with_variant(Integer, "sqlite"), nullable=False),
)
"""The numbers of records that the rules of retention removed. Their leaves stay in the tiles."""

raw_events = Table(
    "raw_events",
    metadata,
    Column(
        "seq", BigInteger().with_variant(Integer, "sqlite"), ForeignKey("records.seq"), primary_key=True, autoincrement=False
    ),
    Column("body", LargeBinary, nullable=False),
)
"""Events as they came, compressed, when small enough; their hash is committed either way."""

tiles = Table(
    "tiles",
    metadata,
    Column("level", SmallInteger, nullable=False),
    Column("number", BigInteger().with_variant(Integer, "sqlite"), nullable=False),
    Column("hashes", LargeBinary, nullable=False),
    PrimaryKeyConstraint("level", "number"),
)
"""The log's hashes, 256 in a row, as C2SP tlog-tiles has them; the last of each level is partial."""

tree = Table(
    "tree",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    _number("size"),
    Column("frontier", LargeBinary, nullable=False),
    _number("recorded_at"),
    # Raised when words are removed: who remembers any forgets them all.
    _number("epoch"),
)
"""One row, the sequencer's: the log's size and frontier. Whoever appends locks it."""

checkpoints = Table(
    "checkpoints",
    metadata,
    Column("size", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    Column("root", LargeBinary, nullable=False),
    _text("note"),
    _number("made_at"),
)
"""Signed checkpoints of the log, with the cosignatures that came."""

issuances = Table(
    "issuances",
    metadata,
    Column("jti", LargeBinary, primary_key=True),
    Column("seq", BigInteger().with_variant(Integer, "sqlite"), ForeignKey("records.seq"), nullable=False, unique=True),
    _number("expires_at"),
    # The latest record that named it: an issuance nobody used may be pruned sooner.
    _number("used_at"),
)
"""Where a token's record is; what it says stands in that record's ``detail``."""

tags = Table(
    "tags",
    metadata,
    Column("source", Integer, nullable=False),
    Column("repository", Integer, nullable=False),
    Column("tag", Text, nullable=False),
    Column("digest", LargeBinary, nullable=True),
    _number("seq"),
    PrimaryKeyConstraint("repository", "tag", "source"),
)
"""What each tag is, as far as the trail knows; no digest: it was removed."""

instances = Table(
    "instances",
    metadata,
    Column("source", Integer, nullable=False),
    Column("instance_id", Integer, nullable=False),
    _number("first_at"),
    _number("last_at"),
    PrimaryKeyConstraint("source", "instance_id"),
    # The latest of each source, however many there were.
    Index("instances_last", "source", "last_at"),
)
"""Processes of registries that were heard: a new one may mean that another's last events are lost."""

forwards = Table(
    "forwards",
    metadata,
    Column("name", Text, primary_key=True),
    _number("seq"),
    _number("updated_at"),
)
"""How far each forward of the trail to another system has come: the number of the next record."""

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", Text, primary_key=True),
    Column("seq", BigInteger().with_variant(Integer, "sqlite"), ForeignKey("records.seq"), nullable=False),
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
    # Raised by whatever may change what a delivery waits for: who held it off meanwhile sees that it looked too early.
    _number("stirred"),
    # What each guard said, as JSON.
    _text("decisions"),
    # What its target began and must find again, JSON; while there is any, the target begins nothing else.
    _text("noted"),
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

votes = Table(
    "votes",
    metadata,
    Column("delivery", Text, ForeignKey("deliveries.id"), nullable=False),
    # The record of the log that tells of it: whose it is stands there alone, and can be erased there.
    Column("seq", BigInteger().with_variant(Integer, "sqlite"), ForeignKey("records.seq"), nullable=False),
    PrimaryKeyConstraint("delivery", "seq"),
)
"""Which records are votes on a delivery."""

pauses = Table(
    "pauses",
    metadata,
    Column("rule", Text, primary_key=True),
    Column("seq", BigInteger().with_variant(Integer, "sqlite"), ForeignKey("records.seq"), nullable=False),
)
"""Which rules are paused, each with the record that tells by whom and why; the empty name: all of them."""

bad_digests = Table(
    "bad_digests",
    metadata,
    Column("digest", LargeBinary, nullable=False),
    Column("target", Text, nullable=False),
    # Of a person's mark, or of the outcome that made it; that one may be pruned.
    Column("seq", BigInteger().with_variant(Integer, "sqlite"), nullable=False),
    _text("why"),
    _number("at"),
    PrimaryKeyConstraint("digest", "target"),
)
"""Digests that are not to be deployed, at one target or, by the empty name, anywhere."""

WORD_KINDS: Final = (
    "source", "repository", "media_type", "instance_id", "registry_host", "flags", "credential",
    "account", "client_addr", "user_agent",
)  # fmt: skip
"""What a word may be, by its number from 1. Only ever added to at the end."""
PERSONAL_KINDS: Final = frozenset({"account", "client_addr", "user_agent"})
