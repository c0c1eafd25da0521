"""What several runs differ in, how they ended, and what can be said of it. Pure functions on runs and their outcomes."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable
from typing import Any

from backend.schemas.base import Schema
from backend.schemas.runs import Run, Status
from worker.contract import RunConfig

SAME_BUT_FOR_CHANCE = frozenset(
    {"name", "seed", "device", "num_workers", "save_steps", "log_steps", "keep_checkpoints", "sample_prompts"}
    | {"evaluation_datasets"}
)
"""Settings that change nothing of what is learned but what is random in it: where a run happens, what it is called, what it
tells and keeps."""

READING = "reading"  # how the dataset is read: not a setting, but it changes what is learned and measured


class Difference(Schema):
    """A setting that is not the same in all runs; ``values``: run → its value."""

    field: str
    label: str
    unit: str | None
    values: dict[str, Any]


class Outcome(Schema):
    """How a run ended, or how far it is. ``seconds`` is the time it had a worker; ``tokens`` are those it was trained on;
    ``tokens_per_s`` is the latest that it reported; ``steps`` are the updates that count; ``losses`` are the latest
    on further datasets, by name.
    """

    run: str
    status: Status
    best_validation_loss: float | None
    best_step: int | None
    validation_loss: float | None
    loss: float | None
    seconds: float | None
    steps: int
    tokens: int | None
    tokens_per_s: float | None
    peak_memory_bytes: int | None
    parameters: int | None
    losses: dict[str, float | None] = {}


class SeedGroup(Schema):
    """Runs whose settings differ by seed alone. ``mean`` and ``deviation`` (standard, of a sample) of the best validation
    loss, over the ``seeds`` of which a run completed.
    """

    runs: list[str]
    seeds: int
    mean: float | None
    deviation: float | None


def differences(runs: list[Run], readings: dict[str, str | None]) -> list[Difference]:
    """The settings that are not the same in all runs, in the form's order. ``readings``: run → how its dataset is read."""
    found = []
    for field, schema in RunConfig.model_json_schema()["properties"].items():
        values = {run.id: run.name if field == "name" else getattr(run.config, field) for run in runs}
        if _differ(values.values()):
            found.append(Difference(field=field, label=schema["label"], unit=schema.get("unit"), values=values))
    values = {run.id: readings.get(run.id) for run in runs}
    if _differ(values.values()):
        found.append(Difference(field=READING, label="Dataset read as", unit=None, values=values))
    return found


def groups(runs: list[Run], readings: dict[str, str | None], outcomes: list[Outcome]) -> list[SeedGroup]:
    """Runs that repeat the same settings with other seeds, at least two; each run is in at most one group.

    Mean and standard deviation (of a sample) of the best validation loss are over the runs that completed. Runs of one
    seed count as one, for they repeat each other and say nothing of chance.
    """
    alike: dict[str, list[Run]] = {}
    for run in runs:
        settings = run.config.model_dump(exclude=set(SAME_BUT_FOR_CHANCE))
        alike.setdefault(json.dumps([settings, readings.get(run.id)]), []).append(run)
    best = {outcome.run: outcome.best_validation_loss for outcome in outcomes if outcome.status == "completed"}
    return [_group(members, best) for members in alike.values() if len({run.config.seed for run in members}) > 1]


def _group(members: list[Run], best: dict[str, float | None]) -> SeedGroup:
    by_seed: dict[int, list[float]] = {}
    for run in members:
        loss = best.get(run.id)
        if loss is not None:
            by_seed.setdefault(run.config.seed, []).append(loss)
    losses = [statistics.fmean(same) for same in by_seed.values()]
    return SeedGroup(
        runs=[run.id for run in members],
        seeds=len(losses),
        mean=statistics.fmean(losses) if losses else None,
        deviation=statistics.stdev(losses) if len(losses) > 1 else None,
    )


def seconds_with_a_worker(facts: Iterable[tuple[str, float]], now: float) -> float | None:
    """How long a run had a worker, all of its workers together and pauses included; None if it never had one.

    ``facts``: (status, seconds since 1970) of each change of its status, in order.
    """
    total, since, started = 0.0, None, False
    for status, time in facts:
        if status == "starting" and since is None:
            since, started = time, True
        elif status in ("queued", "completed", "stopped", "failed", "interrupted") and since is not None:
            total, since = total + time - since, None
    if since is not None:
        total += now - since
    return max(0.0, total) if started else None


def _differ(values: Iterable[Any]) -> bool:
    return len({json.dumps(value) for value in values}) > 1
