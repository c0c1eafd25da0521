"""How runs ended, read from their events and directories."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from sqlalchemy import Connection, select

from backend import models
from backend.compare import Outcome, seconds_with_a_worker
from backend.jobs import read_job
from backend.schemas import Run
from worker.contract import now

_events = models.events.c


def outcome(connection: Connection, run: Run) -> Outcome:
    """How a run ended, or how far it is."""
    checks = [event for event in _of_type(connection, run.id, "evaluation") if event["loss"] is not None]
    best = min(checks, key=lambda event: event["loss"], default=None)
    last = _last_step(connection, run.id)
    facts = [(event["status"], _seconds(event["time"])) for event in _of_type(connection, run.id, "server")]
    return Outcome(
        run=run.id,
        status=run.status,
        best_validation_loss=best["loss"] if best else None,
        best_step=best["step"] if best else None,
        validation_loss=run.validation_loss,
        loss=run.loss,
        seconds=seconds_with_a_worker(facts, _seconds(now())),
        steps=run.step,
        tokens=last["tokens"] if last else None,
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


def _of_type(connection: Connection, run_id: str, kind: str) -> list[dict[str, Any]]:
    query = select(_events.data).where(_events.run_id == run_id, _events.type == kind, ~_events.superseded)
    return [json.loads(data) for data in connection.execute(query.order_by(_events.cursor)).scalars()]


def _last_step(connection: Connection, run_id: str) -> dict[str, Any] | None:
    query = select(_events.data).where(_events.run_id == run_id, _events.type == "step", ~_events.superseded)
    data = connection.execute(query.order_by(_events.cursor.desc()).limit(1)).scalar()
    return json.loads(data) if data else None


def _seconds(time: str) -> float:
    return datetime.fromisoformat(time.replace("Z", "+00:00")).timestamp()
