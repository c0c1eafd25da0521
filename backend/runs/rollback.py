"""What no longer counts once a worker goes on from a checkpoint: everything that was reported of later updates."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, func, select, update

from backend.db import tables
from backend.runs import history, summary
from backend.series import curves

_events = tables.events.c


def roll_back(connection: Connection, run: dict[str, Any], step: int) -> None:
    """Mark the stored events of updates after ``step`` as superseded, and set the columns of ``run`` back to that update."""
    kept = step or -1  # a worker that starts over evaluates the untrained model again, too
    connection.execute(update(tables.events).where(_events.run_id == run["id"], _events.step > kept).values(superseded=True))
    curves.truncate(connection, run["id"], kept)
    evaluation = history.latest(connection, run["id"], "evaluation")
    best = history.latest(connection, run["id"], "evaluation", func.json_extract(_events.data, "$.best"))
    last = history.latest(connection, run["id"], "step")
    run.update(
        step=step,
        epoch=last.get("epoch"),
        loss=last.get("loss"),
        learning_rate=last.get("lr"),
        tokens_per_s=last.get("tokens_per_s"),
        validation_loss=evaluation.get("loss"),
        best_validation_loss=best.get("loss"),
        sparkline=summary.shorten(run["sparkline"], _count_of_steps(connection, run["id"])),
    )


def _count_of_steps(connection: Connection, run_id: str) -> int:
    query = select(func.count()).where(_events.run_id == run_id, _events.type == "step", ~_events.superseded)
    return connection.execute(query).scalar_one()
