"""How long a run learns, and in what parts. Imported through ``worker.contract``, as a part of RunConfig."""

from __future__ import annotations

from typing import Literal

from worker.contract.method_settings import MethodSettings
from worker.contract.setting import setting


class LengthSettings(MethodSettings):
    """Epochs, updates and batches. The settings before it are inherited, so that the schema keeps the form's order."""

    num_epochs: int = setting(
        3,
        "How many times the model goes through all the examples.",
        label="Epochs",
        group="length",
        unit="passes",
        advice="More passes help until validation loss turns up again: from there the model memorises.",
        ge=1,
        le=1000,
    )
    max_steps: int | None = setting(
        None,
        "Stop after this many weight updates, whatever the number of epochs says.",
        label="Max steps",
        group="length",
        unit="updates",
        ge=1,
        le=10_000_000,
    )
    early_stopping_patience: int | None = setting(
        None,
        "Stop when this many evaluations in a row brought no better validation loss. Empty: never stop early.",
        label="Early stopping",
        group="length",
        unit="evaluations",
        ge=1,
        le=1000,
    )
    batch_size: int = setting(
        4,
        "Examples the model reads at once. More is faster and takes more memory.",
        label="Batch size",
        group="batch",
        unit="examples",
        advice="Out of memory? Halve this and double the accumulation: the result stays the same.",
        ge=1,
        le=1024,
    )
    gradient_accumulation_steps: int = setting(
        4,
        "Batches that are read before the weights change once. Acts like a larger batch without its memory.",
        label="Gradient accumulation",
        group="batch",
        unit="batches",
        ge=1,
        le=1024,
    )
    max_length: int | None = setting(
        None,
        "Most tokens (pieces of words) of an example; what is beyond is cut off. Empty: 512, or the model's limit if less.",
        label="Max length",
        group="batch",
        unit="tokens",
        advice="Memory and time grow with it. If your lines are short, a lower number costs nothing.",
        ge=8,
        le=131_072,
    )
    packing: bool = setting(
        True,
        "Share one pass between short examples instead of filling each up with padding. Faster; the result is the same.",
        label="Pack short examples",
        group="batch",
    )
    gradient_checkpointing: bool = setting(
        False,
        "Compute parts of the forward pass twice instead of remembering them: less memory, about a third slower.",
        label="Gradient checkpointing",
        group="batch",
    )
    on_oom: Literal["retry", "fail"] = setting(
        "retry",
        "When the memory runs out: retry the update with smaller batches and more accumulation, or fail with advice.",
        label="Out of memory",
        group="batch",
        advice="A retry learns from the same examples at the same update, in smaller parts.",
    )
