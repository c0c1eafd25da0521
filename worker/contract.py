"""All that the server and the worker agree on: the configuration, the events, and a run directory's files.

The backend imports nothing else from ``worker``, and importing this module loads only pydantic and the standard
library. RunConfig itself stands in ``worker/config.py``, what is known of its data in ``worker/source.py``. A run directory
holds:

    config.json    the Job, written once by whoever creates the run
    events.jsonl   one event per line, appended by the worker alone; ``seq`` is dense from 1
    events.reserve some room for events.jsonl on a disk that gets full; there while a worker lives
    worker.log     standard output and error of the worker, shown to people and never parsed
    worker.lock    locked (flock) for as long as the worker lives; holds its pid
    control.json   what the server asks of the worker, obeyed at the next step boundary; removed before a rerun
    checkpoints/   one Hugging Face folder per kept checkpoint, with a manifest of digests
    model/         the final model, a plain Hugging Face folder
    adapter/       what LoRA trained, a peft folder; model/ holds it merged into the base model
    tokens/        the tokenized dataset, memory-mapped; removed once the run has completed
"""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Annotated, Any, Literal, Union

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, model_validator

from worker.config import (
    BUILT_IN_MODELS,
    DEFAULT_MAX_LENGTH,
    FINE_TUNING_LEARNING_RATE,
    FROM_SCRATCH_LEARNING_RATE,
    GROUPS,
    LORA_LEARNING_RATE,
    BuiltInModel,
    RunConfig,
)
from worker.source import Checked, DatasetSource, Encoding, Format, Kind, Reading

__all__ = [
    "BUILT_IN_MODELS", "DEFAULT_MAX_LENGTH", "GROUPS",
    "BuiltInModel", "Checked", "DatasetSource", "Encoding", "Format", "Kind", "Reading", "RunConfig",
]  # fmt: skip

JOB_FILE = "config.json"
EVENTS_FILE = "events.jsonl"
LOG_FILE = "worker.log"
LOCK_FILE = "worker.lock"
CONTROL_FILE = "control.json"
CHECKPOINTS_DIR = "checkpoints"
MODEL_DIR = "model"
ADAPTER_DIR = "adapter"
TOKENS_DIR = "tokens"
MANIFEST_FILE = "manifest.json"

LOCK_FD_VARIABLE = "TRAINBOARD_LOCK_FD"
"""Environment variable naming an inherited descriptor of worker.lock, already locked by the process that spawned us.

The server locks the file before it starts the worker, so there is no instant at which a living worker is unlocked.
"""


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


class Job(BaseModel):
    """The content of config.json: everything the worker needs to know. Paths are absolute."""

    run_id: str
    config: RunConfig
    model: ModelSource
    dataset: DatasetSource
    device: str = "auto"

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


def now() -> str:
    """The time as ISO 8601 UTC with microseconds, the form every event and API answer uses."""
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


TERMINAL_PHASES = ("completed", "stopped", "failed", "interrupted")
"""Phases that end a worker. All but ``completed`` may be followed by another worker in the same directory, which goes on
from the last whole checkpoint, or from the start where there is none, and appends to the same log."""

Phase = Literal["preparing", "training", "evaluating", "saving", "paused", "completed", "stopped", "failed", "interrupted"]


