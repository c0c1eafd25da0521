"""Runs and their events."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "runs",
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("id", sa.Text, nullable=False, unique=True),
        sa.Column("idempotency_key", sa.Text, unique=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("reason", sa.Text),
        sa.Column("hint", sa.Text),
        sa.Column("config", sa.Text, nullable=False),
        sa.Column("created_at", sa.Text, nullable=False),
        sa.Column("started_at", sa.Text),
        sa.Column("ended_at", sa.Text),
        sa.Column("phase", sa.Text),
        sa.Column("precision", sa.Text),
        sa.Column("parameters", sa.Integer),
        sa.Column("train_examples", sa.Integer),
        sa.Column("validation_examples", sa.Integer),
        sa.Column("total_steps", sa.Integer),
        sa.Column("step", sa.Integer, nullable=False, server_default="0"),
        sa.Column("epoch", sa.Float),
        sa.Column("loss", sa.Float),
        sa.Column("learning_rate", sa.Float),
        sa.Column("tokens_per_s", sa.Float),
        sa.Column("validation_loss", sa.Float),
        sa.Column("best_validation_loss", sa.Float),
        sa.Column("first_step", sa.Text),
        sa.Column("eta_s", sa.Float),
        sa.Column("sparkline", sa.Text),
        sa.Column("device", sa.Text),
        sa.Column("pid", sa.Integer),
        sa.Column("pid_started", sa.Float),
        sa.Column("boot_id", sa.Text),
        sa.Column("log_offset", sa.Integer, nullable=False, server_default="0"),
        sa.Column("last_seq", sa.Integer, nullable=False, server_default="0"),
    )
    op.create_index("ix_runs_status", "runs", ["status"])
    op.create_table(
        "events",
        sa.Column("cursor", sa.Integer, primary_key=True),
        sa.Column("run_id", sa.Text, nullable=False),
        sa.Column("seq", sa.Integer),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("step", sa.Integer),
        sa.Column("data", sa.Text, nullable=False),
        sa.UniqueConstraint("run_id", "seq"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_events_run_id_type", "events", ["run_id", "type"])
    op.create_index("ix_events_run_id", "events", ["run_id"])
