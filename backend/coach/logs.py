"""Logs of any trainer as a RunRecord: our events.jsonl, transformers' trainer_state.json, CSV, TensorBoard's event files."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from backend.coach import event_files
from backend.coach.record import RunRecord
from worker.contract import EVENTS_FILE, JOB_FILE, Job

STATE_FILE = "trainer_state.json"

_NAMES = {
    "step": ("step", "steps", "global_step", "iteration", "iter", "update"),
    "epoch": ("epoch",),
    "loss": ("loss", "train_loss", "training_loss", "loss_train"),
    "validation": (
        *("eval_loss", "val_loss", "valid_loss", "validation_loss", "test_loss", "dev_loss"),
        *("loss_eval", "loss_val", "loss_valid", "loss_validation"),
    ),
    "lr": ("lr", "learning_rate"),
    "grad_norm": ("grad_norm", "gradient_norm", "gradnorm", "grad_norm_total"),
}
"""What a rule needs → what trainers call it, once it is written as ``_plain`` does."""


class UnreadableLogError(ValueError):
    """Nothing can be judged from a file. Says why, and what would do."""


def read_log(path: Path) -> RunRecord:
    """The record of a file, or of a folder that holds one. Raises UnreadableLogError."""
    try:
        return _read(_file_in(path) if path.is_dir() else path)
    except OSError as error:
        raise UnreadableLogError(f"{path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError:
        raise UnreadableLogError(f"{path} is neither text nor a TensorBoard event file.") from None


def _file_in(folder: Path) -> Path:
    for name in (EVENTS_FILE, STATE_FILE):
        if (folder / name).is_file():
            return folder / name
    states = sorted(folder.glob(f"checkpoint-*/{STATE_FILE}"), key=lambda path: path.stat().st_mtime)
    return states[-1] if states else folder


def _read(path: Path) -> RunRecord:
    if path.is_dir() or "tfevents" in path.name:
        return _of_points(_tensorboard(path), path)
    text = path.read_text(encoding="utf-8-sig")
    if not text.strip():
        raise UnreadableLogError(f"{path} is empty.")
    if text.lstrip()[0] != "{":
        return _of_points(_table(text, path), path)
    first = _json(text.partition("\n")[0])
    return _own(text, path) if isinstance(first, dict) and "type" in first else _trainer_state(text, path)


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _own(text: str, path: Path) -> RunRecord:
    """A run's events, with its settings where they lie beside it. A last line that breaks off is left out."""
    config: dict[str, Any] = {}
    beside = path.parent / JOB_FILE
    if beside.is_file():
        try:
            config = Job.model_validate_json(beside.read_bytes()).config.model_dump()
        except ValidationError:
            raise UnreadableLogError(f"{beside} is not the configuration of a run.") from None
    record = RunRecord(config)
    lines = text.rstrip("\n").split("\n")
    for number, line in enumerate(lines, start=1):
        event = _json(line)
        if isinstance(event, dict) and "type" in event:
            try:
                record.add(event)
                continue
            except (KeyError, TypeError, ValueError):
                pass
        if number < len(lines):
            raise UnreadableLogError(f"{path}, line {number}, is not an event of a run.")
    return record


def _trainer_state(text: str, path: Path) -> RunRecord:
    state = _json(text)
    history = state.get("log_history") if isinstance(state, dict) else None
    if not isinstance(history, list) or not all(isinstance(entry, dict) for entry in history):
        raise UnreadableLogError(f"{path} is not a {STATE_FILE} of transformers: it has no list log_history.")
    total = state.get("max_steps") or None
    facts = {"total_steps": total, "phase": "completed" if total and state.get("global_step") == total else "training"}
    # The last entry is a summary of the whole run: its train_loss is the mean of all.
    return _of_points((entry for entry in history if "train_runtime" not in entry), path, facts)


def _table(text: str, path: Path) -> Iterator[dict[str, Any]]:
    header = text.partition("\n")[0]
    delimiter = max(",;\t", key=header.count)
    for row in csv.DictReader(io.StringIO(text), delimiter=delimiter):
        yield {name: value for name, value in row.items() if name and value and value.strip()}


def _tensorboard(path: Path) -> Iterator[dict[str, Any]]:
    """Each scalar by itself; of a folder those of all event files in it, the folder's name before the tag."""
    files = sorted(path.rglob("*tfevents*")) if path.is_dir() else [path]
    for file in files:
        folder = "" if file.parent == path or path.is_file() else f"{file.parent.name}/"
        try:
            for scalar in event_files.scalars(file):
                yield {"step": scalar.step, f"{folder}{scalar.tag}": scalar.value}
        except event_files.BrokenFileError as error:
            raise UnreadableLogError(f"{file}: {error}") from None


def _of_points(points: Iterable[Mapping[str, Any]], path: Path, facts: Mapping[str, Any] | None = None) -> RunRecord:
    """A record of what was told of each step, in whatever order and in however many pieces."""
    steps: dict[int, dict[str, float]] = defaultdict(dict)
    names: dict[str, str | None] = {}
    for number, point in enumerate(points, start=1):
        told = {}
        for name, value in point.items():
            known = names.setdefault(name, _known(name))
            if known is not None and (figure := _number(value)) is not None:
                told[known] = figure
        step = told.pop("step", float(number))
        if math.isfinite(step) and told:
            steps[int(step)] |= told
    if not any({"loss", "validation"} & told.keys() for told in steps.values()):
        seen = ", ".join(list(names)[:12]) or "nothing"
        raise UnreadableLogError(f"{path} has no losses: looked for columns such as step, loss and val_loss, found {seen}.")
    record = RunRecord()
    for step in sorted(steps):
        for event in _events(step, steps[step]):
            record.add(event)
    record.add({"type": "status", "phase": "training", **(facts or {})})
    return record


def _events(step: int, told: dict[str, float]) -> Iterator[dict[str, Any]]:
    finite = {name: value for name, value in told.items() if math.isfinite(value)}
    lost = [name for name in ("loss", "grad_norm") if name in told and name not in finite]
    if "loss" in told or "grad_norm" in told or "lr" in told:
        yield {"type": "step", "step": step, "nonfinite": lost, **finite}
    if "validation" in told:
        loss = finite.get("validation")
        yield {"type": "evaluation", "step": step, "epoch": finite.get("epoch"), "loss": loss, "nonfinite": []}


def _known(name: str) -> str | None:
    """What a column or tag holds; None if no rule needs it. A folder before it counts: train/loss, eval/loss."""
    plain = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
    # train/train_loss is transformers' mean of a whole run, told at its end.
    short = "" if plain.startswith("train_train") else plain.removeprefix("train_")
    return next((known for known, theirs in _NAMES.items() if plain in theirs or short in theirs), None)


def _number(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError):
        return None
