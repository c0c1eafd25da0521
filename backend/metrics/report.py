"""A run as one HTML file that needs nothing else: no server, no script, no request.

What is gathered here is put into words and geometry; report.html lays it out and escapes all of it.
"""

from __future__ import annotations

import json
import platform
import shlex
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import Connection

from backend.datasets.store import Datasets
from backend.db import times
from backend.errors import NotFoundError
from backend.metrics import number_text, svg
from backend.metrics.svg import Picture
from backend.runs import history, lifecycle
from backend.runs.judging import health
from backend.runs.judging.health import HeldFinding
from backend.schemas.data import Dataset
from backend.schemas.preflight import Forecast
from backend.schemas.runs import Curves, Run, Sample
from backend.version import VERSION
from worker.contract import now

if TYPE_CHECKING:
    from jinja2 import Template

POINTS = 600
MOST_WARNINGS = 50
MOST_SAMPLED = 40
NOTICEABLE = 0.02
"""Relative changes of a loss below this are called none, as on the page."""

KEYS = ("loss", "validation_loss", "lr", "grad_norm", "tokens_per_s", "memory_bytes", "gpu_memory_bytes")

_ENDS = {
    "completed": "It ran to its end.",
    "stopped": "It was stopped.",
    "failed": "It failed.",
    "interrupted": "It was cut off.",
}


class Record(NamedTuple):
    """What a report is made from."""

    run: Run
    series: Curves
    samples: list[Sample]
    warnings: list[str]
    dataset: Dataset | None
    losses: dict[str, float | None]  # the latest on further datasets
    findings: list[HeldFinding]


def gather(connection: Connection, run_id: str, datasets: Datasets) -> Record:
    """Raises NotFoundError."""
    run = lifecycle.get(connection, run_id)
    messages = history.of_type(connection, run_id, "message")
    warnings = dict.fromkeys(message["text"] for message in messages if message["level"] != "info")
    return Record(
        run=run,
        series=history.series(connection, lifecycle.row(connection, run_id), list(KEYS), None, None, POINTS),
        samples=history.samples(connection, run_id),
        warnings=list(warnings)[-MOST_WARNINGS:],
        dataset=_dataset(datasets, run.config.dataset),
        losses=history.latest(connection, run_id, "evaluation").get("losses", {}),
        findings=health.holding(connection, run_id),
    )


def _dataset(datasets: Datasets, dataset_id: str) -> Dataset | None:
    try:
        return datasets.get(dataset_id)
    except NotFoundError:  # deleted since
        return None


def render(record: Record) -> str:
    """The file's text."""
    run = record.run
    return _template().render(
        run=run,
        outcome=outcome(run, record.series),
        facts=facts(run, record.losses),
        pictures=pictures(record.series),
        samples=_by_step(record.samples),
        prompts=list(dict.fromkeys(sample.prompt for sample in record.samples)),
        warnings=record.warnings,
        findings=record.findings,
        origin=origin(run),
        predictions=predictions(run),
        settings=settings(run),
        dataset=record.dataset,
        command=command(run),
        versions=[("Trainboard", VERSION), ("Python", platform.python_version()), ("system", platform.platform())],
        made=now(),
        size=(svg.WIDTH, svg.HEIGHT),
        frame=(svg.LEFT, svg.TOP, svg.WIDTH - svg.RIGHT, svg.HEIGHT - svg.BOTTOM),
    )


@cache
def _template() -> Template:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # here: a server starts without it

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"count": number_text.count, "size": number_text.size, "evidence": _evidence}
    return environment.get_template("report.html")


def _evidence(value: Any) -> str:
    """A value of a finding's evidence: a number, a text, or several."""
    if isinstance(value, list):
        return ", ".join(map(_evidence, value))
    if isinstance(value, dict):
        return ", ".join(f"{name}: {_evidence(one)}" for name, one in value.items())
    return number_text.number(value, 4) if isinstance(value, float) else str(value)


def outcome(run: Run, series: Curves) -> str:
    """How it ended and what came of it, in sentences."""
    ended = run.status in lifecycle.TERMINAL
    sentences = [
        _ENDS[run.status] if ended else f"It is {run.status}: this report shows it as it stood at update {run.step:,}."
    ]
    if run.reason:
        sentences.append(run.reason.rstrip(".") + ".")
    for name, key in (("Validation loss", "validation_loss"), ("Training loss", "loss")):
        values = [value for value in series.series[key].mean if value is not None]
        if len(values) > 1:
            sentences.append(_change(name, values[0], values[-1]))
            break
    return " ".join(sentences)


def _change(name: str, first: float, last: float) -> str:
    if first == 0 or abs(last - first) / first < NOTICEABLE:
        return f"{name} stayed at about {number_text.loss(last)}."
    verb = "fell" if last < first else "rose"
    return f"{name} {verb} from {number_text.loss(first)} to {number_text.loss(last)}; lower is better."


def origin(run: Run) -> str:
    """Which run it was forked from, with what changed; empty of one that was not."""
    if run.origin is None:
        return ""
    changes = [f"{name} {_setting(change.before)} → {_setting(change.after)}" for name, change in run.origin.changes.items()]
    place = "" if run.origin.step is None else f" at step {run.origin.step:,}"
    return f"Forked from {run.origin.name}{place}: {', '.join(changes) or 'nothing changed'}."