class _Event(BaseModel):
    """Common to all: ``seq`` counts from 1 without gaps in one run; ``time`` is ISO 8601 UTC. The emitter sets both."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    seq: int = 0
    time: str = ""


class StatusEvent(_Event):
    """The worker entered a phase. ``training`` tells what is now known of the run; terminal phases give a reason.

    ``resumed_step`` is set once by each worker that goes on from an earlier one: the update its checkpoint was saved
    after, 0 if it starts over. Steps, checks and samples reported before for later updates no longer count, as they are
    made again; with 0 none of them count, those of step 0 neither.

    Of a run that completed or was stopped after an update, ``peak_memory_bytes`` is the most that this worker had: of the
    process on a CPU, of the card on a GPU; and ``step_seconds`` the mean wall time of its updates.
    """

    type: Literal["status"] = "status"
    phase: Phase
    reason: str | None = None
    hint: str | None = None
    resumed_step: int | None = None
    total_steps: int | None = None
    device: str | None = None
    precision: str | None = None
    parameters: int | None = None
    max_length: int | None = None
    batch_size: int | None = None
    gradient_accumulation_steps: int | None = None
    train_examples: int | None = None
    validation_examples: int | None = None
    peak_memory_bytes: int | None = None
    step_seconds: float | None = None


class StepEvent(_Event):
    """One optimizer update. Numbers that were NaN or infinite are null and named in ``nonfinite``.

    ``step`` counts updates from 1; ``epoch`` is fractional; ``loss`` is the mean in nats over the tokens trained on
    since the step event before; ``grad_norm`` is before clipping; ``tokens`` counts trained tokens since the run began;
    ``step_ms`` is the update's wall time; ``scale`` is the fp16 loss scale.
    """

    type: Literal["step"] = "step"
    step: int
    epoch: float
    loss: float | None
    lr: float
    grad_norm: float | None
    tokens: int
    tokens_per_s: float
    step_ms: float
    scale: float | None = None
    nonfinite: list[str] = []


class EvaluationEvent(_Event):
    """Validation loss (mean over all validation tokens, nats) and perplexity exp(loss). Step 0 is the untrained model.

    ``train_loss`` is the mean training loss since the evaluation before; ``best`` tells whether none was lower.
    """

    type: Literal["evaluation"] = "evaluation"
    step: int
    epoch: float
    loss: float | None
    perplexity: float | None
    best: bool
    train_loss: float | None = None
    nonfinite: list[str] = []


class SampleEvent(_Event):
    """What the model wrote after ``prompt`` at ``step``; ``text`` is the continuation without the prompt."""

    type: Literal["sample"] = "sample"
    step: int
    prompt: str
    text: str


class CheckpointEvent(_Event):
    """A folder was written whole. ``path`` is relative to the run directory."""

    type: Literal["checkpoint"] = "checkpoint"
    step: int
    path: str
    bytes: int
    kind: Literal["periodic", "best", "final", "adapter"]


class SystemEvent(_Event):
    """What the machine was doing some seconds ago at the latest, after update ``step``. Null is what cannot be known here.

    ``cpu_percent``: how busy all processors were since the sample before, by whatever process; ``memory_bytes``: of the
    worker's process, resident; ``disk_free_bytes``: where the run directory lies. Of the GPU that the worker trains on, of
    several the first: how busy it was, memory in use by all, degrees Celsius, and watts.
    """

    type: Literal["system"] = "system"
    step: int
    cpu_percent: float
    memory_bytes: int
    disk_free_bytes: int
    gpu_percent: float | None = None
    gpu_memory_bytes: int | None = None
    gpu_temperature: float | None = None
    gpu_power: float | None = None


class MessageEvent(_Event):
    """A sentence for a person, such as what the worker is preparing."""

    type: Literal["message"] = "message"
    level: Literal["info", "warning", "error"]
    text: str


Event = Annotated[
    Union[StatusEvent, StepEvent, EvaluationEvent, SampleEvent, CheckpointEvent, SystemEvent, MessageEvent],
    Field(discriminator="type"),
]

_EVENT: TypeAdapter[Any] = TypeAdapter(Event)


def encode(event: _Event) -> bytes:
    """One line of events.jsonl, with its newline. Nulls are kept: a null loss is a fact."""
    return event.model_dump_json().encode() + b"\n"


def decode(line: bytes) -> Any:
    """The event in one line of events.jsonl. Raises pydantic.ValidationError if it is not one."""
    return _EVENT.validate_json(line)
