"""The optimizer, the learning rate's path, and the number format to compute in."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import nn

from worker.contract import Job
from worker.errors import DeviceError

Precision = Literal["fp32", "fp16", "bf16"]


def learning_rate_share(schedule: str, step: int, total_steps: int, warmup_ratio: float) -> float:
    """Share of the full learning rate that update ``step`` (from 1 to ``total_steps``) uses.

    It climbs evenly to 1 during the warmup, then stays there or falls along a line or a cosine that would reach 0 one
    update after the last: the first update and the last both still learn something.
    """
    warmup_steps = max(1, round(warmup_ratio * total_steps))
    if step <= warmup_steps:
        return step / warmup_steps
    progress = (step - warmup_steps) / (total_steps - warmup_steps + 1)
    if schedule == "linear":
        return 1 - progress
    if schedule == "cosine":
        return (1 + math.cos(math.pi * progress)) / 2
    return 1.0


def make_optimizer(model: nn.Module, learning_rate: float, weight_decay: float) -> torch.optim.AdamW:
    """AdamW that decays matrices and leaves biases and norms (all that has one dimension) alone."""
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    groups = [
        {"params": [weight for weight in weights if weight.ndim >= 2], "weight_decay": weight_decay},
        {"params": [weight for weight in weights if weight.ndim < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=learning_rate, fused=True)


def choose_device(wanted: str, number: int | None = None) -> torch.device:
    """The device to train on; ``auto`` takes a CUDA GPU, else Apple's, else the CPU. Raises DeviceError if absent.

    ``number`` is the process's own among several: each takes the GPU of its number.
    """
    if wanted == "auto":
        wanted = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    device = torch.device(wanted)
    hint = "Set Device to auto or cpu."
    if number is not None and device.type == "mps":
        raise DeviceError("Apple's GPU cannot be shared by several processes.", "Set GPUs to 1.")
    if number is not None and device.type == "cuda":
        device, hint = torch.device("cuda", number), "Set GPUs to the number of GPUs here."
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise DeviceError(f"There is no {device} here: PyTorch sees {torch.cuda.device_count()} CUDA GPUs.", hint)
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise DeviceError("PyTorch sees no Apple GPU here.", hint)
    return device


def device_of(job: Job, number: int | None = None) -> torch.device:
    """The device that ``job`` trains on, as ``choose_device`` finds it. A GPU becomes the one that is meant where none is
    named, as by pinned memory and events."""
    device = choose_device(job.config.device if job.device == "auto" else job.device, number)
    if device.type == "cuda":
        torch.cuda.set_device(device)
    return device


def choose_precision(wanted: str, device: torch.device) -> Precision:
    """What ``auto`` means on this device: bf16 where a GPU computes it natively, else fp16; fp32 without a CUDA GPU.

    Raises DeviceError for fp16 elsewhere, as only CUDA has the loss scaling that keeps small gradients alive.
    """
    if wanted == "auto":
        if device.type != "cuda":
            return "fp32"
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16"
    if wanted == "fp16" and device.type != "cuda":
        raise DeviceError(f"fp16 needs a CUDA GPU, and this run is on {device.type}.", "Set Precision to auto.")
    if wanted == "bf16":
        return "bf16"
    return "fp16" if wanted == "fp16" else "fp32"
