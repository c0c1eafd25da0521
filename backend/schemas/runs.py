"""What the API answers. Times are ISO 8601 UTC, durations seconds, sizes bytes, losses nats per token."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from worker.contract import Encoding, Format, Kind, Reading, RunConfig

Status = Literal[
    "queued", "starting", "running", "pausing", "paused", "stopping", "completed", "stopped", "failed", "interrupted"
]  # fmt: skip


class Schema(BaseModel):
    model_config = ConfigDict(protected_namespaces=(), populate_by_name=True)


class Run(Schema):
    """A run as it stands. ``stream_cursor``: open a stream after it to miss nothing and see nothing twice.

    ``predicted`` is what the form's preflight said of it, if it was asked; ``peak_memory_bytes`` and ``step_seconds`` (mean
    of its updates) are what its latest worker took, known when that has ended.

    ``started_at`` is the start of its latest worker; ``resumed_step`` the update after which that one went on, null if the
    run never had to. ``batch_size`` and ``gradient_accumulation_steps`` are those in use, which differ from ``config`` once
    the memory ran out. ``device`` may be several, separated by commas.
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
    """``rows`` counts the examples that this ``reading`` finds, a document being one; ``empty_rows`` those left out because
    nothing stands in them. ``columns`` is empty for a .txt file; ``readings`` are the kinds that suit the file.
    ``origin`` is the hub's id of a dataset that was fetched from there.
    """

    id: str
    name: str
    format: Format
    encoding: Encoding = "utf-8"
    compressed: bool = False
    delimiter: str | None = None
    columns: list[str] = []
    reading: Reading = Reading()
    readings: list[Kind] = ["text", "document"]
    rows: int
    empty_rows: int = 0
    bytes: int
    sha256: str
    origin: str | None = None
    built_in: bool
    created_at: str


class DatasetList(Schema):
    items: list[Dataset]


class Preview(Schema):
    """Some records: ``numbers`` are their places in the file (the line of a .txt or .jsonl), ``records`` the cells of their
    ``columns`` as they stand there, ``rows`` what each becomes as an example. Long texts are cut to a readable length."""

    columns: list[str]
    numbers: list[int]
    records: list[list[str | None]]
    rows: list[str]
    total: int


class Bin(Schema):
    """``count`` examples have from ``start`` to below ``end`` tokens."""

    start: int
    end: int
    count: int


class TokenStatistics(Schema):
    """Lengths in tokens of the examples, before any is cut. ``exact`` is false if only ``examples`` of them, drawn evenly,
    were turned into tokens; ``total`` and the counts are then estimates for all. ``trained`` counts tokens that are learned.
    ``untrained`` counts examples without one, of which ``untrained_rows`` names the first few."""

    examples: int
    exact: bool
    max_length: int
    total: int
    trained: int
    mean: float
    median: int
    longest: int
    longest_row: int | None
    truncated: int
    truncated_share: float
    untrained: int
    untrained_rows: list[int]
    histogram: list[Bin]


class Statistics(Schema):
    """What a dataset holds. ``duplicate_rows`` counts examples that stood there before; ``longest_row`` is its place."""

    rows: int
    empty_rows: int
    duplicate_rows: int
    train_rows: int
    validation_rows: int
    characters: int
    longest_row: int | None
    longest_characters: int
    tokens: TokenStatistics


TokenState = Literal["trained", "masked", "truncated", "padding"]


class Token(Schema):
    """``trained``: the model learns to predict it. ``masked``: it is only read. ``truncated``: the model never sees it.
    ``start``: here begins another example in the same row."""

    id: int
    text: str
    state: TokenState
    start: bool = False


class TokenRow(Schema):
    """An example as the model will see it. ``row`` is the record's place in the file; a document gives several ``windows``.
    ``counts`` are of all its tokens; of those ``truncated`` only the first few hundred are in ``tokens``."""

    row: int
    side: Literal["train", "validation"]
    window: int
    windows: int
    used: bool
    counts: dict[TokenState, int]
    tokens: list[Token]


