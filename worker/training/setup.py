"""All that a training run is made of."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from worker.contract import Job
from worker.data.batching import Layout, Sizes
from worker.data.corpus import Examples
from worker.devices.c_library import keep_freed_memory
from worker.devices.precision import Precision
from worker.distributed.group import Group
from worker.models.forward import recompute_activations
from worker.models.loading import LanguageModel


@dataclass(frozen=True)
class Setup:
    """What a Trainer works with. ``learning_rate`` is the full one; the language model is moved to ``device``.

    ``dataset_sha256`` and ``base_sha256`` (of LoRA's frozen weights) tell a resumed run what has changed. ``sharded``: the
    model is too large for one device of the group. ``evaluation``: further datasets to evaluate on, by name. ``counts``: of
    which dataset the examples of ``train`` are, None being the run's own, and how many of each, in order.
    """

    job: Job
    run_dir: Path
    language_model: LanguageModel
    train: Examples
    validation: Examples
    max_length: int
    learning_rate: float
    device: torch.device
    precision: Precision
    layout: Layout
    dataset_sha256: str
    base_sha256: str
    group: Group
    sharded: bool = False
    evaluation: dict[str, Examples] = field(default_factory=dict)
    counts: tuple[tuple[str | None, int], ...] = ()

    def ready_model(self) -> Any:
        """The model, on its device unless it is to be sharded; and where that is this machine's, memory that stays ours."""
        model: Any = self.language_model.model.train()
        if self.device.type == "cpu":
            keep_freed_memory()
        for weight in model.parameters():
            # Into memory of our own: where a weight lies in a mapped file may change the last bits of what is computed.
            weight.data = weight.data.clone()
        if self.job.config.gradient_checkpointing:
            recompute_activations(model)
        return model if self.sharded else model.to(self.device)

    @property
    def sizes(self) -> Sizes:
        """How many tokens the passes may have."""
        return "few" if self.device.type == "cpu" and self.precision != "fp32" else "any"
