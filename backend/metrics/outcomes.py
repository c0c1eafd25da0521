"""How runs ended, read from their events and directories."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError
from sqlalchemy import Connection

from backend.db import times
from backend.metrics.compare import Outcome, seconds_with_a_worker
from backend.runs import history
from backend.runs.jobs import read_job
from backend.schemas.runs import Run
from worker.contract import now


def outcome(connection: Connection, run: Run) -> Outcome:
    """How a run ended, or how far it is."""
    evaluations = history.of_type(connection, run.id, "evaluation")
    best = min((event for event in evaluations if event["loss"] is not None), key=lambda event: event["loss"], default=None)
    last = history.latest(connection, run.id, "step")
    facts = [(event["status"], times.seconds(event["time"])) for event in history.of_type(connection, run.id, "server")]
    return Outcome(
        run=run.id,
        status=run.status,
        best_validation_loss=best["loss"] if best else None,
        best_step=best["step"] if best else None,
        validation_loss=run.validation_loss,
        losses=evaluations[-1].get("losses", {}) if evaluations else {},
        loss=run.loss,
        seconds=seconds_with_a_worker(facts, times.seconds(now())),
        steps=run.step,
        tokens=last.get("tokens"),
        tokens_per_s=run.tokens_per_s,
        peak_memory_bytes=run.peak_memory_bytes,
        parameters=run.parameters,
    )


def reading(directory: Path) -> str | None:
    """How a run's dataset is read, such as "chat (messages: turns)"; None if its directory does not tell."""
    try:
        found = read_job(directory).dataset.reading
    except (OSError, ValidationError):
        return None
    columns = ", ".join(f"{need}: {column}" for need, column in found.columns().items() if column)
    return f"{found.kind} ({columns})" if columns else found.kind