class TokenBatch(Schema):
    """The first forward pass of the first update: ``rows`` of tokens; ``passes`` is how many that update takes."""

    layout: Literal["packed", "in_order"]
    passes: int
    examples: int
    counts: dict[TokenState, int]
    rows: list[list[Token]]


class TokenView(Schema):
    """Of a very long document only the first windows are in ``items``. ``batch`` is null unless asked for, and for a text
    too large to know the run's first update at once."""

    max_length: int
    items: list[TokenRow]
    batch: TokenBatch | None


class MemoryPart(Schema):
    id: str
    label: str
    bytes: int


class Forecast(Schema):
    """What a run will take. ``peak_memory_bytes`` of the process on a CPU, of the card on a GPU; times in seconds.

    ``step_seconds`` is the mean time of an update; ``total_seconds`` leaves out evaluating and saving.
    """

    peak_memory_bytes: int
    step_seconds: float
    tokens_per_s: float
    total_seconds: float


class Problem(Schema):
    """Something to look at before the start. ``blocking``: the run would end in an error."""

    field: str | None
    message: str
    hint: str | None = None
    blocking: bool


class Preflight(Schema):
    """What a configuration comes to. ``exact`` is false where token counts are estimates from a part of the text.

    ``formula`` is computed; ``measured`` is from real updates on this machine, null until asked for. ``fits`` compares the
    better of the two with ``memory_available_bytes``; ``largest_batch_size`` is the largest that fits, with the
    accumulation that keeps the examples of an update, null if none does.
    """

    device: str
    precision: str
    exact: bool
    train_examples: int
    validation_examples: int
    tokens_per_epoch: int
    truncated_share: float
    untrained_examples: int
    steps_per_epoch: int
    total_steps: int
    max_length: int
    parameters: int
    trained_parameters: int
    memory_parts: list[MemoryPart]
    formula: Forecast
    measured: Forecast | None
    memory_available_bytes: int
    fits: bool
    largest_batch_size: int | None
    largest_accumulation: int | None
    checkpoint_bytes: int
    disk_bytes: int
    disk_free_bytes: int
    problems: list[Problem]


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


class Gpu(Schema):
    """``percent``: how busy it is; degrees Celsius and watts; null what its driver does not tell."""

    number: int
    name: str
    memory_used_bytes: int
    memory_bytes: int
    percent: float | None = None
    temperature: float | None = None
    power: float | None = None


class Machine(Schema):
    """What the machine is doing now. ``cpu_percent`` is of all processors together, since it was asked before."""

    cpu_percent: float
    memory_used_bytes: int
    memory_bytes: int
    disk_free_bytes: int
    disk_bytes: int
    gpus: list[Gpu]


class Webhook(Schema):
    """Who is told of a run's end. ``last_status`` is what it answered last, ``last_error`` why the last try failed, both of
    this server's lifetime; ``pending`` counts what it has not taken yet. Credentials and query are left out of ``url``."""

    url: str
    last_status: int | None
    last_error: str | None
    pending: int


class System(Schema):
    """``webhook`` is null if none is set."""

    version: str
    python: str
    platform: str
    data_dir: str
    devices: list[Device]
    cpu_count: int
    memory_bytes: int
    memory_available_bytes: int
    disk_free_bytes: int
    now: Machine
    webhook: Webhook | None


class Health(Schema):
    status: Literal["ok"]
    version: str


class Group(Schema):
    id: str
    title: str


class Preset(Schema):
    """``gpu_memory_bytes`` is set for those that suit a GPU of about that size."""

    id: str
    title: str
    description: str
    config: dict[str, Any]
    gpu_memory_bytes: int | None = None


class ConfigSchema(Schema):
    """``json_schema`` describes RunConfig; ``groups`` are the form's sections in order; ``presets`` fill the form."""

    json_schema: dict[str, Any] = Field(alias="schema")
    groups: list[Group]
    presets: list[Preset]
