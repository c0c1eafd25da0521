"""A run that begins where another one stands: what of that one can go on, and where it is found.

All of it goes on (``exact``) from a checkpoint if only such settings change as decide what comes after it. Where the weights
mean something else by what changes, or other examples stand at each place of the data, the new run begins from the
checkpoint's weights alone (``weights``); and what decides what the weights are can change from the start only (``start``).
"""

from __future__ import annotations

import json
import re
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sqlalchemy import Row

from backend.datasets.store import Datasets
from backend.errors import ConflictError, InvalidFieldError, explain, label
from backend.models.catalog import Catalog
from backend.runs import jobs
from backend.runs.about import OneLine
from backend.runs.jobs import Plan
from backend.schemas.system import Device
from worker.contract import (
    CHECKPOINTS_DIR,
    ORIGIN_DIR,
    STATE_FILE,
    Carried,
    Job,
    ModelSource,
    RunConfig,
    RunOrigin,
    changes_between,
    checkpoint_name,
    checkpoint_step,
    learning_rate,
)

CARRIES_AT_MOST: dict[str, Carried] = {
    **dict.fromkeys(("model_name", "from_scratch"), "start"),
    # Other examples, or others on the side of the test; or at other places of the data.
    **dict.fromkeys(("dataset", "mixture", "validation_split", "validation_dataset", "split_by_group"), "weights"),
    **dict.fromkeys(("skip_refused_rows", "exclude_rows", "max_length", "seed"), "weights"),
    # Other weights are trained, or the optimizer remembers other things of them.
    **dict.fromkeys(("method", "lora_rank", "lora_alpha", "lora_target_modules", "lora_target_parameters"), "weights"),
    **dict.fromkeys(("use_rslora", "use_dora", "load_in_4bit", "optimizer"), "weights"),
}
"""What can go on at most where a setting is changed; all of it where one does not stand here."""

_OF_THE_WINDOW = ("batch_size", "gradient_accumulation_steps", "devices")
"""Their product is how many examples an update learns from, and so where in the data an update stands."""


class ForkRequest(BaseModel):
    """``step``: a checkpoint's, to go on from there; without one the new run begins from the start. ``changes`` are settings
    and what they should be; all others are as they were."""

    model_config = ConfigDict(extra="forbid")

    step: Annotated[int, Field(strict=True, ge=1)] | None = None
    changes: dict[str, Any] = {}
    name: OneLine | None = None


class Fork(NamedTuple):
    """A run that is to be. ``checkpoint`` is the folder that it goes on from; ``because``: what changes too much."""

    config: RunConfig
    origin: RunOrigin
    checkpoint: Path | None
    because: list[str]
    base_name: str


def steps_of(directory: Path) -> list[int]:
    """The updates after which the checkpoints were saved that a run has on disk, rising."""
    steps = (checkpoint_step(folder.name) for folder in (directory / CHECKPOINTS_DIR).glob("*"))
    return sorted(step for step in steps if step is not None)


def prepare(parent: Row[Any], directory: Path, wanted: ForkRequest) -> Fork:
    """What a fork of the run ``parent``, whose directory that is, would be. Raises InvalidFieldError, naming the field."""
    before = RunConfig.model_validate_json(parent.config)
    checkpoint = None if wanted.step is None else _checkpoint(directory, wanted.step)
    # A checkpoint is a trained model, whatever the run began from: what suits one may be changed.
    own = {"model_name": before.model_name, "from_scratch": before.from_scratch}
    trained = {"model_name": f"run:{parent.id}@{checkpoint.name}", "from_scratch": False} if checkpoint else own
    base = before.model_copy(update=trained)
    after = _changed(before, base, wanted)
    changes = changes_between(base, after)
    state, because = _carried(list(changes), before, after, checkpoint)
    if state == "exact":
        after = after.model_copy(update=own)
        _require_updates_left(parent, before, after, wanted.step or 0)
    origin = RunOrigin(run=parent.id, name=parent.name, step=wanted.step, state=state, changes=changes)
    stem = re.sub(r" fork( #\d+)?$", "", parent.name)
    return Fork(after, origin, checkpoint, because, f"{stem[:110]} fork")


def plan_of(fork: Fork, job: Job, catalog: Catalog, datasets: Datasets, devices: list[Device]) -> Plan:
    """All that the new run needs, given the ``job`` of the run that it is forked from. Raises InvalidFieldError."""
    if fork.origin.state == "exact":
        # What was learned from so far is what is learned from on, though it may be read otherwise by now.
        jobs.check_machine(fork.config, devices)
        evaluation = job.evaluation
        if "evaluation_datasets" in fork.origin.changes:
            learned = [source.path for source in job.sources]
            evaluation = jobs.further_datasets(fork.config, datasets, learned, job.mixture)
        config = fork.config.model_copy(update={"learning_rate": learning_rate(fork.config, job.model)})
        found = Plan(config, job.model, job.dataset, job.validation, job.mixture, evaluation, fork.base_name)
    else:
        found = jobs.plan(fork.config, catalog, datasets, devices)
    return found._replace(name=fork.base_name, origin=fork.origin)


