"""Commands that need no server: train in the terminal, add a model."""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from backend.datasets.checker import check_file, check_reading
from backend.datasets.store import Datasets
from backend.errors import InvalidFieldError, explain
from backend.models.catalog import Catalog
from backend.runs import lifecycle
from backend.runs.jobs import datasets_of, plan, write_job
from backend.settings import ROOT, Settings
from backend.system import devices
from worker.contract import MODEL_DIR, Checked, DatasetSource, Reading, RunConfig

_EXAMPLE = """'{"kind": "completion", "template": "{instruction}\\n\\n{input}", "completion": "output"}'"""


def add_train_flags(parser: argparse.ArgumentParser) -> None:
    """One flag for each field of RunConfig, ``batch_size`` as --batch-size, with the form's words as help."""
    for name, schema in RunConfig.model_json_schema()["properties"].items():
        kind: dict[str, Any] = next((one for one in schema.get("anyOf", [schema]) if one["type"] != "null"), schema)
        how: dict[str, Any] = {"default": argparse.SUPPRESS, "help": schema["description"].replace("%", "%%")}
        if kind["type"] == "boolean":
            how["action"] = argparse.BooleanOptionalAction
        elif kind["type"] == "array":
            whole = kind["items"]["type"] == "integer"
            how |= {"nargs": "*", "metavar": "NUMBER", "type": int} if whole else {"nargs": "*", "metavar": "TEXT"}
        else:
            how["type"] = {"integer": int, "number": float, "string": str}[kind["type"]]
            how |= {"choices": kind["enum"]} if "enum" in kind else {"metavar": kind["type"].upper()}
        parser.add_argument(f"--{name.replace('_', '-')}", **how)
    parser.add_argument("--reading", metavar="JSON", help=f"how the dataset's rows become examples, such as {_EXAMPLE}")
    parser.add_argument(
        "--header", action=argparse.BooleanOptionalAction, help="whether the first row of a .csv or .tsv names its columns"
    )


def train(settings: Settings, options: argparse.Namespace) -> int:
    """Make a run directory and train in it, in the foreground; the worker's exit status.

    Raises ApiError or pydantic's ValidationError, before anything is made, if the configuration cannot be used.
    """
    config = RunConfig(**{name: getattr(options, name) for name in RunConfig.model_fields if hasattr(options, name)})
    datasets = Datasets(settings.datasets_dir)
    datasets.prepare()
    catalog = Catalog(settings.models_dir, settings.runs_dir)
    reading = _reading(options.reading)
    files = _own_files(config, reading, options.header)
    if reading and config.dataset not in files:
        check_reading(config.dataset, datasets.source(config.dataset, reading))
    planned = plan(config, catalog, datasets, devices.find_devices(), files=files, reading=reading)
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
    """Copy a model into the models directory and print its name, and what was left. Raises InvalidFieldError."""
    added = Catalog(settings.models_dir, settings.runs_dir).add(path)
    if left := added.left_out:
        named = ", ".join(left[:10]) + (f" and {len(left) - 10} others" if len(left) > 10 else "")
        print(f"Left out, as the model is loaded without: {named}.", file=sys.stderr)
    print(added.name)
    return 0


def _reading(text: str | None) -> Reading | None:
    """What --reading says. Raises InvalidFieldError."""
    try:
        return None if text is None else Reading.model_validate_json(text)
    except ValidationError as error:
        first: Any = error.errors(include_url=False)[0]
        raise InvalidFieldError(
            "reading", explain({**first, "loc": ("reading", *first["loc"])}).message, hint=f"Such as: --reading {_EXAMPLE}"
        ) from error


def _own_files(config: RunConfig, reading: Reading | None, header: bool | None) -> dict[str, DatasetSource]:
    """All files that the configuration names instead of a dataset, checked. Raises InvalidFieldError."""
    found: dict[str, DatasetSource | None] = {}
    for field, name in datasets_of(config.model_dump()):
        how = (reading, header) if field == "dataset" else ()
        found[name] = found[name] if name in found else _own_file(field, name, *how)
    return {name: source for name, source in found.items() if source}


def _own_file(field: str, dataset: str, reading: Reading | None = None, header: bool | None = None) -> DatasetSource | None:
    """The file that a field names, checked, if it is a path rather than a dataset's id; what there is to know of it is said.
    It is read as ``reading`` and ``header`` say, or as is found. Raises InvalidFieldError."""
    path = Path(dataset).expanduser().resolve()
    if path.is_file():
        checked = check_file(path.name, path)
        if reading is not None or header not in (None, checked.header):
            changed = {"reading": reading or checked.reading, "header": checked.header if header is None else header}
            source = _source(path, checked).model_copy(update=changed)
            checked = check_reading(path.name, source, guess=reading is None)
        for note in checked.notes:
            print(f"{path.name}: {note}", file=sys.stderr)
        return _source(path, checked)
    if not path.exists() and ("/" in dataset or path.suffix):
        raise InvalidFieldError(field, f"There is no file {dataset}.")
    return None


def _source(path: Path, checked: Checked) -> DatasetSource:
    return DatasetSource(path=str(path), **checked.model_dump(include=set(DatasetSource.model_fields)))


def _in_foreground(command: list[str]) -> int:
    """Run a command in this terminal. Ctrl-C reaches it too, and it decides; we wait for its end."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        # Ignored here, the signal would be ignored there as well, unless the child takes it back before it starts.
        return subprocess.run(command, cwd=ROOT, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)).returncode
    finally:
        signal.signal(signal.SIGINT, before)
