"""The first schema.

Revision ID: 0001
"""

from alembic import op
from sqlalchemy import insert

from wharfinger.ledger import schema

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create every table, and the empty log."""
    connection = op.get_bind()
    schema.metadata.create_all(connection)
    connection.execute(insert(schema.tree).values(id=1, size=0, frontier=b"", recorded_at=0, epoch=0))
