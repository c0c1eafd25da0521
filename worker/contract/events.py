"""The events of a run: what the worker appends to events.jsonl, and the server reads from there."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Annotated, Any, Literal, Union

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter


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
    after, 0 if it starts over. Steps, evaluations and samples reported before for later updates no longer count, as they are
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

    ``train_loss`` is the mean training loss since the evaluation before; ``best`` tells whether none was lower. ``losses``
    are those of the further datasets, by name; of one that was NaN or infinite null. ``question_gain`` tells, of prompts and
    completions or conversations, by how many nats a token an answer is told better after its own question than after
    another's, on a few examples.
    """

    type: Literal["evaluation"] = "evaluation"
    step: int
    epoch: float
    loss: float | None
    perplexity: float | None
    best: bool
    train_loss: float | None = None
    nonfinite: list[str] = []
    losses: dict[str, float | None] = {}
    question_gain: float | None = None


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


class DataEvent(_Event):
    """What the worker found in its data before training, in numbers; null is what was not looked for.

    ``examples`` to learn from and ``validation_examples`` kept aside; ``tokens`` of the former, of which ``trained_tokens``
    are learned; ``cut`` examples of both were longer than max_length; ``unlearned`` had nothing to learn and were left out;
    ``duplicates`` are exact copies of earlier examples to learn from, ``leaked`` the examples to test on that are learned
    from as well. ``unended`` examples do not end with a token at which the model stops; ``foreign_marks``, of ``looked_at``
    examples to learn from, have marks of a chat format that is not the model's. Told again by a worker that goes on from a
    checkpoint.
    """

    type: Literal["data"] = "data"
    examples: int
    validation_examples: int
    tokens: int
    trained_tokens: int
    cut: int
    unlearned: int
    duplicates: int | None = None
    leaked: int | None = None
    unended: int | None = None
    foreign_marks: int | None = None
    looked_at: int | None = None


class LayersEvent(_Event):
    """What one update did to each part of the model, in the model's order: embeddings, each block, norm, head.

    ``grad_norm`` is of a part's gradients before clipping; ``update_ratio`` the norm of the change of its weights by that of
    the weights. What was not finite is null. ``gradient_signal`` and ``gradient_noise`` estimate the squared norm of the
    true gradient and the trace of one example's covariance around it (McCandlish et al. 2018, arXiv:1812.06162, appendix
    A.1), from the passes of the update; noise by signal is the noise scale in examples. A single update's are noise
    themselves: average each over many updates before dividing. Null where an update is one pass.
    """

    type: Literal["layers"] = "layers"
    step: int
    parts: list[str]
    grad_norm: list[float | None]
    update_ratio: list[float | None]
    gradient_signal: float | None = None
    gradient_noise: float | None = None


class TimingEvent(_Event):
    """Where this worker's time went since its timing event before, or since it began: seconds that add up to what passed.

    ``data`` is waiting for the next batches, ``waiting`` pauses and a full disk, ``preparing`` all before the first update.
    """

    type: Literal["timing"] = "timing"
    step: int
    preparing: float = 0
    data: float = 0
    forward: float = 0
    backward: float = 0
    optimizer: float = 0
    evaluation: float = 0
    saving: float = 0
    waiting: float = 0
    other: float = 0


class RowLoss(BaseModel):
    """One example's mean loss in nats per trained token.

    ``row`` counts a dataset's examples from 1; ``dataset`` names the one of a mixture or a further evaluation, null is the
    run's own. ``text`` is how it begins.
    """

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    row: int
    loss: float | None
    tokens: int
    text: str
    dataset: str | None = None


class RowsEvent(_Event):
    """Examples that stand out, the worst first: of the updates around a spike of the loss; of those since the evaluation
    before (``training``), as each was when it was learned; or of what is tested on (``evaluation``).

    One stands out by how far its loss is above the usual one times the square root of its tokens, so that a single rare word
    is not before a text that is odd from end to end.
    """

    type: Literal["rows"] = "rows"
    step: int
    cause: Literal["spike", "training", "evaluation"]
    rows: list[RowLoss]


Event = Annotated[
    Union[
        StatusEvent,
        StepEvent,
        EvaluationEvent,
        SampleEvent,
        CheckpointEvent,
        SystemEvent,
        MessageEvent,
        DataEvent,
        LayersEvent,
        TimingEvent,
        RowsEvent,
    ],
    Field(discriminator="type"),
]

_EVENT: TypeAdapter[Any] = TypeAdapter(Event)


def encode(event: _Event) -> bytes:
    """One line of events.jsonl, with its newline. Nulls are kept: a null loss is a fact."""
    return event.model_dump_json().encode() + b"\n"


def decode(line: bytes) -> Any:
    """The event in one line of events.jsonl. Raises pydantic.ValidationError if it is not one."""
    return _EVENT.validate_json(line)