def facts(run: Run, losses: dict[str, float | None]) -> list[tuple[str, str]]:
    """Label and value, those that are known."""
    told = [
        ("updates", f"{run.step:,} of {run.total_steps:,}" if run.total_steps else ""),
        ("epochs", "" if run.epoch is None else f"{run.epoch:.2f}"),
        ("training loss", number_text.loss(run.loss)),
        ("validation loss", number_text.loss(run.validation_loss)),
        ("best validation loss", number_text.loss(run.best_validation_loss)),
        *((f"loss on {name}", number_text.loss(loss)) for name, loss in losses.items()),
        # Of a run that went on after an end nobody knows the sum of its workers' times.
        ("time", "" if run.resumed_step else number_text.duration(_seconds_between(run.started_at, run.ended_at))),
        ("speed", "" if run.tokens_per_s is None else f"{number_text.short(run.tokens_per_s)} tokens/s"),
        ("peak memory", number_text.size(run.peak_memory_bytes)),
        ("weights", number_text.short(run.parameters)),
        ("device", f"{run.device}, {run.precision}" if run.device and run.precision else run.device or ""),
        ("training examples", number_text.count(run.train_examples)),
        ("validation examples", number_text.count(run.validation_examples)),
    ]
    return [(label, value) for label, value in told if value not in ("", number_text.NONE)]


def _seconds_between(start: str | None, end: str | None) -> float | None:
    if not start or not end:
        return None
    return times.seconds(end) - times.seconds(start)


def pictures(series: Curves) -> list[Picture]:
    """The curves that there are numbers for."""
    bands = series.series
    losses = {("train", "training"): bands["loss"], ("check", "validation"): bands["validation_loss"]}
    drawn = [
        svg.picture("Loss", "nats per token", series.x, losses, _four_digits),
        *(
            svg.picture(title, unit, series.x, {("train", title.lower()): bands[key]}, show)
            for key, title, unit, show in (
                ("lr", "Learning rate", "", _four_digits),
                ("grad_norm", "Gradient norm", "before clipping", _four_digits),
                ("tokens_per_s", "Speed", "tokens/s", number_text.short),
                ("memory_bytes", "Memory of the worker", "", number_text.size),
                ("gpu_memory_bytes", "Memory of the GPU in use", "", number_text.size),
            )
        ),
    ]
    return [picture for picture in drawn if picture]


def _four_digits(value: float) -> str:
    return number_text.number(value, 4)


def _by_step(samples: list[Sample]) -> list[tuple[int, list[Sample]]]:
    """Steps and what was written at each; of very many the first, the last and some evenly between."""
    steps: dict[int, list[Sample]] = {}
    for sample in samples:
        steps.setdefault(sample.step, []).append(sample)
    ordered = sorted(steps.items())
    last = len(ordered) - 1
    kept = (
        {round(place * last / (MOST_SAMPLED - 1)) for place in range(MOST_SAMPLED)}
        if last >= MOST_SAMPLED
        else range(last + 1)
    )
    return [ordered[place] for place in sorted(kept)]


def predictions(run: Run) -> list[dict[str, str]]:
    """Rows of label, formula, measured and actual; none of a run without a preflight."""
    if run.predicted is None:
        return []
    whole = run.status == "completed" and run.resumed_step is None and run.step_seconds is not None
    actual = {
        "peak_memory_bytes": run.peak_memory_bytes,
        "step_seconds": run.step_seconds,
        "total_seconds": run.step_seconds * run.step if whole and run.step_seconds else None,
    }
    formula, measured = run.predicted.formula, run.predicted.measured
    return [
        {
            "label": label,
            "formula": show(_predicted(formula, name)),
            "measured": show(_predicted(measured, name)) if measured else number_text.NONE,
            "actual": show(actual[name]),
        }
        for label, name, show in (
            ("memory at most", "peak_memory_bytes", number_text.size),
            ("time per update", "step_seconds", number_text.step_time),
            ("time of all updates", "total_seconds", number_text.duration),
        )
    ]


def _predicted(forecast: Forecast, name: str) -> float:
    """What is compared with what happened: a run tells the time of its updates, and not that of evaluations."""
    value = float(getattr(forecast, name))
    return value - forecast.evaluation_seconds if name == "total_seconds" else value


def settings(run: Run) -> list[tuple[str, str]]:
    """Names and values, of those that are set."""
    return [(name, _setting(value)) for name, value in run.config.model_dump().items() if value is not None]


def _setting(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return " · ".join(map(str, value)) or "none"
    return "none" if value is None else str(value)


def command(run: Run) -> str:
    """Starts the same run, on a server on this machine."""
    config = json.dumps(run.config.model_dump(exclude_none=True), indent=2, ensure_ascii=False)
    return (
        "curl -X POST http://127.0.0.1:8000/api/runs \\\n"
        "  -H 'Content-Type: application/json' \\\n"
        f"  --data-binary {shlex.quote(config)}"
    )
