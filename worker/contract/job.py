"""A run directory: its files, the Job that one is begun with, and what the server asks of the worker in it.

config.json    the Job, written once by whoever creates the run
events.jsonl   one event per line, appended by the worker alone; ``seq`` is dense from 1
worker.log     standard output and error of the worker, shown to people and never parsed
worker.lock    locked (flock) for as long as the worker lives; holds its pid
control.json   what the server asks of the worker, obeyed at the next step boundary; removed before a rerun
checkpoints/   one Hugging Face folder per kept checkpoint, or with LoRA an adapter's, with a manifest of digests
origin/        the checkpoint of another run whose weights this one began from, if it was forked so
model/         the final model, a plain Hugging Face folder
adapter/       what LoRA trained, a peft folder; model/ holds it merged into the base model
exports/       the model as files for other programs, each with what was made of it there
tokens/        the tokenized dataset, memory-mapped; removed once the run has completed
evaluation/    tokens of further datasets to evaluate on; removed once the run has completed
groups/        which texts are near-duplicates, of each dataset of a run that is split by group; removed likewise
"""

from __future__ import annotations

import re
from typing import Any, Literal

from pydantic import BaseModel, model_validator

from worker.contract.built_in import (
    BUILT_IN_MODELS,
    FINE_TUNING_LEARNING_RATE,
    FROM_SCRATCH_LEARNING_RATE,
    LORA_LEARNING_RATE,
)
from worker.contract.dataset import DatasetSource
from worker.contract.origin import RunOrigin
from worker.contract.run_config import RunConfig

JOB_FILE = "config.json"
EVENTS_FILE = "events.jsonl"
LOG_FILE = "worker.log"
LOCK_FILE = "worker.lock"
CONTROL_FILE = "control.json"
CHECKPOINTS_DIR = "checkpoints"
STATE_FILE = "training_state.json"
"""In a checkpoint: what a run needs besides the weights to go on exactly. A checkpoint without it holds weights only."""

ORIGIN_DIR = "origin"
MODEL_DIR = "model"
ADAPTER_DIR = "adapter"
TOKENS_DIR = "tokens"
GROUPS_DIR = "groups"
EVALUATION_DIR = "evaluation"
MANIFEST_FILE = "manifest.json"

LOCK_FD_VARIABLE = "TRAINBOARD_LOCK_FD"
"""Environment variable naming an inherited descriptor of worker.lock, already locked by the process that spawned us.

The server locks the file before it starts the worker, so there is no instant at which a living worker is unlocked.
"""


def checkpoint_name(step: int) -> str:
    """The folder in ``checkpoints/`` of what was saved after update ``step``."""
    return f"step-{step:06d}"


def checkpoint_step(name: str) -> int | None:
    """The update after which the folder of this name was saved; None if it is no checkpoint's."""
    saved = re.fullmatch(r"step-(\d+)", name)
    return int(saved[1]) if saved else None


class ModelSource(BaseModel):
    """Where a run's model comes from, resolved by whoever creates the run so that the worker needs no catalogue.

    ``location``: the built-in's name, the hub id, the folder's absolute path, or the .gguf file's absolute path.
    """

    kind: Literal["built_in", "hub", "folder", "gguf"]
    location: str


def learning_rate(config: RunConfig, model: ModelSource) -> float:
    """The configured learning rate, or where none is set the one that suits the model."""
    if config.learning_rate is not None:
        return config.learning_rate
    if model.kind == "built_in":
        return BUILT_IN_MODELS[model.location].learning_rate
    if config.from_scratch:
        return FROM_SCRATCH_LEARNING_RATE
    return LORA_LEARNING_RATE if config.method == "lora" else FINE_TUNING_LEARNING_RATE


class MixedDataset(BaseModel):
    """A dataset that is learned along with a run's own. ``share``: of all tokens that are learned."""

    source: DatasetSource
    share: float


class Job(BaseModel):
    """The content of config.json: everything the worker needs to know. Paths are absolute."""

    run_id: str
    config: RunConfig
    model: ModelSource
    dataset: DatasetSource
    validation: DatasetSource | None = None
    mixture: dict[str, MixedDataset] = {}  # these and the following by the names that people know them by
    evaluation: dict[str, DatasetSource] = {}
    device: str = "auto"
    origin: RunOrigin | None = None

    @property
    def is_exact_fork(self) -> bool:
        """Whether it goes on from another run's checkpoint, which whoever created it put among its own."""
        return self.origin is not None and self.origin.state == "exact"

    @property
    def validation_share(self) -> float:
        """Of the dataset, what is for testing: nothing where there is a dataset of its own for that."""
        return 0.0 if self.validation else self.config.validation_split

    @property
    def is_split_by_group(self) -> bool:
        """Whether near-duplicates have to be known."""
        return self.config.split_by_group and self.validation_share > 0

    @property
    def sources(self) -> list[DatasetSource]:
        """All that is learned from."""
        return [self.dataset, *(part.source for part in self.mixture.values())]

    @property
    def has_chats(self) -> bool:
        """Whether conversations are learned."""
        return any(source.reading.kind == "chat" for source in self.sources)

    @property
    def is_evaluated(self) -> bool:
        """Whether there is to be a validation loss."""
        return self.validation is not None or self.config.validation_split > 0

    @model_validator(mode="after")
    def _without_excluded_rows(self) -> Job:
        """Whoever reads the dataset passes over what the configuration leaves out."""
        rows = tuple(sorted(set(self.config.exclude_rows)))
        if self.dataset.exclude_rows != rows:
            self.dataset = self.dataset.model_copy(update={"exclude_rows": rows})
        return self

    @model_validator(mode="before")
    @classmethod
    def _from_before_there_were_formats(cls, job: Any) -> Any:
        """Runs of Trainboard's first version know the path of a .txt file, and can still go on."""
        if isinstance(job, dict) and "dataset_path" in job:
            rest = {name: value for name, value in job.items() if name != "dataset_path"}
            return {"dataset": {"path": job["dataset_path"]}, **rest}
        return job


class Control(BaseModel):
    """The content of control.json: the last thing asked for. ``resume`` ends a pause; ``stop`` ends a pause and the run."""

    command: Literal["stop", "pause", "resume"]


class LockInfo(BaseModel):
    """The content of worker.lock. ``started``: process start time in seconds since 1970, as psutil gives it."""

    pid: int
    started: float