def take_along(fork: Fork, planned: Plan, directory: Path) -> Plan:
    """Put what the new run goes on from into its ``directory``, so that the earlier one may go; and the plan with it.

    Files are linked, as none is ever written to again, or copied where they cannot be. Raises ConflictError if the
    checkpoint was deleted in this moment, as a run that goes on does with its older ones.
    """
    if fork.checkpoint is None:
        return planned
    try:
        if fork.origin.state == "weights":
            _link_folder(fork.checkpoint, directory / ORIGIN_DIR)
            return planned._replace(model=ModelSource(kind="folder", location=str(directory / ORIGIN_DIR)))
        _link_folder(fork.checkpoint, directory / CHECKPOINTS_DIR / fork.checkpoint.name)
        best = json.loads((fork.checkpoint / STATE_FILE).read_bytes()).get("best")
        if best and best != fork.checkpoint.name:
            with suppress(FileNotFoundError):  # bettered since, and deleted: then only its loss is known
                _link_folder(fork.checkpoint.with_name(best), directory / CHECKPOINTS_DIR / best)
    except FileNotFoundError as error:
        raise ConflictError(
            f"The checkpoint of step {fork.origin.step} has just been deleted.", hint="Choose a later one."
        ) from error
    return planned


def _changed(before: RunConfig, base: RunConfig, wanted: ForkRequest) -> RunConfig:
    """``base`` with what should be otherwise than it was ``before``."""
    if "name" in wanted.changes:
        raise InvalidFieldError("name", "The name is no setting of a fork.", hint="Give it beside changes.")
    known = before.model_dump(mode="json")
    changes = {name: value for name, value in wanted.changes.items() if name not in known or known[name] != value}
    try:
        return RunConfig.model_validate({**base.model_dump(), **changes, "name": wanted.name})
    except ValidationError as error:
        found = explain(error.errors(include_url=False)[0])
        raise InvalidFieldError(found.field or "changes", found.message, hint=found.hint) from error


def _checkpoint(directory: Path, step: int) -> Path:
    steps = steps_of(directory)
    if step in steps:
        return directory / CHECKPOINTS_DIR / checkpoint_name(step)
    there = f"There are: {', '.join(map(str, steps))}." if steps else "The run has none on disk."
    raise InvalidFieldError(
        "step", f"There is no checkpoint of step {step}.", hint=f"{there} Without a step, it begins anew."
    )


def _carried(changed: list[str], before: RunConfig, after: RunConfig, checkpoint: Path | None) -> tuple[Carried, list[str]]:
    """What goes on, and the settings for which it is not all."""
    if checkpoint is None:
        return "start", []
    for name in changed:
        if CARRIES_AT_MOST.get(name) == "start":
            raise InvalidFieldError(
                name, f"{label(name)} decides what the weights are, which a checkpoint has already.",
                hint="Leave step out: the fork then begins from the start.",
            )  # fmt: skip
    because = [name for name in changed if name in CARRIES_AT_MOST]
    if before.window_size != after.window_size:
        because += [name for name in changed if name in _OF_THE_WINDOW]
    return ("exact" if not because and (checkpoint / STATE_FILE).exists() else "weights"), because


def _require_updates_left(parent: Row[Any], before: RunConfig, after: RunConfig, step: int) -> None:
    """Raises InvalidFieldError if a run that goes on exactly after ``step`` would be at its end already."""
    total = after.max_steps
    if total is None and parent.total_steps and before.max_steps is None:
        total = parent.total_steps // before.num_epochs * after.num_epochs
    elif total is None and parent.train_examples:
        total = -(-parent.train_examples // after.window_size) * after.num_epochs
    if total is not None and step >= total:
        field = "max_steps" if after.max_steps else "num_epochs"
        raise InvalidFieldError(
            field, f"At step {step} there is nothing left to do: the run would have {total} updates.",
            hint=f"Raise {label(field)}, or choose an earlier checkpoint.",
        )  # fmt: skip


def _link_folder(source: Path, target: Path) -> None:
    """Raises FileNotFoundError if it is, or goes, away."""
    for path in sorted(source.rglob("*")):
        if path.is_file():
            _link(path, target / path.relative_to(source))
    if not source.is_dir():  # whoever deletes it takes it out of sight first
        raise FileNotFoundError(source)


def _link(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        target.hardlink_to(source)
    except FileNotFoundError:
        raise
    except OSError:  # another file system, or one that knows no links
        shutil.copy2(source, target)
