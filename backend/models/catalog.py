"""Every model that can be trained from or prompted, and what a model's name stands for."""

from __future__ import annotations

import difflib
import json
import os
import re
import shutil
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError

from backend.errors import InvalidFieldError
from backend.models import hub
from backend.models.folders import has_chat_template, is_model, needed_files
from backend.schemas.names import RUN_ID_PATTERN, is_hub_id
from backend.schemas.system import Model
from worker.contract import (
    BUILT_IN_MODELS,
    CHECKPOINTS_DIR,
    JOB_FILE,
    MODEL_DIR,
    Job,
    ModelSource,
    base_of,
    is_adapter,
)

NAME_PATTERN = re.compile(r"[A-Za-z0-9][\w.-]{0,99}", re.ASCII)
PREFERRED = "gpt2"


class Resolved(NamedTuple):
    """A model that was found. ``context`` is the longest text it can read, in tokens, where that is known."""

    source: ModelSource
    context: int | None


class Added(NamedTuple):
    """A model that was added: its name, and what of its folder was left where it is."""

    name: str
    left_out: list[str]


class Catalog:
    def __init__(self, models_dir: Path, runs_dir: Path) -> None:
        self._models_dir = models_dir
        self._runs_dir = runs_dir

    def default(self) -> str:
        """The model of a run that names none: GPT-2 where it is on this machine, else one that needs no download."""
        return PREFERRED if hub.find_cached(PREFERRED) else "tiny"

    def resolve(self, name: str, *, field: str = "model_name") -> Resolved:
        """What a model's name stands for. Raises InvalidFieldError, saying why it cannot be used."""
        if name in BUILT_IN_MODELS:
            return Resolved(ModelSource(kind="built_in", location=name), BUILT_IN_MODELS[name].context)
        kind, _, rest = name.partition(":")
        if kind == "local" and rest:
            return self._local(rest, field)
        if kind == "run" and rest:
            return self._of_run(rest, field)
        if not is_hub_id(name):
            raise InvalidFieldError(
                field,
                f"{name[:100]!r} is not the name of a model.",
                hint="Use tiny, mini, an id of the Hugging Face hub such as gpt2, local:NAME, or run:ID.",
            )
        try:
            return Resolved(ModelSource(kind="hub", location=name), _context(hub.find_model(name)))
        except InvalidFieldError as error:
            near = difflib.get_close_matches(name, BUILT_IN_MODELS, 1)
            hint = f"Did you mean {near[0]}?" if near else error.detail.hint
            raise InvalidFieldError(field, error.detail.message, hint=hint) from error

    def chat_variables(self, name: str) -> dict[str, Any] | None:
        """The variables of the chat template that the prompts of a run's samples are put in; None if they are not, or if
        ``name`` is no run's model."""
        kind, _, rest = name.partition(":")
        run_id = rest.partition("@")[0]
        if kind != "run" or not re.match(RUN_ID_PATTERN, run_id):
            return None
        try:
            job = Job.model_validate_json((self._runs_dir / run_id / JOB_FILE).read_bytes())
        except (OSError, ValidationError):  # resolve says what is wrong with it
            return None
        reading = job.dataset.reading
        return dict(reading.chat_template_kwargs) if reading.kind == "chat" else None

    def all(self, run_names: dict[str, str]) -> list[Model]:
        """Built-in models, those in the models directory, those that runs made, and those in the hub's cache.

        ``run_names``: run id → name, newest first, of the runs to list.
        """
        built_in = [
            Model(
                id=name,
                name=name,
                kind="built_in",
                description=model.description,
                trainable=True,
                promptable=False,
                context=model.context,
            )
            for name, model in BUILT_IN_MODELS.items()
        ]
        of_runs = [model for run_id, name in run_names.items() for model in self._models_of(run_id, name)]
        return [*built_in, *self._locals(), *of_runs, *self._from_hub()]

    def add(self, path: Path) -> Added:
        """Copy a model or an adapter into the models directory, by hard link where that works: a .gguf file, or of a folder
        what loading it takes.

        Raises InvalidFieldError for ``path`` if it is not a model, lacks a part, or its name is taken.
        """
        path = path.expanduser().resolve()
        files = needed_files(path)
        name = re.sub(r"[^\w.-]+", "-", path.name, flags=re.ASCII).lstrip("._-")[:100]
        if not NAME_PATTERN.fullmatch(name):
            raise InvalidFieldError(
                "path", f"{path.name!r} leaves no usable name.", hint="Rename it with letters and digits."
            )
        target = self._models_dir / name
        if target.exists():
            raise InvalidFieldError("path", f"There is already a model called local:{name}.", hint="Rename the one you add.")
        self._models_dir.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=".adding-", dir=self._models_dir))
        try:
            for file in files:
                copy = temporary / name / file.relative_to(path)
                copy.parent.mkdir(parents=True, exist_ok=True)
                _link_or_copy(file, copy)
            (temporary / name).rename(target)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        there = path.glob("**/[!.]*") if path.is_dir() else ()
        left_out = sorted(str(file.relative_to(path)) for file in {*there} - {*files} if file.is_file())
        return Added(f"local:{name}", left_out)

    def _local(self, name: str, field: str) -> Resolved:
        path = self._models_dir / name
        if NAME_PATTERN.fullmatch(name) and is_model(path):
            return _resolve_path(path)
        near = difflib.get_close_matches(name, [path.name for path in self._local_paths()], 1, cutoff=0.3)
        raise InvalidFieldError(
            field,
            f"There is no model local:{name[:100]} in the models directory.",
            hint=f"Did you mean local:{near[0]}?" if near else "Add one with: trainboard models add PATH",
        )

    def _of_run(self, rest: str, field: str) -> Resolved:
        run_id, _, checkpoint = rest.partition("@")
        directory = self._runs_dir / run_id
        if not re.match(RUN_ID_PATTERN, run_id) or not directory.is_dir():
            raise InvalidFieldError(
                field, f"There is no run {run_id[:60]!r}.", hint="Copy its id from the address of its page."
            )
        path = directory / CHECKPOINTS_DIR / checkpoint if checkpoint else directory / MODEL_DIR
        if (checkpoint and not NAME_PATTERN.fullmatch(checkpoint)) or not is_model(path):
            what = f"checkpoint {checkpoint[:60]!r}" if checkpoint else "finished model"
            raise InvalidFieldError(
                field, f"The run {run_id} has no {what}.", hint="Its page lists what it has saved so far."
            )
        return _resolve_path(path)

    def _local_paths(self) -> list[Path]:
        return sorted(
            path for path in self._models_dir.glob("[!.]*") if NAME_PATTERN.fullmatch(path.name) and is_model(path)
        )

    def _locals(self) -> list[Model]:
        return [
            Model(
                id=f"local:{path.name}",
                name=path.name,
                kind="folder" if path.is_dir() else "gguf",
                description=_what(path),
                trainable=True,
                promptable=True,
                bytes=_size(path),
                context=_resolve_path(path).context,
                chat_template=has_chat_template(path),
            )
            for path in self._local_paths()
        ]

    def _models_of(self, run_id: str, run_name: str) -> list[Model]:
        directory = self._runs_dir / run_id
        found = []
        chat = self.chat_variables(f"run:{run_id}") is not None
        if is_model(directory / MODEL_DIR):
            found.append(_of_run_model(f"run:{run_id}", run_name, directory / MODEL_DIR, run_id, chat))
        for path in sorted(directory.glob(f"{CHECKPOINTS_DIR}/*"), reverse=True):
            if NAME_PATTERN.fullmatch(path.name) and is_model(path):
                found.append(_of_run_model(f"run:{run_id}@{path.name}", f"{run_name}, {path.name}", path, run_id, chat))
        return found

    def _from_hub(self) -> list[Model]:
        return [
            Model(
                id=model.id,
                name=model.id,
                kind="hub",
                description="From the Hugging Face hub, already on this machine.",
                trainable=True,
                promptable=True,
                bytes=_size(model.folder),
                context=_folder_context(model.folder),
                chat_template=has_chat_template(model.folder),
            )
            for model in hub.cached()
        ]


