"""Runs that go on after an end: their place in the queue, where they went on from, and what no longer counts."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    for column in ("resumed_step", "batch_size", "gradient_accumulation_steps"):
        op.add_column("runs", sa.Column(column, sa.Integer))
    op.add_column("runs", sa.Column("queued_at", sa.Text))
    op.execute("UPDATE runs SET queued_at = created_at")
    op.add_column("events", sa.Column("superseded", sa.Boolean, nullable=False, server_default="0"))
