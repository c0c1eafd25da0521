"""The tables. They are an index of the run directories, which are the truth; migrations/ creates them."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Float, Index, Integer, LargeBinary, MetaData, Table, Text, UniqueConstraint

REVISION = "0007"
"""The newest migration. A database that says so is opened without loading Alembic, which saves time and memory."""

metadata = MetaData()

runs = Table(
    "runs",
    metadata,
    Column("number", Integer, primary_key=True),  # order of creation
    Column("id", Text, nullable=False, unique=True),
    Column("idempotency_key", Text, unique=True),
    Column("name", Text, nullable=False),
    Column("tags", Text, nullable=False, server_default="[]"),  # JSON; these three and the name are about.json's
    Column("notes", Text, nullable=False, server_default=""),
    Column("archived", Boolean, nullable=False, server_default="0"),
    Column("status", Text, nullable=False, index=True),
    Column("reason", Text),
    Column("hint", Text),
    Column("config", Text, nullable=False),  # RunConfig as JSON
    Column("predicted", Text),  # Preflight as JSON, if one was made
    Column("origin", Text),  # RunOrigin as JSON, of a run that was forked
    Column("findings", Text),  # JSON: [{rule, level, title}] that hold, the worst first; null until it was judged
    Column("created_at", Text, nullable=False),
    Column("queued_at", Text),  # when it joined the queue last: the order of the queue
    Column("started_at", Text),
    Column("ended_at", Text),
    # What the worker said last; see summary.py.
    Column("phase", Text),
    Column("precision", Text),
    Column("parameters", Integer),
    Column("train_examples", Integer),
    Column("validation_examples", Integer),
    Column("total_steps", Integer),
    Column("batch_size", Integer),
    Column("gradient_accumulation_steps", Integer),
    Column("resumed_step", Integer),
    Column("step", Integer, nullable=False, server_default="0"),
    Column("epoch", Float),
    Column("loss", Float),
    Column("learning_rate", Float),
    Column("tokens_per_s", Float),
    Column("validation_loss", Float),
    Column("best_validation_loss", Float),
    Column("first_step", Text),  # JSON: [step, time] of the first step event since a start or a pause: gives the pace
    Column("eta_s", Float),
    Column("peak_memory_bytes", Integer),
    Column("step_seconds", Float),
    Column("sparkline", Text),  # JSON: see summary.Sparkline
    # The process that trains it, and how far its log has been read.
    Column("device", Text),  # or several, separated by commas
    Column("pid", Integer),
    Column("pid_started", Float),
    Column("boot_id", Text),
    Column("log_offset", Integer, nullable=False, server_default="0"),
    Column("last_seq", Integer, nullable=False, server_default="0"),
    Column("rolled_seq", Integer, nullable=False, server_default="0"),  # events up to here are in curves
)

events = Table(
    "events",
    metadata,
    Column("cursor", Integer, primary_key=True),
    Column("run_id", Text, nullable=False),  # no foreign key: the fact that a run was deleted outlives the run
    Column("seq", Integer),  # null for the server's own facts
    Column("type", Text, nullable=False),
    Column("step", Integer),
    Column("data", Text, nullable=False),  # the event as JSON
    Column("superseded", Boolean, nullable=False, server_default="0"),  # see rollback.py
    UniqueConstraint("run_id", "seq"),  # a line of a log becomes a row once, whatever happens
    Index("ix_events_run_id_type", "run_id", "type"),
    Index("ix_events_run_id", "run_id"),
    sqlite_autoincrement=True,  # a cursor is never given twice, even if the newest row is deleted
)

curves = Table(
    "curves",
    metadata,
    Column("run_id", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("level", Integer, primary_key=True),
    Column("block", Integer, primary_key=True),
    Column("first_step", Integer, nullable=False),
    Column("last_step", Integer, nullable=False),
    Column("data", LargeBinary, nullable=False),  # see curves.py
)

webhook_position = Table(
    "webhook_position",
    metadata,
    Column("cursor", Integer, nullable=False),  # one row: the events up to here have been looked at; none: no webhook is set
)

webhook_deliveries = Table(
    "webhook_deliveries",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("id", Text, nullable=False, unique=True),  # what the receiver knows it by, however often it is tried
    Column("event", Text, nullable=False),  # such as run.completed
    Column("body", Text, nullable=False),  # JSON, without the time of sending, and never signed
    Column("tries", Integer, nullable=False, server_default="0"),
    Column("due", Float, nullable=False),  # time of the next try, in seconds since 1970
)
