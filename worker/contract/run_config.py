"""What a person chooses about a run: RunConfig. Imported through ``worker.contract``."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from worker.contract.optimization_settings import OptimizationSettings
from worker.contract.setting import setting


class RunConfig(OptimizationSettings):
    """What a person chooses about a run. Every field is optional; the schema is the form, the docs and the CLI."""

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
    eval_steps: int | None = setting(
        None,
        "Measure validation loss every so many updates. Empty: after each epoch.",
        label="Evaluate every",
        group="evaluation",
        unit="updates",
        ge=1,
        le=10_000_000,
    )
    save_steps: int | None = setting(
        None,
        "Save a checkpoint every so many updates. Empty: after each epoch.",
        label="Save every",
        group="evaluation",
        unit="updates",
        ge=1,
        le=10_000_000,
    )
    keep_checkpoints: int = setting(
        2,
        "Latest checkpoints kept on disk. The best one is always kept besides.",
        label="Checkpoints kept",
        group="evaluation",
        unit="checkpoints",
        ge=1,
        le=100,
    )
    save_dtype: Literal["auto", "fp32", "fp16", "bf16"] = setting(
        "auto",
        "Number format of the finished model's weights. auto: the one that the model came in. 16 bits halve the file.",
        label="Format of the result",
        group="evaluation",
        advice="Training itself keeps 32 bits, and so do checkpoints, so that a run can go on exactly.",
    )
    log_steps: int = setting(
        1,
        "Report loss and learning rate every so many updates.",
        label="Report every",
        group="evaluation",
        unit="updates",
        ge=1,
        le=10_000,
    )
    sample_prompts: list[Annotated[str, Field(max_length=1000)]] = setting(
        ["Once upon a time"],
        "At every evaluation the model continues each of these texts, so that you can read what it has learned.",
        label="Sample prompts",
        group="evaluation",
        max_length=8,
    )
    precision: Literal["auto", "fp32", "fp16", "bf16"] = setting(
        "auto",
        "Bits per number. 16-bit (mixed precision) is 2 to 3 times faster on a GPU, and faster on a CPU that knows bf16;"
        " auto picks what the device does well.",
        label="Precision",
        group="system",
    )
    device: str = setting(
        "auto",
        "Where to train: auto, cpu, mps, cuda, or one GPU such as cuda:0.",
        label="Device",
        group="system",
        pattern=r"^(auto|cpu|mps|cuda(:\d{1,2})?)$",
    )
    devices: int = setting(
        1,
        "GPUs that train one model together. Each reads its own batches, so an update learns from that many times more.",
        label="GPUs",
        group="system",
        unit="GPUs",
        advice="With 2, halve the gradient accumulation to keep the result as it was.",
        ge=1,
        le=64,
    )
    compile: Literal["auto", "on", "off"] = setting(
        "auto",
        "Translate the model for this machine before training (torch.compile): a minute of waiting, then faster updates.",
        label="Compile",
        group="system",
        advice="auto does it on a CUDA GPU where the run is long enough to win the minute back.",
    )
    num_workers: int = setting(
        0,
        "Threads that lay out the next batches while the model computes. 0: it is done in between.",
        label="Loading threads",
        group="system",
        unit="threads",
        advice="Helps a fast GPU with long batches; on a CPU leave it at 0.",
        ge=0,
        le=64,
    )
    seed: int = setting(
        42,
        "Starting point of everything random. The same seed on the same machine gives the same run.",
        label="Seed",
        group="system",
        ge=0,
        le=2**31 - 1,
    )
