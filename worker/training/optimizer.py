"""The optimizer, and the learning rate's path."""

from __future__ import annotations

import math

import torch
from torch import nn


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
