"""Runs, and what they have told: curves, events, samples, checkpoints."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from backend.schemas.base import Schema
from backend.schemas.preflight import Preflight
from worker.contract import Carried, RunConfig, RunOrigin, SettingChange

Status = Literal[
    "queued", "starting", "running", "pausing", "paused", "stopping", "completed", "stopped", "failed", "interrupted"
]  # fmt: skip


class RunFinding(Schema):
    """That a rule has found something, with the rule's title."""

    rule: str
    level: Literal["good", "info", "warning", "error"]
    title: str


class Run(Schema):
    """A run as it stands. ``stream_cursor``: open a stream after it to miss nothing and see nothing twice.

    ``predicted`` is what the form's preflight said of it, if it was asked; ``peak_memory_bytes`` and ``step_seconds`` (mean
    of its updates) are what its latest worker took, known when that has ended.

    ``started_at`` is the start of its latest worker; ``resumed_step`` the update after which that one went on, null if the
    run never had to. ``batch_size`` and ``gradient_accumulation_steps`` are those in use, which differ from ``config`` once
    the memory ran out. ``device`` may be several, separated by commas. ``origin`` is the run that it was forked from;
    ``findings`` are those that hold, the worst first.
    """

    id: str
    name: str
    tags: list[str]
    notes: str
    archived: bool
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
    predicted: Preflight | None
    peak_memory_bytes: int | None
    step_seconds: float | None
    origin: RunOrigin | None
    findings: list[RunFinding]
    queue_position: int | None
    sparkline: list[float]
    stream_cursor: int


class RunList(Schema):
    """``matching`` counts the runs that fit the filter, on all pages; ``known`` all runs, the archived ones too."""

    items: list[Run]
    next_cursor: str | None
    matching: int
    known: int
    stream_cursor: int


class Refusal(Schema):
    id: str
    message: str


class Deletion(Schema):
    """``refused`` are those that stay, and why."""

    deleted: list[str]
    refused: list[Refusal]


class TagCount(Schema):
    tag: str
    runs: int


class TagList(Schema):
    items: list[TagCount]


class Band(Schema):
    """One key of a series, per bucket of steps, over its finite values; null where the bucket has none.

    ``nonfinite`` are the places in ``x`` of the buckets in which a value was NaN or infinite.
    """

    min: list[float | None]
    max: list[float | None]
    mean: list[float | None]
    nonfinite: list[int] = []


class Curves(Schema):
    """``x`` are steps, each the first of its bucket; ``points`` is their number; ``from`` and ``to`` the range."""

    x: list[int]
    series: dict[str, Band]
    from_: int | None = Field(alias="from")
    to: int | None
    points: int


class Series(Curves):
    """The curves of one run."""

    stream_cursor: int


class SeriesOfRun(Curves):
    """The same as one of several."""

    run: str


class SeriesList(Schema):
    """In the order in which the runs were named."""

    items: list[SeriesOfRun]
    stream_cursor: int


class EventPage(Schema):
    """Events as the stream sends them, ``run`` and ``cursor`` included; ``next`` is null on the last page, and what comes
    after that one comes in a stream opened after ``stream_cursor``."""

    items: list[dict[str, Any]]
    next: int | None
    stream_cursor: int


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
    """Open a stream after ``stream_cursor`` to miss none that follows."""

    items: list[Sample]
    stream_cursor: int


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
    """Open a stream after ``stream_cursor`` to miss none that follows."""

    items: list[Checkpoint]
    stream_cursor: int


class ForkPreview(Schema):
    """What a fork would be. ``state`` is what of the earlier run goes on (see RunOrigin), ``because`` the settings for which
    it is not all; ``steps`` are those of the checkpoints that there are to go on from."""

    name: str
    state: Carried
    step: int | None
    because: list[str]
    changes: dict[str, SettingChange]
    steps: list[int]


class Relative(Schema):
    """A run of a family. One that has been deleted is known by what its forks tell of it: ``status`` is null."""

    id: str
    name: str
    status: Status | None
    step: int | None
    validation_loss: float | None
    origin: RunOrigin | None


class Lineage(Schema):
    """The runs that a run was forked from, and all that were forked from these; each stands after the one it came from."""

    items: list[Relative]
