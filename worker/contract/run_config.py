"""What a person chooses about a run: RunConfig. Imported through ``worker.contract``."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from worker.contract.optimization_settings import OptimizationSettings
from worker.contract.setting import setting


class RunConfig(OptimizationSettings):
    """What a person chooses about a run. Every field is optional; the schema is the form, the docs and the CLI."""

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

    @property
    def window_size(self) -> int:
        """Examples that an update learns from."""
        return self.batch_size * self.gradient_accumulation_steps * self.devices
