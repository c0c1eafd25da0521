"""What the API answers. Times are ISO 8601 UTC, durations seconds, sizes bytes, losses nats per token."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from worker.contract import RunConfig

Status = Literal[
    "queued", "starting", "running", "pausing", "paused", "stopping", "completed", "stopped", "failed", "interrupted"
]  # fmt: skip


class Schema(BaseModel):
    model_config = ConfigDict(protected_namespaces=(), populate_by_name=True)


class Run(Schema):
    """A run as it stands. ``stream_cursor``: open a stream after it to miss nothing and see nothing twice.

    ``started_at`` is the start of its latest worker; ``resumed_step`` the update after which that one went on, null if the
    run never had to. ``batch_size`` and ``gradient_accumulation_steps`` are those in use, which differ from ``config`` once
    the memory ran out. ``device`` may be several, separated by commas.
    """

    id: str
    name: str
    status: Status
    phase: str | None
    reason: str | None
    hint: str | None
    config: RunConfig
    created_at: str
    started_at: str | None
    ended_at: str | None
    step: int
    total_steps: int | None
    resumed_step: int | None
    epoch: float | None
    loss: float | None
    validation_loss: float | None
    best_validation_loss: float | None
    learning_rate: float | None
    tokens_per_s: float | None
    eta_s: float | None
    device: str | None
    precision: str | None
    parameters: int | None
    batch_size: int | None
    gradient_accumulation_steps: int | None
    train_examples: int | None
    validation_examples: int | None
    queue_position: int | None
    sparkline: list[float]
    stream_cursor: int


class RunList(Schema):
    items: list[Run]
    next_cursor: str | None
    stream_cursor: int


class Band(Schema):
    """One key of a series, per bucket of steps; null where the bucket has no value."""

    min: list[float | None]
    max: list[float | None]
    mean: list[float | None]


class Series(Schema):
    """``x`` are steps, each the first of its bucket; ``points`` is their number; ``from`` and ``to`` the range."""

    x: list[int]
    series: dict[str, Band]
    from_: int | None = Field(alias="from")
    to: int | None
    points: int
    stream_cursor: int


class EventPage(Schema):
    """Events as the stream sends them, ``run`` and ``cursor`` included; ``next`` is null on the last page."""

    items: list[dict[str, Any]]
    next: int | None


class LogChunk(Schema):
    """A piece of worker.log; ask again from ``offset`` for what follows. All in bytes of the file."""

    text: str
    offset: int
    size: int


class Sample(Schema):
    step: int
    prompt: str
    text: str
    time: str


class SampleList(Schema):
    items: list[Sample]


class Checkpoint(Schema):
    """A folder of weights on disk. ``model`` is the name to train from or to prompt; an adapter alone has none."""

    name: str
    step: int
    kind: Literal["periodic", "best", "final", "adapter"]
    bytes: int
    path: str
    model: str | None
    validation_loss: float | None


class CheckpointList(Schema):
    items: list[Checkpoint]


class Dataset(Schema):
    """``rows`` counts the usable lines."""

    id: str
    name: str
    format: Literal["txt"]
    rows: int
    bytes: int
    sha256: str
    built_in: bool
    created_at: str


class DatasetList(Schema):
    items: list[Dataset]


class Preview(Schema):
    rows: list[str]
    total: int


class Model(Schema):
    """Something to train from or to prompt. ``context`` is in tokens."""

    id: str
    name: str
    kind: Literal["built_in", "hub", "folder", "gguf", "run", "checkpoint"]
    description: str
    trainable: bool
    promptable: bool
    bytes: int | None = None
    context: int | None = None
    run: str | None = None
    step: int | None = None


class ModelList(Schema):
    items: list[Model]


class Device(Schema):
    id: str
    name: str
    memory_bytes: int


class System(Schema):
    version: str
    python: str
    platform: str
    data_dir: str
    devices: list[Device]
    cpu_count: int
    memory_bytes: int
    memory_available_bytes: int
    disk_free_bytes: int


class Health(Schema):
    status: Literal["ok"]
    version: str


class Group(Schema):
    id: str
    title: str


class Preset(Schema):
    id: str
    title: str
    description: str
    config: dict[str, Any]


class ConfigSchema(Schema):
    """``json_schema`` describes RunConfig; ``groups`` are the form's sections in order; ``presets`` fill the form."""

    json_schema: dict[str, Any] = Field(alias="schema")
    groups: list[Group]
    presets: list[Preset]
