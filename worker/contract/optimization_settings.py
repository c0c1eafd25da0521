"""How the weights are changed. Imported through ``worker.contract``, as a part of RunConfig."""

from __future__ import annotations

from typing import Literal

from worker.contract.length_settings import LengthSettings
from worker.contract.setting import setting


class OptimizationSettings(LengthSettings):
    """The optimizer and the learning rate's path."""

    optimizer: Literal["adamw", "muon", "adamw_8bit"] = setting(
        "adamw",
        "How gradients become changes. muon turns each matrix' change so that all directions count alike, which takes fewer"
        " updates from nothing; adamw_8bit is adamw with a quarter of the memory for what it remembers.",
        label="Optimizer",
        group="rate",
        advice="Both leave embeddings, biases and norms to adamw. adamw_8bit needs the package bitsandbytes.",
    )
    learning_rate: float | None = setting(
        None,
        "How big each change of the weights is. Empty: 5e-5 for a trained model (2e-4 with LoRA), more when from nothing.",
        label="Learning rate",
        group="rate",
        advice="Too high and the loss jumps or becomes NaN; too low and it hardly moves.",
        gt=0,
        le=1,
    )
    lr_scheduler: Literal["linear", "cosine", "cosine_with_restarts", "warmup_stable_decay", "constant"] = setting(
        "linear",
        "How the learning rate moves after warmup: straight down, down along a curve, along that curve several times, full"
        " until it falls straight down near the end, or not at all.",
        label="Schedule",
        group="rate",
        advice="With warmup_stable_decay any checkpoint before the fall can begin a longer run.",
    )
    min_lr_ratio: float = setting(
        0.0,
        "Share of the full learning rate at which a schedule that falls ends, instead of zero.",
        label="Lowest rate",
        group="rate",
        advice="0.1 is usual for long runs.",
        ge=0,
        le=1,
    )
    num_cycles: int = setting(
        2,
        "How many times the learning rate falls and starts again at full.",
        label="Cycles",
        group="rate",
        only_with=("lr_scheduler", "cosine_with_restarts"),
        unit="cycles",
        ge=1,
        le=1000,
    )
    decay_ratio: float = setting(
        0.2,
        "Share of the run, at its end, in which the learning rate falls.",
        label="Decay ratio",
        group="rate",
        only_with=("lr_scheduler", "warmup_stable_decay"),
        ge=0,
        le=1,
    )
    warmup_ratio: float = setting(
        0.1,
        "Share of the run in which the learning rate climbs from zero, so that the first updates break nothing.",
        label="Warmup ratio",
        group="rate",
        ge=0,
        le=1,
    )
    weight_decay: float = setting(
        0.01,
        "Pulls weights gently towards zero, which works against memorising. Not applied to biases and norms.",
        label="Weight decay",
        group="rate",
        ge=0,
        le=1,
    )
    max_grad_norm: float = setting(
        1.0,
        "Gradient clipping: an update larger than this is scaled down, so that one odd batch cannot wreck the model.",
        label="Gradient clipping",
        group="rate",
        gt=0,
        le=1000,
    )
    label_smoothing: float = setting(
        0.0,
        "Share of the certainty that is taken from the right token and spread evenly over all, against overconfidence. The"
        " losses shown, in training and validation, stay those without it.",
        label="Label smoothing",
        group="rate",
        advice="0.1 is usual; 0 is right for most fine-tuning.",
        ge=0,
        le=0.9,
    )
    neftune_noise_alpha: float = setting(
        0.0,
        "NEFTune: noise on what the model reads while it learns, so that it copies less. Larger for short texts. 0: none.",
        label="NEFTune noise",
        group="rate",
        advice="5 is usual for fine-tuning on conversations.",
        ge=0,
        le=100,
    )
