"""What people say about a run: tags, notes, archived."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.add_column("runs", sa.Column("tags", sa.Text, nullable=False, server_default="[]"))
    op.add_column("runs", sa.Column("notes", sa.Text, nullable=False, server_default=""))
    op.add_column("runs", sa.Column("archived", sa.Boolean, nullable=False, server_default="0"))