def _what(path: Path) -> str:
    kind = "A .gguf file" if path.is_file() else "An adapter" if is_adapter(path) else "A model folder"
    return f"{kind} that was added here."


def _of_run_model(model_id: str, name: str, path: Path, run_id: str, chat: bool) -> Model:
    final = path.name == MODEL_DIR
    step = re.search(r"(\d+)$", path.name)
    return Model(
        id=model_id,
        name=name,
        kind="run" if final else "checkpoint",
        description="What this run made." if final else "Saved on the way.",
        trainable=True,
        promptable=True,
        bytes=_size(path),
        context=_folder_context(path),
        chat=chat,
        chat_template=has_chat_template(path),
        run=run_id,
        step=int(step[1]) if step and not final else None,
    )


def _resolve_path(path: Path) -> Resolved:
    if path.is_dir():
        return Resolved(ModelSource(kind="folder", location=str(path)), _folder_context(path))
    return Resolved(ModelSource(kind="gguf", location=str(path)), None)


def _folder_context(folder: Path) -> int | None:
    try:
        if is_adapter(folder):
            base = base_of(folder)
            known = hub.find_cached(base.location) if base.kind == "hub" else None
            return _folder_context(known.folder if known else Path(base.location))
        return _context(json.loads((folder / "config.json").read_text(encoding="utf-8")))
    except (OSError, ValueError):  # the worker will say what is wrong with it
        return None


def _context(config: Any) -> int | None:
    """The longest text a model can read, by whichever of its names the architecture uses."""
    if not isinstance(config, dict):
        return None
    for name in ("n_positions", "max_position_embeddings", "n_ctx"):
        value = config.get(name)
        if isinstance(value, int):
            return value
    return None


def _size(path: Path) -> int:
    if path.is_file():
        return path.stat().st_size
    try:
        return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    except FileNotFoundError:  # a checkpoint that its worker is just pruning
        return 0


def _link_or_copy(source: Path, target: Path) -> None:
    try:
        os.link(source.resolve(), target)  # of a hub's snapshot the files are links, relative ones
    except OSError:  # another file system, or one without links
        shutil.copy2(source, target)
