"""Runs told in numbers: a record of what a worker would have said, by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from backend.coach.record import RunRecord

Values = Sequence[float] | np.ndarray[Any, Any]

CONFIG = {
    "model_name": "tiny",
    "learning_rate": 3e-3,
    "warmup_ratio": 0.1,
    "weight_decay": 0.01,
    "max_grad_norm": 1.0,
    "batch_size": 8,
    "gradient_accumulation_steps": 2,
    "validation_split": 0.1,
    "max_length": 64,
}
FACTS = {"train_examples": 900, "validation_examples": 100, "batch_size": 8, "gradient_accumulation_steps": 2}
DATA = {"examples": 900, "validation_examples": 100, "tokens": 27_000, "trained_tokens": 26_100, "cut": 0, "unlearned": 0}


def falling(updates: int = 200, first: float = 7.0, last: float = 2.0, noise: float = 0.03, seed: int = 0) -> Values:
    """A loss as of a healthy run, with noise that is a share of it."""
    draw = np.random.default_rng(seed)
    smooth = last + (first - last) * np.exp(-4 * np.arange(updates) / updates)
    return np.asarray(smooth * (1 + noise * draw.standard_normal(updates)))


def warmed_up(updates: int, peak: float = 3e-3, warmup: float = 0.1) -> Values:
    """A learning rate that climbs and falls."""
    steps = np.arange(1, updates + 1)
    up = max(1, round(warmup * updates))
    return np.where(steps <= up, steps / up, (updates - steps + 1) / (updates - up + 1)) * peak


def run(
    loss: Values,
    *,
    config: Mapping[str, Any] | None = None,
    facts: Mapping[str, Any] | None = None,
    data: Mapping[str, Any] | None = None,
    lr: Values | None = None,
    grad_norm: Values | None = None,
    scale: Values | None = None,
    tested: Mapping[int, float] | None = None,
    epochs: float = 1.0,
    end: str | None = None,
    events: Sequence[Mapping[str, Any]] = (),
    **record: Any,
) -> RunRecord:
    """A run with these losses. ``tested``: step → validation loss; ``epochs`` are its passes over the data in all;
    ``events`` come after all updates."""
    made = RunRecord({**CONFIG, **(config or {})}, **record)
    updates = len(loss)
    lr = warmed_up(updates) if lr is None else lr
    made.add({"type": "status", "phase": "training", "total_steps": updates, **FACTS, **(facts or {})})
    made.add({"type": "data", **DATA, **(data or {})})
    since: list[float] = []
    if tested and 0 in tested:
        made.add({"type": "evaluation", "step": 0, "epoch": 0.0, "loss": tested[0]})
    for step in range(1, updates + 1):
        value = float(loss[step - 1])
        lost = [] if np.isfinite(value) else ["loss"]
        made.add(
            {
                "type": "step", "step": step, "epoch": epochs * step / updates, "loss": None if lost else value,
                "lr": float(lr[step - 1]), "grad_norm": 0.8 if grad_norm is None else float(grad_norm[step - 1]),
                "tokens": 400 * step, "step_ms": 50.0, "nonfinite": lost,
                "scale": None if scale is None else float(scale[step - 1]),
            }
        )  # fmt: skip
        since.append(value)
        if tested and step in tested:
            epoch, trained = epochs * step / updates, float(np.nanmean(since))
            made.add({"type": "evaluation", "step": step, "epoch": epoch, "loss": tested[step], "train_loss": trained})
            since.clear()
    for event in events:
        made.add(dict(event))
    if end:
        made.add({"type": "status", "phase": end})
    return made
