"""What a run was predicted to take, and what it took."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.add_column("runs", sa.Column("predicted", sa.Text))
    op.add_column("runs", sa.Column("peak_memory_bytes", sa.Integer))
    op.add_column("runs", sa.Column("step_seconds", sa.Float))
