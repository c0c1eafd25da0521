"""The learning rate's path."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch.optim import Optimizer

    from worker.contract import RunConfig


def learning_rate_share(
    schedule: str,
    step: int,
    total_steps: int,
    warmup_ratio: float,
    *,
    min_lr_ratio: float = 0.0,
    num_cycles: int = 1,
    decay_ratio: float = 0.0,
) -> float:
    """Share of the full learning rate that update ``step`` (from 1 to ``total_steps``) uses.

    It climbs evenly to 1 during the warmup, then stays there or falls, as ``schedule`` says, so that it would reach
    ``min_lr_ratio`` one update after the last: the first update and the last both still learn something. These are the
    schedules that transformers has under the same names (its cosine_with_min_lr is cosine here), for a run that is one
    update longer.
    """
    warmup_steps = max(1, round(warmup_ratio * total_steps))
    if step <= warmup_steps:
        return step / warmup_steps
    progress = (step - warmup_steps) / (total_steps - warmup_steps + 1)
    if schedule == "warmup_stable_decay":
        decay_steps = min(max(1, round(decay_ratio * total_steps)), total_steps - warmup_steps + 1)
        progress = max(0.0, 1 - (total_steps + 1 - step) / decay_steps)
    elif schedule == "cosine_with_restarts":
        progress = progress * num_cycles % 1
    if schedule == "constant":
        return 1.0
    falling = (1 + math.cos(math.pi * progress)) / 2 if schedule.startswith("cosine") else 1 - progress
    return min_lr_ratio + (1 - min_lr_ratio) * falling


def share_at(config: RunConfig, step: int, total_steps: int) -> float:
    """Of the full learning rate at update ``step``, as ``config`` says."""
    return learning_rate_share(
        config.lr_scheduler,
        step,
        total_steps,
        config.warmup_ratio,
        min_lr_ratio=config.min_lr_ratio,
        num_cycles=config.num_cycles,
        decay_ratio=config.decay_ratio,
    )


def set_learning_rate(optimizer: Optimizer, config: RunConfig, full: float, step: int, total_steps: int) -> float:
    """Gives ``optimizer`` the rate of update ``step``, as ``config`` says, and returns it. ``full`` is the highest."""
    share = share_at(config, step, total_steps)
    for group in optimizer.param_groups:
        group["lr"] = full * share
    return full * share
