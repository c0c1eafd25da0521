"""What a run will take."""

from __future__ import annotations

from backend.schemas.base import Schema
from backend.schemas.data import NearDuplicatePair


class MemoryPart(Schema):
    id: str
    label: str
    bytes: int


class Forecast(Schema):
    """What a run will take. ``peak_memory_bytes`` of the process on a CPU, of the card on a GPU; times in seconds.

    ``step_seconds`` is the mean time of an update, ``evaluation_seconds`` that of all evaluations together; with them,
    ``total_seconds`` leaves out samples and saving.
    """

    peak_memory_bytes: int
    step_seconds: float
    tokens_per_s: float
    evaluation_seconds: float = 0.0  # a prediction made before there was one
    total_seconds: float


class Problem(Schema):
    """Something to look at before the start. ``blocking``: the run would end in an error."""

    field: str | None
    message: str
    hint: str | None = None
    blocking: bool


class MixedPart(Schema):
    """What an epoch takes of one of several datasets: ``tokens`` to learn, their ``share`` of all that the epoch has, and
    ``passes``, how often it is gone through."""

    name: str
    tokens: int
    share: float
    passes: float


class Preflight(Schema):
    """What a configuration comes to. ``exact`` is false where token counts are estimates from a part of the text.

    ``leaked_examples`` counts different ones for validation that are nearly the same as one that is learned; null where
    there is much text. ``leaks`` are some of them where another dataset is for validation.

    ``mixture``: the dataset and those that are mixed with it; empty for a dataset alone.

    ``chat_format_unused``: prompts and completions are to be learned as they are by a model that has a chat format.

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
    leaked_examples: int | None
    leaks: list[NearDuplicatePair]
    mixture: list[MixedPart] = []
    chat_format_unused: bool
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
