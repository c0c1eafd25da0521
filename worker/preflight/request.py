"""What a run will take, by formula, from the beginning of its text and its model's design."""

from __future__ import annotations

from typing import Any

import torch

from worker.contract import Job
from worker.datasets.cache import Samples
from worker.devices.precision import Precision, choose_precision
from worker.models.frozen import require_four_bits
from worker.preflight.architecture import design_of
from worker.preflight.estimate import estimate
from worker.training.optimizer import require_optimizer


def preflight(job: Job, samples: Samples, memory_available_bytes: int) -> dict[str, Any]:
    """What of backend/schemas/preflight.py's Preflight a worker can know. Raises DataError, ModelError, DeviceError."""
    require_optimizer(job.config.optimizer, torch.device(job.device), tried=False)
    if job.config.load_in_4bit:
        require_four_bits(torch.device(job.device), tried=False)
    sample = samples.sample(job)
    precision = _precision(job)
    found = estimate(job, design_of(job, sample.vocabulary, precision), sample, precision, memory_available_bytes)
    leaked, leaks = samples.leaks(job)
    train, validation = sample.train, sample.validation
    rows = len(train) + len(validation) + train.dropped + validation.dropped
    return {
        **found.model_dump(),
        "precision": precision,
        "exact": sample.exact,
        "mixture": [
            {"name": name, "tokens": part.tokens, "share": part.tokens / found.tokens_per_epoch, "passes": part.passes}
            for name, part in zip((job.config.dataset, *job.mixture), sample.mixture if job.mixture else (), strict=False)
        ],
        "max_length": sample.max_length,
        "truncated_share": (train.cut + validation.cut) / max(1, rows),
        "leaked_examples": leaked,
        "leaks": leaks,
        "chat_format_unused": job.dataset.reading.kind == "completion" and bool(samples.tokenizer(job).chat_template),
        "untrained_examples": round((train.dropped + validation.dropped) / sample.share),
    }


def _precision(job: Job) -> Precision:
    """What the run will compute in. A GPU is not asked, for that alone would take half a gigabyte of it."""
    wanted = job.config.precision
    if wanted == "auto" and job.device.startswith("cuda"):
        return "bf16"
    return choose_precision(wanted, torch.device(job.device))
