"""A delivery keeps what its target began, so that whoever takes it over finds that again.

Revision ID: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nothing was begun and left by an older version: its targets know by themselves what they began."""
    op.add_column("deliveries", sa.Column("noted", sa.Text(), nullable=False, server_default=""))
