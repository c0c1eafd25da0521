"""Commands that need no server: train in the terminal, add a model."""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from backend.datasets.checker import check_file
from backend.datasets.store import Datasets
from backend.errors import InvalidFieldError
from backend.models.catalog import Catalog
from backend.runs import lifecycle
from backend.runs.jobs import plan, write_job
from backend.settings import ROOT, Settings
from backend.system import devices
from worker.contract import MODEL_DIR, DatasetSource, RunConfig


def add_train_flags(parser: argparse.ArgumentParser) -> None:
    """One flag for each field of RunConfig, ``batch_size`` as --batch-size, with the form's words as help."""
    for name, schema in RunConfig.model_json_schema()["properties"].items():
        kind: dict[str, Any] = next((one for one in schema.get("anyOf", [schema]) if one["type"] != "null"), schema)
        how: dict[str, Any] = {"default": argparse.SUPPRESS, "help": schema["description"].replace("%", "%%")}
        if kind["type"] == "boolean":
            how["action"] = argparse.BooleanOptionalAction
        elif kind["type"] == "array":
            how |= {"nargs": "*", "metavar": "TEXT"}
        else:
            how["type"] = {"integer": int, "number": float, "string": str}[kind["type"]]
            how |= {"choices": kind["enum"]} if "enum" in kind else {"metavar": kind["type"].upper()}
        parser.add_argument(f"--{name.replace('_', '-')}", **how)


def train(settings: Settings, options: argparse.Namespace) -> int:
    """Make a run directory and train in it, in the foreground; the worker's exit status.

    Raises ApiError or pydantic's ValidationError, before anything is made, if the configuration cannot be used.
    """
    config = RunConfig(**{name: getattr(options, name) for name in RunConfig.model_fields if hasattr(options, name)})
    datasets = Datasets(settings.datasets_dir)
    datasets.prepare()
    catalog = Catalog(settings.models_dir, settings.runs_dir)
    files = _own_file("dataset", config.dataset), _own_file("validation_dataset", config.validation_dataset)
    planned = plan(config, catalog, datasets, devices.find_devices(), file=files[0], validation_file=files[1])
    run_id = lifecycle.new_id()
    directory = settings.runs_dir / run_id
    directory.mkdir(parents=True)
    named = planned._replace(config=planned.config.model_copy(update={"name": planned.name}))
    write_job(directory, named.job(run_id, config.device))
    print(f"{planned.name}\n{directory}", flush=True)
    status = _in_foreground([sys.executable, "-m", "worker", str(directory)])
    if (directory / MODEL_DIR).is_dir():
        print(f"The model is in {directory / MODEL_DIR}")
    return status


def add_model(settings: Settings, path: Path) -> int:
    """Copy a model into the models directory and print its name. Raises InvalidFieldError."""
    print(Catalog(settings.models_dir, settings.runs_dir).add(path))
    return 0


def _own_file(field: str, dataset: str | None) -> DatasetSource | None:
    """The file that a field names, checked, if it is a path rather than a dataset's id. Raises InvalidFieldError."""
    if dataset is None:
        return None
    path = Path(dataset).expanduser().resolve()
    if path.is_file():
        found = check_file(path.name, path).model_dump(include={"format", "encoding", "compressed", "delimiter", "reading"})
        return DatasetSource(path=str(path), **found)
    if not path.exists() and ("/" in dataset or path.suffix):
        raise InvalidFieldError(field, f"There is no file {dataset}.")
    return None


def _in_foreground(command: list[str]) -> int:
    """Run a command in this terminal. Ctrl-C reaches it too, and it decides; we wait for its end."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        # Ignored here, the signal would be ignored there as well, unless the child takes it back before it starts.
        return subprocess.run(command, cwd=ROOT, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)).returncode
    finally:
        signal.signal(signal.SIGINT, before)
