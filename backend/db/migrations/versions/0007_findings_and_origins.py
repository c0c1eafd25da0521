"""What the coach finds, and which run a run was forked from."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.add_column("runs", sa.Column("origin", sa.Text))
    op.add_column("runs", sa.Column("findings", sa.Text))
