"""The first schema. It stays as it is: what a later version wants otherwise is a revision of its own.

Revision ID: 0001
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create every table, and the empty log."""
    _trail()
    _beside_the_trail()
    _log()
    _derived()
    _deliveries()


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=False, server_default="")


def _number(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=False, server_default="0")


def _code(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.SmallInteger(), nullable=False, server_default="0")


def _word(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.Integer(), nullable=False, server_default="0")


def _seq(name: str = "seq") -> sa.Column[int]:
    # SQLite keeps a row by its number only where the type is called INTEGER.
    return sa.Column(name, sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False, autoincrement=False)


def _trail() -> None:
    op.create_table(
        "words",
        sa.Column("id", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("kind", sa.SmallInteger(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("kind", "text", name="words_once"),
    )
    op.create_table(
        "records",
        _seq(),
        _code("kind"),
        _number("recorded_at"),
        _number("occurred_at"),
        _word("source"),
        sa.Column("event_key", sa.LargeBinary(), nullable=False),
        sa.Column("event_id", sa.LargeBinary(), nullable=True),
        sa.Column("event_sha", sa.LargeBinary(), nullable=True),
        _code("action"),
        _code("object_kind"),
        _word("repository"),
        _word("from_repository"),
        _text("tag"),
        sa.Column("digest", sa.LargeBinary(), nullable=True),
        sa.Column("previous_digest", sa.LargeBinary(), nullable=True),
        _word("media_type"),
        _number("size"),
        _code("method"),
        sa.Column("request_id", sa.LargeBinary(), nullable=True),
        _word("instance_id"),
        _word("registry_host"),
        _code("verdict"),
        _text("reason"),
        _word("flags"),
        sa.Column("jti", sa.LargeBinary(), nullable=True),
        _word("credential"),
        _text("detail"),
        sa.Column("secret", sa.LargeBinary(), nullable=True),
        _word("account"),
        _text("actor"),
        _word("client_addr"),
        _word("claimed_addr"),
        _word("user_agent"),
        sa.PrimaryKeyConstraint("seq"),
    )
    op.create_index("records_event_key", "records", ["event_key"])
    op.create_index("records_digest", "records", [sa.text("substr(digest, 2, 8)")])
    op.create_index("records_jti", "records", [sa.text("substr(jti, 1, 8)")])
    for column in ("repository", "account", "credential", "client_addr"):
        op.create_index(f"records_{column}", "records", [column, "seq"])
    _partial("records_tag", ["repository", "tag", "seq"], "tag <> ''")
    # The numbers of words are those of ledger/codes.py, which are never changed: 3 event, 0 none, 32 exact, 11 pull, 12 probe.
    _partial("records_kind", ["kind", "seq"], "kind <> 3")
    _partial("records_verdict", ["verdict", "seq"], "verdict NOT IN (0, 32)")
    _partial("records_action", ["action", "seq"], "action NOT IN (11, 12)")
    _partial("records_flags", ["flags", "seq"], "flags <> 0")


def _partial(name: str, columns: list[str], condition: str) -> None:
    where = sa.text(condition)
    op.create_index(name, "records", columns, sqlite_where=where, postgresql_where=where)


def _beside_the_trail() -> None:
    op.create_table(
        "erased",
        _seq(),
        sa.Column("commitments", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("seq"),
        sa.ForeignKeyConstraint(["seq"], ["records.seq"]),
    )
    op.create_table("pruned", _seq(), _seq("by"), sa.PrimaryKeyConstraint("seq"))
    op.create_table(
        "raw_events",
        _seq(),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("seq"),
        sa.ForeignKeyConstraint(["seq"], ["records.seq"]),
    )


def _log() -> None:
    op.create_table(
        "tiles",
        sa.Column("level", sa.SmallInteger(), nullable=False),
        _seq("number"),
        sa.Column("hashes", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("level", "number"),
    )
    tree = op.create_table(
        "tree",
        sa.Column("id", sa.Integer(), nullable=False, autoincrement=False),
        _number("size"),
        sa.Column("frontier", sa.LargeBinary(), nullable=False),
        _number("recorded_at"),
        _number("epoch"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.get_bind().execute(sa.insert(tree).values(id=1, size=0, frontier=b"", recorded_at=0, epoch=0))
    op.create_table(
        "checkpoints",
        _seq("size"),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        _text("note"),
        _number("made_at"),
        sa.PrimaryKeyConstraint("size"),
    )


def _derived() -> None:
    op.create_table(
        "issuances",
        sa.Column("jti", sa.LargeBinary(), nullable=False),
        _seq(),
        _number("expires_at"),
        _number("used_at"),
        sa.PrimaryKeyConstraint("jti"),
        sa.UniqueConstraint("seq"),
        sa.ForeignKeyConstraint(["seq"], ["records.seq"]),
    )
    op.create_table(
        "tags",
        sa.Column("source", sa.Integer(), nullable=False),
        sa.Column("repository", sa.Integer(), nullable=False),
        sa.Column("tag", sa.Text(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=True),
        _number("seq"),
        sa.PrimaryKeyConstraint("repository", "tag", "source"),
    )
    op.create_table(
        "instances",
        sa.Column("source", sa.Integer(), nullable=False),
        sa.Column("instance_id", sa.Integer(), nullable=False),
        _number("first_at"),
        _number("last_at"),
        sa.PrimaryKeyConstraint("source", "instance_id"),
    )
    op.create_index("instances_last", "instances", ["source", "last_at"])
    op.create_table(
        "forwards",
        sa.Column("name", sa.Text(), nullable=False),
        _number("seq"),
        _number("updated_at"),
        sa.PrimaryKeyConstraint("name"),
    )


def _deliveries() -> None:
    op.create_table(
        "deliveries",
        sa.Column("id", sa.Text(), nullable=False),
        _seq(),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        _text("reason"),
        _number("created_at"),
        _number("updated_at"),
        _number("due_at"),
        _number("attempts"),
        _number("lease_until"),
        _number("fence"),
        _number("stirred"),
        _text("decisions"),
        _text("noted"),
        sa.PrimaryKeyConstraint("id"),
        sa.ForeignKeyConstraint(["seq"], ["records.seq"]),
    )
    op.create_index("deliveries_due", "deliveries", ["state", "due_at"])
    op.create_index("deliveries_target", "deliveries", ["target", "state", "seq"])
    op.create_index("deliveries_seq", "deliveries", ["seq"])
    op.create_table(
        "attempts",
        sa.Column("delivery", sa.Text(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        _number("started_at"),
        _number("ended_at"),
        _text("outcome"),
        _text("detail"),
        sa.PrimaryKeyConstraint("delivery", "attempt"),
        sa.ForeignKeyConstraint(["delivery"], ["deliveries.id"]),
    )
    op.create_table(
        "votes",
        sa.Column("delivery", sa.Text(), nullable=False),
        _seq(),
        sa.PrimaryKeyConstraint("delivery", "seq"),
        sa.ForeignKeyConstraint(["delivery"], ["deliveries.id"]),
        sa.ForeignKeyConstraint(["seq"], ["records.seq"]),
    )
    op.create_table(
        "pauses",
        sa.Column("rule", sa.Text(), nullable=False),
        _seq(),
        sa.PrimaryKeyConstraint("rule"),
        sa.ForeignKeyConstraint(["seq"], ["records.seq"]),
    )
    op.create_table(
        "bad_digests",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        _seq(),
        _text("why"),
        _number("at"),
        sa.PrimaryKeyConstraint("digest", "target"),
    )
