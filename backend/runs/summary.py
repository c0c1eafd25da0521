"""What a run's row says of its progress, kept up to date event by event. Pure functions on a dict of columns."""

from __future__ import annotations

import json
from typing import Any

from backend.db import times
from worker.contract import EvaluationEvent, StatusEvent, StepEvent

SPARKLINE_POINTS = 60

_FACTS_OF_TRAINING = (
    "total_steps", "precision", "parameters", "train_examples", "validation_examples",
    "batch_size", "gradient_accumulation_steps", "resumed_step", "peak_memory_bytes", "step_seconds",
)  # fmt: skip


OF_THE_LOG = (
    *("phase", "reason", "hint", "epoch", "loss", "learning_rate", "tokens_per_s", "validation_loss"),
    *("best_validation_loss", "first_step", "eta_s", "sparkline", *_FACTS_OF_TRAINING),
)
"""The columns that ``update`` sets and that are null at first; besides them it counts ``step`` and ``last_seq``."""


def update(run: dict[str, Any], event: Any) -> None:
    """Change the columns of ``run`` that ``event``, the next of its log, has news of."""
    run["last_seq"] = event.seq
    if isinstance(event, StatusEvent):
        run.update(phase=event.phase, reason=event.reason, hint=event.hint)
        if event.phase == "paused" or event.resumed_step is not None:
            run.update(first_step=None, eta_s=None)  # the time in between says nothing of the pace
        known = {name: getattr(event, name) for name in _FACTS_OF_TRAINING}
        run.update({name: value for name, value in known.items() if value is not None})
    elif isinstance(event, StepEvent):
        run.update(
            step=event.step,
            epoch=event.epoch,
            loss=event.loss,
            learning_rate=event.lr,
            tokens_per_s=event.tokens_per_s,
            sparkline=_extend(run["sparkline"], event.loss),
            first_step=run["first_step"] or json.dumps([event.step, event.time]),
        )
        run["eta_s"] = _remaining_seconds(run, event)
    elif isinstance(event, EvaluationEvent):
        run["validation_loss"] = event.loss
        if event.best:
            run["best_validation_loss"] = event.loss


def _remaining_seconds(run: dict[str, Any], event: StepEvent) -> float | None:
    """Updates left times the mean time of one since ``first_step``, which includes evaluating and saving."""
    if run["total_steps"] is None:
        return None
    first_step, first_time = json.loads(run["first_step"])
    done = event.step - first_step
    seconds = event.step_ms / 1000 if done == 0 else (times.seconds(event.time) - times.seconds(first_time)) / done
    left: int = run["total_steps"] - event.step
    return round(max(0, left) * seconds, 1)


def _extend(sparkline: str | None, loss: float | None) -> str:
    """Add a loss to {"every", "seen", "points"}: every so-manieth loss, thinned by half whenever there are too many."""
    line: dict[str, Any] = json.loads(sparkline) if sparkline else {"every": 1, "seen": 0, "points": []}
    line["seen"] += 1
    if line["seen"] % line["every"] == 0:
        line["points"].append(None if loss is None else round(loss, 4))
        if len(line["points"]) > SPARKLINE_POINTS:
            line["points"] = line["points"][1::2]
            line["every"] *= 2
    return json.dumps(line)


def shorten(sparkline: str | None, seen: int) -> str | None:
    """The line as it was when ``seen`` losses had been added, or almost: it stays as thin as it is."""
    if sparkline is None:
        return None
    line = json.loads(sparkline)
    return json.dumps(line | {"seen": seen, "points": line["points"][: seen // line["every"]]})


def sparkline_points(sparkline: str | None) -> list[float]:
    """The losses in a row's ``sparkline`` column, at most 60, evenly spread over the run so far."""
    points: list[float | None] = json.loads(sparkline)["points"] if sparkline else []
    return [loss for loss in points if loss is not None]
